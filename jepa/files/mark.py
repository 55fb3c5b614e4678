"""How a folder that we wrote is known again: by what stands in a file of it, not by its name or that of a file."""

import json
from pathlib import Path
from typing import Any

PROGRAM = "minitensor-jepa"
LARGEST = 64 << 20  # bytes of a JSON file that is read at all
UNMARKED = {"python", "platform", "cores", "threads", "device", "command", "packages"}
"""what env.json had in version 0.1.0, which did not write the name of the program"""


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raise OSError if there is none, ValueError if it is anything else."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST >> 20} MB")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


def is_run(folder: str | Path) -> bool:
    """Whether a training of ours has written to a folder: its env.json, which is written first, says so.

    >>> is_run("no/such/folder")
    False
    """
    try:
        path = Path(folder) / "env.json"
        env = read_object(path) if path.is_file() else {}
    except (OSError, ValueError):
        return False
    packages = env.get("packages")
    old = env.keys() == UNMARKED and isinstance(packages, dict) and "numpy" in packages
    return env.get("program") == PROGRAM or old
