"""The lines of a run's metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jepa.errors import RunError


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Return the lines of a ``metrics.jsonl``, in the order of their steps.

    A run that was stopped and resumed writes some steps twice: the later line counts. A last line cut short by a kill
    is left out. Raises RunError if another line is not JSON.
    """
    records: dict[tuple[Any, Any], dict[str, Any]] = {}
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise RunError(f"line {number} of {path} is not JSON: repair or delete that line") from error
        if not (isinstance(record, dict) and isinstance(record.get("kind"), str) and is_number(record.get("step"))):
            raise RunError(f"line {number} of {path} is no line of metrics (kind, step): repair or delete that line")
        records[record.get("kind"), record.get("step")] = record
    return sorted(records.values(), key=lambda record: float(record["step"]))


def is_number(value: Any) -> bool:
    """Whether a value is a number to draw."""
    return isinstance(value, int | float) and abs(value) < 1e18  # not NaN either
