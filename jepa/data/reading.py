"""Many files as small squares in one array: read by several threads, the same whatever their number."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.data.decode import UnreadableImage
from jepa.data.square import Square, square
from jepa.errors import DataError
from jepa.progress import shown_progress

__all__ = ["How", "Squares", "as_float", "in_threads", "read_squares"]

CHUNK = 16  # files that a thread takes at once
T = TypeVar("T")
Place = tuple[int, int, int, int]  # top, left, height, width
SMALL = 1 << 15  # bytes of a file that is read sooner than a thread wakes


class How(NamedTuple):
    """What a file is made into: see `jepa.data.square`."""

    side: int
    pad: bool
    channels: int
    ground: tuple[float, ...]


class Squares(NamedTuple):
    """What was made of files: of those that could be read, in their order."""

    pixels: NDArray[Any]
    """(N, C, S, S): uint8, or float32 in [0, 1] if any file has 16 bits."""
    boxes: list[Place]
    """N of them: where the image lies in its square."""
    failed: dict[int, UnreadableImage]
    """The others, by their number among all."""


def read_squares(paths: Sequence[Path], how: How, *, stop: bool = False) -> Squares:
    """Read files; `stop`: raise the first UnreadableImage in their order. How far it is, is told after two seconds."""
    pixels: NDArray[Any] = blank(len(paths), how)
    boxes: list[Place] = []
    failed: dict[int, UnreadableImage] = {}

    def made(path: Path) -> Square | UnreadableImage:
        try:
            return square(path, how.side, pad=how.pad, channels=how.channels, ground=how.ground)
        except UnreadableImage as error:
            return error

    with closing(in_threads(made, paths)) as results:
        for i, result in enumerate(shown_progress(results, len(paths), "reading")):
            if isinstance(result, UnreadableImage):
                if stop:
                    raise result
                failed[i] = result
                continue
            if result.pixels.dtype != np.uint8:
                pixels = as_float(pixels)
            pixels[len(boxes)] = result.pixels if pixels.dtype == np.uint8 else as_float(result.pixels)
            boxes.append(result.box)
    return Squares(pixels[: len(boxes)], boxes, failed)


def as_float(x: NDArray[Any]) -> NDArray[Any]:
    """Return bytes as float32 in [0, 1], and what is so already as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def blank(count: int, how: How) -> NDArray[np.uint8]:
    """Return room for so many squares."""
    try:
        return np.empty((count, how.channels, how.side, how.side), dtype=np.uint8)
    except MemoryError as error:
        size = count * how.channels * how.side**2 / 1e9
        raise DataError(
            f"{count:,} images of {how.side} x {how.side} pixels take {size:.1f} GB of memory, more than there is: set "
            "data.limit, or a smaller model.image_size"
        ) from error


def in_threads(work: Callable[[Path], T], paths: Sequence[Path]) -> Generator[T, None, None]:
    """Yield work(path) of each path in their order, made by as many threads as compute (`mt.set_num_threads`).

    Small files are read by one: they are read sooner than another thread wakes. Pillow's warnings are not shown.
    """
    threads = min(mt.get_num_threads(), -(-len(paths) // CHUNK))
    chunks = [paths[k : k + CHUNK] for k in range(0, len(paths), CHUNK)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if threads < 2 or _typical_size(paths) < SMALL:
            for path in paths:
                yield work(path)
            return
        waiting: deque[Future[list[T]]] = deque()
        pool = ThreadPoolExecutor(threads, thread_name_prefix="jepa-reading")
        try:
            for number in range(len(chunks) + 2 * threads):
                if number < len(chunks):
                    waiting.append(pool.submit(lambda chunk: [work(path) for path in chunk], chunks[number]))
                if number >= 2 * threads and waiting:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _typical_size(paths: Sequence[Path]) -> float:
    """Return the mean size of some of the files, in bytes."""

    def size(path: Path) -> int:
        try:
            return os.stat(path).st_size
        except OSError:
            return 0

    some = paths[:: max(1, len(paths) // 100)]
    return sum(map(size, some)) / max(1, len(some))
