"""The images of a folder or an archive, decoded once: found again by whoever opens it next.

A folder in the user's cache stands for one place of images and one way of decoding them. Its index says of each image,
by name, size and time of its file, whether it can be read and where its pixels are; so what has changed is decoded
anew, and nothing else. Files of pixels belong to the process that writes them, and the index is replaced as a whole: a
reader never sees half of anything, and a process that is killed loses what it decoded in the last COMMIT seconds. One
decodes at a time; others wait for it. Whatever else goes wrong, the images are decoded again.
"""

import hashlib
import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jepa.contracts import Index
from jepa.progress import shown_progress
from jepa.sources.images import budget
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.listing import Listing
from jepa.sources.images.members import File
from jepa.sources.images.pixels import Growing, Mapped, Memory
from jepa.sources.images.reading import SHORT, as_float, squares
from jepa.sources.images.square import How
from jepa.sources.images.stored import DEEP, LOOSE, PACKED, ROWS, UNREAD, Known, Signs, Store
from jepa.sources.images.workers import Result
from jepa.text import shown

SLOW = 2.0  # seconds of decoding that are worth a file
HELD = 64 << 20  # bytes of pixels that are held in memory without one
COMMIT = 15.0  # seconds between two indices


class Decoded:
    """The squares of all images of a listing: packed in files as far as the budget goes, or decoded when asked for."""

    def __init__(self, root: Path, listing: Listing, how: How, cache: str | None, workers: int) -> None:
        self.files: list[File] = [entry.file for entry in listing.entries]
        self.how, self.workers, self.budget = how, workers, budget.budget(cache)
        self.shape = how.channels, how.side, how.side
        self.signs, self.sizes = signed(listing)
        self.store = Store(root, how)
        self.memory = Memory()
        self.known = Known.nothing(len(self.files))
        self._load()
        self.trouble = ""  # why nothing is written
        self._spent = 0.0  # seconds of decoding

    # -- decoding what is new ----------------------------------------------------------------------------------------

    def ready(self, numbers: Sequence[int], *, stop: bool) -> dict[int, UnreadableImage]:
        """Decode those of the images that nobody has decoded yet; return those that cannot be read, by their number.

        `stop`: raise the first of them, in the order of `numbers`.
        """
        failed: dict[int, UnreadableImage] = {}
        if not self.store.there:  # it may be done soon
            self._decode(numbers, failed, stop, _Sink(self, None))
        if not self._missing(numbers, failed):
            return failed
        try:
            with self.store.alone():
                self._load()
                with closing(_Sink(self, self._growing(len(numbers)))) as sink:
                    self._decode(numbers, failed, stop, sink)
        except OSError as error:  # no room, no permission: then it is in memory
            self.trouble = error.strerror or str(error)
            self._decode(numbers, failed, stop, _Sink(self, None, forever=True))
        return failed

    def _growing(self, count: int) -> Growing:
        room = self.store.room(min(self.budget, count * self.store.width))
        self.budget = min(self.budget, self._used() + room)
        return Growing(self.store.folder, self.store.width)

    def _load(self) -> None:
        """Look at what is stored, as far as the budget goes; what is in memory stays."""
        found, k = self.store.load(self.signs), self.known
        here = k.held
        for mine, theirs in ((k.kind, found.kind), (k.segment, found.segment), (k.row, found.row)):
            mine[~here] = theirs[~here]
        self.known = k._replace(files=found.files)
        kept = ROWS[k.kind] * self.store.width
        k.kind[(kept > 0) & (kept.cumsum() > self.budget)] = LOOSE

    def _used(self) -> int:
        """Return the bytes that are kept."""
        return self.store.width * int(ROWS[self.known.kind].sum())

    def _missing(self, numbers: Sequence[int], failed: dict[int, UnreadableImage]) -> list[int]:
        """Return those that are to be decoded: the unread ones, and such as there is room for now."""
        left, missing = (self.budget - self._used()) // self.store.width, []
        for number, kind in zip(numbers, self.known.kind[np.asarray(numbers, np.int64)].tolist(), strict=True):
            if number not in failed and (kind == UNREAD or (kind == LOOSE and left > 0)):
                missing.append(number)
                left -= 1
        return missing

    def _decode(self, numbers: Sequence[int], failed: dict[int, UnreadableImage], stop: bool, sink: "_Sink") -> None:
        missing = self._missing(numbers, failed)
        with closing(self._squares(missing)) as results:
            shown_results = shown_progress(results, len(missing), "reading")
            for number, result in zip(missing, shown_results, strict=True):
                if isinstance(result, UnreadableImage):
                    if stop:
                        raise result
                    failed[number] = result
                else:
                    sink.take(number, result)
                if sink.full:
                    return

    def _squares(self, numbers: Sequence[int]) -> Generator[Result, None, None]:
        """Yield the squares of images; by other processes once it has taken more than SHORT in all."""
        clock, files = time.monotonic(), [self.files[number] for number in numbers]
        try:
            yield from squares(files, self.how, self.workers, max(0.0, SHORT - self._spent))
        finally:
            self._spent += time.monotonic() - clock

    # -- what is asked of it -----------------------------------------------------------------------------------------

    def read(self, numbers: Index) -> NDArray[np.float32]:
        """Return images (n, channels, side, side) in [0, 1]."""
        k = self.known
        kinds, segments, rows = k.kind[numbers], k.segment[numbers], k.row[numbers]
        out = np.empty((len(numbers), *self.shape), np.float32)
        for segment in np.unique(segments[kinds == PACKED]).tolist():
            at = np.flatnonzero((kinds == PACKED) & (segments == segment))
            pixels = np.empty((len(at), *self.shape), np.uint8)
            self._segment(segment).read(rows[at], pixels)
            out[at] = np.divide(pixels, 255, dtype=np.float32)
        for i in np.flatnonzero(kinds == DEEP).tolist():
            out[i] = self._segment(int(segments[i])).deep(int(rows[i]), self.shape)
        loose = np.flatnonzero((kinds == LOOSE) | (kinds == UNREAD))
        if len(loose):
            self._read_loose(numbers[loose], out, loose)
        return out

    def _segment(self, number: int) -> Memory | Mapped:
        return self.known.files[number - 1] if number else self.memory

    def _read_loose(self, numbers: Index, out: NDArray[np.float32], places: Index) -> None:
        for place, result in zip(places.tolist(), self._squares(numbers.tolist()), strict=True):
            if isinstance(result, UnreadableImage):
                raise result
            out[place] = as_float(result)

    @property
    def loose(self) -> int:
        """How many images are decoded each time."""
        return int((self.known.kind == LOOSE).sum())

    @property
    def said(self) -> str:
        """Where the pixels are, in a sentence; empty if all are in memory and nobody needs to know."""
        k, most, said = self.known, f"at most {budget.in_words(self.budget)}: source.cache", list[str]()
        stored = self.store.width * int(ROWS[k.kind[k.segment > 0]].sum())
        if stored:
            said.append(f"{budget.in_words(stored)} of decoded images are kept in {shown(self.store.folder)} ({most})")
        if self.trouble:
            where = f"cannot be kept in {shown(self.store.folder)} ({self.trouble})"
            said.append(f"decoded images {where}: they are in memory")
        if loose := self.loose:
            who = f"{self.workers} processes" if self.workers else "this process"
            many = f"{loose:,} of {int((k.kind != UNREAD).sum()):,} images"
            said.append(f"{many} are not kept ({most}): {who} (source.workers) will decode them each time")
        return "; ".join(said)


