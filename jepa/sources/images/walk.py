"""Every file below a folder that may be an image, once, whatever links and pipes lie there; no image is opened."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from jepa.errors import DataError
from jepa.files.mark import is_run, read_object
from jepa.sources.images.formats import suffixes
from jepa.text import shown

SYSTEM = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "thumbs.db"}
"""folders and files of operating systems and disk stations, in lower case"""
Parts = tuple[str, ...]


class Found(NamedTuple):
    """What lies below a folder, as parts of paths from it on."""

    images: list[Parts]  # regular files that are called like images, sorted
    others: dict[Parts, Counter[str]]  # all other files, by the ends of their names, of each folder directly below
    ours: list[Parts]  # folders that jepa has written
    folders: list[str]  # folders directly below that are looked into


def walk(folder: Path) -> Found:
    """Find the files below a folder; raise DataError if a folder may not be listed.

    Links are followed, but a folder is not read again inside itself, nor twice for one class. What is hidden, a
    system's or our own is passed over, and so is what is no regular file.
    """
    found = Found([], {}, [], [])
    seen: set[tuple[str, int, int]] = set()
    waiting: list[tuple[Parts, frozenset[tuple[int, int]]]] = [((), frozenset([_number(folder)]))]
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
    for names in (found.images, found.ours, found.folders):
        names.sort()
    return found


def is_generated(folder: Path) -> bool:
    """Whether a folder is a data set that `data make` wrote."""
    try:
        path = folder / "meta.json"
        meta = read_object(path) if path.is_file() and (folder / "labels.csv").is_file() else {}
    except (OSError, ValueError):
        return False
    return {"generator", "version", "images"} <= meta.keys()


def is_system(name: str) -> bool:
    """Whether a file or folder is hidden (._x.png of a Mac too), or a system's own.

    >>> [is_system(name) for name in ("._1.png", "Thumbs.db", "__MACOSX", "cats")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM


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
