"""The folders of decoded images in the user's cache: what is in each, whose turn it is to write, and which go."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from jepa.files.atomic import replacing, sweep
from jepa.files.lock import Taken, writing
from jepa.sources.images import budget
from jepa.sources.images.pixels import Mapped
from jepa.sources.images.square import How

VERSION = 3  # of what is made of a file
ALL = 8 << 30  # bytes of all folders together, unless more is asked for
SPARE = 1 << 30  # bytes of the disk that are left free
INDEX, TAG = "index.npz", "CACHEDIR.TAG"
HEX = set("0123456789abcdef")
UNREAD, PACKED, DEEP, LOOSE = range(4)
"""not decoded yet; kept, a row of uint8; kept, four rows of float32; can be read, and is not kept"""
ROWS: NDArray[np.int64] = np.array([0, 1, 4, 0])  # that an image of each kind takes
Signs = NDArray[np.uint64]


class Known(NamedTuple):
    """What is known of N images."""

    kind: NDArray[np.uint8]
    """(N,): UNREAD, PACKED, DEEP or LOOSE"""
    segment: NDArray[np.int16]
    """(N,): the file that its pixels are in, from 1 on"""
    row: NDArray[np.int64]
    """(N,): where in it"""
    files: list[Mapped]

    @property
    def held(self) -> NDArray[np.bool_]:
        """(N,): whether the pixels are in memory, in no file"""
        return np.asarray((self.segment == 0) & (ROWS[self.kind] > 0))

    @classmethod
    def nothing(cls, count: int) -> "Known":
        """Return what is known at first."""
        return cls(np.zeros(count, np.uint8), np.zeros(count, np.int16), np.zeros(count, np.int64), [])


class Store:
    """The folder of one place of images, decoded in one way."""

    def __init__(self, root: Path, how: How) -> None:
        self.root, self.width = os.path.abspath(root), how.channels * how.side**2
        mark = hashlib.blake2b(repr((VERSION, PIL.__version__, *how, self.root)).encode("utf-8", "replace"))
        mark.update(os.fsencode(self.root))
        self.folder = budget.place() / mark.hexdigest()[:32]

    def load(self, signs: Signs) -> Known:
        """Return what is known of images by their signs (N, 2); nothing, where the folder is not there or damaged."""
        known = Known.nothing(len(signs))
        try:
            with open(self.folder / INDEX, "rb") as file, np.load(file, allow_pickle=False) as found:
                theirs, kind, segment, row, names = (found[k] for k in ("signs", "kind", "segment", "row", "names"))
            files = [Mapped(self.folder / name, self.width) for name in map(str, names) if _is_pixels(name)]
            ends = np.array([0, *(file.rows for file in files)])[segment]
            takes = ROWS[kind]
            if len(files) < len(names) or (row < 0).any() or (row + takes > ends)[takes > 0].any():
                return known
            if sum(file.rows for file in files) > 2 * takes.sum() + 10_000:  # more than half is of no use any more
                return known
            order = np.argsort(theirs[:, 0], kind="stable")
            place = order[np.minimum(np.searchsorted(theirs[order, 0], signs[:, 0]), max(0, len(order) - 1))]
            same = (theirs[place] == signs).all(axis=1)
            for mine, all_ in ((known.kind, kind), (known.segment, segment), (known.row, row)):
                mine[same] = all_[place[same]]
            with suppress(OSError):
                os.utime(self.folder / INDEX)  # the one that was not used for the longest time goes first
            return known._replace(files=files)
        except Exception:  # a damaged file may say anything
            return Known.nothing(len(signs))

    def save(self, signs: Signs, known: Known, names: Sequence[str]) -> None:
        """Write the index, whose pixels are in files of these names; files that it does not name are taken away."""
        with replacing(self.folder / INDEX) as temporary, temporary.open("wb") as file:
            root, files = np.array(os.fsencode(self.root)), np.array(names, "U40")
            kind, segment, row = known.kind, known.segment, known.row
            np.savez(file, signs=signs, kind=kind, segment=segment, row=row, names=files, root=root)
        for path in self.folder.glob("pixels-*"):
            if _is_pixels(path.name) and path.name not in names:
                with suppress(OSError):  # Windows keeps a file that somebody reads
                    path.unlink()

    @property
    def there(self) -> bool:
        """Whether there is an index."""
        return (self.folder / INDEX).is_file()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, which is made if need be; wait for another process that does."""
        budget.place().mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError), open(budget.place() / TAG, "x", encoding="ascii") as file:
            file.write("Signature: 8a477f597d28d172789f06886806bc55\n# decoded images: https://bford.info/cachedir/\n")
        due = time.monotonic() + 2
        while True:
            try:
                with writing(self.folder):
                    sweep(self.folder, lambda name: name == INDEX, alone=True)
                    yield
                return
            except Taken as error:
                if due and time.monotonic() > due and sys.stderr is not None:
                    due = 0
                    print(f"waiting for {error}, which decodes the same images", file=sys.stderr, flush=True)
                time.sleep(0.2)

    def room(self, size: int) -> int:
        """Make room for `size` bytes more: what was not used for the longest time goes. Return what the disk has."""
        there = sorted((_used(folder), _size(folder), folder) for folder in folders() if folder != self.folder)
        total = sum(size for _, size, _ in there)
        for _, freed, folder in there:
            if total + size <= max(ALL, size):
                break
            total -= freed if _removed(folder) else 0
        return max(0, shutil.disk_usage(self.folder).free - SPARE)


def _is_pixels(name: str) -> bool:
    return name.startswith("pixels-") and len(name) == 23 and set(name[7:]) <= HEX


def folders() -> list[Path]:
    """Return the folders that hold something, and what an earlier version has left: files of such a name."""
    named = (path for path in budget.place().glob("*") if len(path.stem) == 32 and set(path.stem) <= HEX)
    return [path for path in named if _ours(path)]


def _ours(folder: Path) -> list[Path]:
    """Return the files of a folder that we wrote."""
    if not folder.is_dir():
        return [folder] if folder.suffix == ".npy" else []
    return [path for path in folder.glob("*") if path.name == INDEX or _is_pixels(path.name)]


def root_of(folder: Path) -> str:
    """Return the place of the images that a folder holds; empty if nobody knows."""
    try:
        with open(folder / INDEX, "rb") as file, np.load(file, allow_pickle=False) as found:
            return os.fsdecode(found["root"].item())
    except Exception:
        return ""


def _used(folder: Path) -> int:
    with suppress(OSError):
        return (folder / INDEX).stat().st_mtime_ns
    return 0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _ours(folder))


def _removed(folder: Path) -> bool:
    """Take away what we wrote, if nobody writes to it."""
    try:
        if not folder.is_dir():
            folder.unlink()
            return True
        with writing(folder):
            for path in _ours(folder):
                path.unlink()
            sweep(folder, lambda name: name == INDEX, alone=True)
    except (OSError, Taken):
        return False
    with suppress(OSError):  # something else is in it
        folder.rmdir()
    return True


class Cleaned(NamedTuple):
    """What `clean` has taken away, and what it had to leave."""

    places: int
    size: int
    busy: int


def clean(root: Path | None = None) -> Cleaned:
    """Remove the decoded images of one place, or all; those that a process is writing stay."""
    wanted = [folder for folder in folders() if root is None or root_of(folder) == os.path.abspath(root)]
    sizes = [(_size(folder), _removed(folder)) for folder in wanted]
    freed = [size for size, removed in sizes if removed]
    return Cleaned(len(freed), sum(freed), len(sizes) - len(freed))