class _Sink:
    """Where decoded squares go: to a file, or, without one, to memory, until it is `full`."""

    def __init__(self, decoded: Decoded, file: Growing | None, *, forever: bool = False) -> None:
        self.decoded, self.file, self.full = decoded, file, False
        self._left = decoded.budget - decoded._used()
        self._until = np.inf if forever or file else time.monotonic() + SLOW
        self._held = np.inf if forever or file else HELD
        self._due = time.monotonic() + COMMIT
        self._fresh = False  # whether more is known than the index says
        if file is not None:
            self._move()

    def take(self, number: int, square: NDArray[np.generic]) -> None:
        """Keep a square, if there is room for it."""
        kind, self._fresh = self.decoded.known.kind, True
        if square.nbytes > self._left:
            kind[number] = LOOSE
        else:
            self._left -= square.nbytes
            self._put(number, square)
        now = time.monotonic()
        if self.file is not None and now > self._due:
            self._commit()
            self._due = time.monotonic() + COMMIT
        self.full = now > self._until or self.decoded.memory.size > self._held

    def _put(self, number: int, square: NDArray[np.generic]) -> None:
        kind, segment, row, files = self.decoded.known
        kind[number] = PACKED if square.dtype == np.uint8 else DEEP
        if self.file is None:
            segment[number], row[number] = 0, self.decoded.memory.add(square)
            return
        segment[number], row[number] = len(files) + 1, self.file.add(number, square)

    def _move(self) -> None:
        """Write what is in memory to the file."""
        known, squares = self.decoded.known, self.decoded.memory.squares
        here = np.flatnonzero(known.held)
        self._fresh = len(here) > 0
        self.decoded.memory = Memory()
        for number, place in zip(here.tolist(), known.row[here].tolist(), strict=True):
            self._put(number, squares[place])

    def _commit(self) -> None:
        assert self.file is not None, "there is a file to write to"
        self.file.safe()
        files, d = self.decoded.known.files, self.decoded
        names = [file.path.name for file in files] + [self.file.path.name] * (self.file.whole > 0)
        d.store.save(d.signs, d.known, names)

    def close(self) -> None:
        """Put down what was written so far, whatever ended the work."""
        if self.file is None:
            return
        try:
            if self._fresh:
                self._commit()
        finally:
            self._rescue(self.file)

    def _rescue(self, file: Growing) -> None:
        """Open what was written, to be read; what the disk would not take is in memory."""
        d, pending, self.file = self.decoded, file.pending, None
        file.close()
        if file.whole:
            d.known.files.append(Mapped(file.path, d.store.width))
        for number, square in pending:
            self._put(number, square)


def signed(listing: Listing) -> tuple[Signs, NDArray[np.int64]]:
    """Return of each image a sign (N, 2), made of its name and the size and time of its file, and its bytes (N,)."""
    marks, sizes, archives = bytearray(), [], dict[str, tuple[int, int]]()
    for entry, name in zip(listing.entries, listing.names, strict=True):
        file = entry.file
        if isinstance(file, str):
            size, changed = _status(file)
            when = f"{changed}"
        else:
            if file.archive not in archives:
                archives[file.archive] = _status(file.archive)
            size, when = file.size or archives[file.archive][0], f"{archives[file.archive]} {file.offset}"
        mark = f"{name}\0{size}\0{when}".encode("utf-8", "surrogateescape")
        marks += hashlib.blake2b(mark, digest_size=16).digest()
        sizes.append(size)
    return np.frombuffer(bytes(marks), np.uint64).reshape(-1, 2), np.array(sizes, np.int64)


def _status(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # what is wrong is said when it is read
        return -1, 0
    return status.st_size, status.st_mtime_ns
