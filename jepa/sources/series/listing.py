"""Which files of series lie at a path, and what their places say about class and part; none is opened."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jepa.errors import DataError
from jepa.sources.images.listing import VAL
from jepa.sources.series.files import ALONE, ROWS, value_of
from jepa.text import shown

MARKS = {"_train": "train", "_test": "val"}  # ends of the names of two files that are the parts of one set
LOOKED_AT = 64  # entries of a folder, to see whether it is one of series
EXPECTED = (
    "FOLDER/CLASS/*.csv (or .npy), FOLDER/train/CLASS/* with FOLDER/val/CLASS/*, a flat folder of them, or "
    "NAME_TRAIN.ts with NAME_TEST.ts (or .tsv, .txt)"
)


class Entry(NamedTuple):
    """A file of series."""

    path: Path
    name: str
    label: str | None
    """the class folder that it lies in"""
    part: str | None
    """"train" or "val", if there are such parts"""


def entries(path: Path) -> list[Entry]:
    """Return the files of series at a path: one file of many, with that of the other part beside it; or a folder.

    Raises DataError if there are none.
    """
    if path.is_file() and path.suffix.lower() in ROWS:
        return _pair(path)
    if not path.is_dir():
        raise DataError(f"{shown(path)} is no folder and no file of series: expected {EXPECTED}")
    files = sorted(p for p in path.rglob("*") if p.is_file() and not _is_hidden(p.relative_to(path)))
    marked = [p for p in files if p.suffix.lower() in ROWS and _part_of(p)]
    if marked:
        stems = sorted({_stem(p) for p in marked})
        if len(stems) > 1:
            raise DataError(f"{shown(path)} has several sets of series, {', '.join(stems[:5])}: name a file of one")
        return _pair(marked[0])
    single = [p for p in files if p.suffix.lower() in ALONE]
    if not single:
        raise DataError(f"no series in {shown(path)}: expected {EXPECTED}")
    return [_placed(p, path, _parts(path)) for p in single]


def is_series(path: Path) -> bool:
    """Whether a path is taken for series, where no kind of source is said: by few of its entries."""
    if path.is_file():
        rows = path.suffix.lower() in ROWS[:2] or (path.suffix.lower() in ROWS and _part_of(path) is not None)
        return rows and _has_numbers(path)
    try:
        files = list(itertools.islice(_walk(path, 3), LOOKED_AT))
    except OSError:  # it is not there, or may not be listed
        return False
    single = [file for file in files if file.suffix.lower() in ALONE]
    parts = [file for file in files if file.suffix.lower() in ROWS and _part_of(file)]
    if parts:
        return _has_numbers(parts[0])
    if 2 * len(single) <= len(files):
        return False
    return _has_numbers(single[0]) if single[0].suffix.lower() == ".csv" else _rank(single[0]) in (1, 2)


def _has_numbers(path: Path) -> bool:
    """Whether most of what stands in the first lines of a file of series are numbers; a .ts says what it is."""
    if path.suffix.lower() == ".ts":
        return True
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [line for line in (file.readline(1 << 16) for _ in range(3)) if line.strip()]
    except OSError:
        return False
    cells = [cell for line in lines[1:] or lines for cell in re.split(r"[,;\s]+", line.strip()) if cell]
    return 2 * sum(value_of(cell) is not None for cell in cells) > len(cells)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield files of a folder and of its first sub-folders."""
    with os.scandir(folder) as found:
        inside = sorted(itertools.islice(found, LOOKED_AT), key=lambda entry: entry.name)
    for entry in inside:
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            yield Path(entry.path)
        elif depth > 1 and entry.is_dir():
            yield from _walk(Path(entry.path), depth - 1)


def _rank(path: Path) -> int:
    """Return the number of axes of an .npy file; 0 if it cannot be read."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).ndim)
    except Exception:  # a damaged file may bring about anything
        return 0


def _is_hidden(inner: Path) -> bool:
    return any(part.startswith(".") for part in inner.parts)


def _part_of(path: Path) -> str | None:
    return next((part for mark, part in MARKS.items() if path.stem.lower().endswith(mark)), None)


def _stem(path: Path) -> str:
    return path.stem[: path.stem.rindex("_")]


def _pair(path: Path) -> list[Entry]:
    """Return a file of many series, and the one of the other part that lies beside it."""
    if not _part_of(path):
        return [Entry(path, path.name, None, None)]
    beside = {_part_of(p): p for p in sorted(path.parent.iterdir()) if p.suffix == path.suffix and _part_of(p)
              and _stem(p) == _stem(path)}  # fmt: skip
    if len(beside) < len(MARKS):
        return [Entry(path, path.name, None, None)]
    return [Entry(beside[part], beside[part].name, None, part) for part in MARKS.values()]


def _parts(root: Path) -> dict[str, str]:
    """Return the names of the folders of train and val, if there are both, and which part each is."""
    below = {p.name.lower(): p.name for p in root.iterdir() if p.is_dir()}
    val = next((below[name] for name in VAL if name in below), None)
    return {below["train"]: "train", val: "val"} if "train" in below and val else {}


def _placed(path: Path, root: Path, parts: dict[str, str]) -> Entry:
    inner = path.relative_to(root)
    part = parts.get(inner.parts[0])
    below = inner.parts[1:] if part else inner.parts
    return Entry(path, inner.as_posix(), below[0] if len(below) > 1 else None, part)
