"""Results on disk: whole at any moment, whatever happens to the process that writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Report", "write"]


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, or leave the one that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    os.replace(partial, path)


class Report:
    """What a part has found so far: a dictionary that is on disk after each change."""

    def __init__(self, path: Path) -> None:
        self.path, self.found = path, {}  # type: ignore[var-annotated]

    def update(self, **found: Any) -> None:
        """Add to it, or replace."""
        self.found |= found
        write(self.path, self.found)
