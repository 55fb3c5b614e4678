"""Every file below a folder that may be an image, once, whatever links and pipes lie there; no file is opened."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from jepa.errors import DataError
from jepa.files.mark import is_run
from jepa.sources.images.formats import suffixes
from jepa.sources.images.ours import is_generated, is_system
from jepa.text import shown

__all__ = ["Found", "walk"]

Parts = tuple[str, ...]
Known = frozenset[tuple[int, int]]  # folders by device and number


class Found(NamedTuple):
    """What lies below a folder, as parts of paths from it on."""

    images: list[Parts]
    """Regular files that are called like images, sorted."""
    others: dict[Parts, Counter[str]]
    """All other files, counted by the ends of their names, for each folder directly below ("" stands for itself)."""
    ours: list[Parts]
    """Folders that jepa has written."""
    folders: list[str]
    """Folders directly below that are looked into."""


def walk(folder: Path) -> Found:
    """Find the files below a folder.

    Links are followed, but a folder is not read again inside itself, nor twice for one class. What is hidden, a
    system's or our own is passed over, and so is what is no regular file.

    Raises
    ------
    DataError
        A folder may not be listed.
    """
    found = Found([], {}, [], [])
    seen: set[tuple[str, int, int]] = set()
    waiting: list[tuple[Parts, Known]] = [((), frozenset([_number(folder)]))]
    endings = tuple(suffixes())
    while waiting:
        parts, above = waiting.pop()
        for entry in _entries(folder.joinpath(*parts)):
            inner = (*parts, entry.name)
            if is_system(entry.name):
                continue
            if _is_folder(entry):
                number = _number(entry)
                if number in above or (inner[0], *number) in seen:
                    continue
                seen.add((inner[0], *number))
                if is_run(Path(entry.path)) or is_generated(Path(entry.path)):
                    found.ours.append(inner)
                    continue
                if not parts:
                    found.folders.append(entry.name)
                waiting.append((inner, above | {number}))
            elif (kind := _kind(entry, endings)) is None:
                found.images.append(inner)
            else:
                found.others.setdefault(inner[:1] if parts else ("",), Counter())[kind] += 1
    found.images.sort()
    found.ours.sort()
    found.folders.sort()
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(
            f"cannot list the folder {shown(folder)}: {error.strerror}; change its permissions, or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _kind(entry: os.DirEntry[str], endings: tuple[str, ...]) -> str | None:
    """Return None for an image, and else what to count the file by."""
    try:
        if not entry.is_file():
            return "no regular file" if os.path.exists(entry) else "link to nothing"
    except OSError:
        return "link to nothing"
    if entry.name.lower().endswith(endings):
        return None
    ending = os.path.splitext(entry.name)[1].lower()
    return shown(ending) if 1 < len(ending) <= 12 else "no suffix"


def _number(folder: Path | os.DirEntry[str]) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
