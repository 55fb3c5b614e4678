"""The squares of a folder that took long to read, kept for the next time: one file in the user's cache.

A file stands for one listing (names, sizes and times of all its images) and one way of reading it, so it is never out
of date; it holds those of the images that were read so far. Whatever goes wrong here, the images are read again.
"""

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from jepa.files.atomic import replacing, sweep
from jepa.sources.images.reading import How, Squares, as_float, read_squares

VERSION = 2  # of what is made of a file
LARGEST = 2 << 30  # bytes of a file
ALL = 8 << 30  # bytes of all files
ROWS = 1024  # written at once
SLOW = 2.0  # seconds of reading that are worth a file


def stored_squares(every: Sequence[Path], numbers: Sequence[int], how: How, *, stop: bool = False) -> Squares:
    """Return what `read_squares` makes of some of the images of a listing, `numbers` ascending; stored ones are found.

    What took longer than SLOW to read is stored.
    """
    path, clock = _place(every, how), time.monotonic()
    old = _find(path, len(every), how)
    known = set() if old is None else set(old["number"].tolist())
    missing = [k for k, number in enumerate(numbers) if number not in known]
    fresh = read_squares([every[numbers[k]] for k in missing], how, stop=stop)
    failed = {missing[i]: error for i, error in fresh.failed.items()}
    mine = [number for k, number in enumerate(numbers) if k not in failed]
    there, pixels = mine, fresh.pixels
    if old is not None:
        there, pixels = _joined(old, [numbers[k] for k in missing if k not in failed], fresh.pixels)
    if len(fresh.pixels) and time.monotonic() - clock > SLOW:
        with suppress(OSError, MemoryError):  # no room, no permission: then it is not kept
            _keep(path, there, pixels)
    return Squares(pixels if len(there) == len(mine) else pixels[np.searchsorted(there, mine)], failed)


def _joined(old: NDArray[Any], read: list[int], fresh: NDArray[Any]) -> tuple[list[int], NDArray[Any]]:
    """Return numbers and pixels of both, in the order of the numbers."""
    numbers, pixels = old["number"].tolist(), old["pixels"]
    if not read:
        return numbers, pixels
    if pixels.dtype != fresh.dtype:
        pixels, fresh = as_float(pixels), as_float(fresh)
    order = np.argsort([*numbers, *read])
    return np.array([*numbers, *read])[order].tolist(), np.concatenate([pixels, fresh])[order]


def _place(paths: Sequence[Path], how: How) -> Path:
    """Return the file of a listing, read in one way."""
    digest = hashlib.blake2b(repr((VERSION, PIL.__version__, *how)).encode(), digest_size=16)
    with suppress(OSError):
        for path in paths:
            status = os.stat(path)
            digest.update(os.fsencode(path.absolute()) + f"\0{status.st_size} {status.st_mtime_ns}\0".encode())
    return _folder() / f"{digest.hexdigest()}.npy"


def _row(dtype: Any, shape: tuple[int, ...]) -> np.dtype[Any]:
    return np.dtype([("number", "<i4"), ("pixels", dtype, shape)])


def _find(path: Path, count: int, how: How) -> NDArray[Any] | None:
    """Return what is kept, mapped from the file: rows of `number` and `pixels`, in the order of numbers."""
    try:
        rows: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        numbers, row = rows["number"], _row(rows.dtype["pixels"].base, (how.channels, how.side, how.side))
        ascending = numbers[0] >= 0 and numbers[-1] < count and np.all(numbers[1:] > numbers[:-1])
        if rows.dtype != row or rows.ndim != 1 or not ascending:
            return None
        with suppress(OSError):
            os.utime(path)  # the one that was not used for the longest time goes first
    except Exception:  # a damaged file may say anything
        return None
    return rows


def _keep(path: Path, numbers: Sequence[int], pixels: NDArray[Any]) -> None:
    """Write rows, `numbers` ascending, in the place of what was kept."""
    row = _row(pixels.dtype, pixels.shape[1:])
    size = row.itemsize * len(numbers)
    if size > LARGEST:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(path.parent, lambda name: True)
    _make_room(path.parent, size)
    header = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False, "shape": (len(numbers),)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        for k in range(0, len(numbers), ROWS):
            part = np.empty(len(numbers[k : k + ROWS]), dtype=row)
            part["number"], part["pixels"] = numbers[k : k + ROWS], pixels[k : k + ROWS]
            file.write(part.tobytes())


def _folder() -> Path:
    """Return the folder for what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(home):
        return Path(home) / "minitensor-jepa"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local"))
        return base / "minitensor-jepa" / "Cache"
    return Path(os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")) / "minitensor-jepa"


def _make_room(folder: Path, size: int) -> None:
    """Delete the files that were not used for the longest time until `size` bytes more are not too many."""
    files = [path for path in folder.glob("*.npy") if len(path.stem) == 32 and not path.stem.strip("0123456789abcdef")]
    there = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in files)
    total = sum(status[1] for status in there)
    for _, freed, path in there:
        if total + size <= ALL:
            return
        path.unlink(missing_ok=True)
        total -= freed
