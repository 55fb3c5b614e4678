"""What is never read as a user's images: data sets that jepa has written, and what operating systems leave behind."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["is_generated", "is_system"]

SYSTEM = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "thumbs.db"}
"""Folders and files of operating systems and disk stations, in lower case."""
GENERATORS = ("shapes", "digits", "digits-clutter")


def is_generated(folder: Path) -> bool:
    """Whether a folder is a data set that `data make` wrote."""
    try:
        if not (folder / "labels.csv").is_file() or not (folder / "meta.json").is_file():
            return False
        with open(folder / "meta.json", encoding="utf-8") as file:
            meta = json.loads(file.read(10_000))  # ours is short
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(meta, dict) and meta.get("generator") in GENERATORS and "version" in meta


def is_system(name: str) -> bool:
    """Whether a file or folder is hidden (._x.png of a Mac too), or a system's own.

    >>> [is_system(name) for name in ("._1.png", "Thumbs.db", "__MACOSX", "cats")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM
