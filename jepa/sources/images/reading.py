"""Many files as small squares in one array: read by several threads, the same whatever their number."""

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
from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.square import Fit, square

CHUNK = 16  # files that a thread takes at once
SMALL = 1 << 15  # bytes of a file that is read sooner than a thread wakes
T = TypeVar("T")


class How(NamedTuple):
    """What a file is made into: see `jepa.sources.images.square`."""

    side: int
    fit: Fit
    channels: int


class Squares(NamedTuple):
    """What was made of files: of those that could be read, in their order."""

    pixels: NDArray[Any]
    """(N, C, S, S): uint8, or float32 in [0, 1] if any file has 16 bits"""
    failed: dict[int, UnreadableImage]
    """the others, by their number among all"""


def read_squares(paths: Sequence[Path], how: How, *, stop: bool = False) -> Squares:
    """Read files; `stop`: raise the first UnreadableImage in their order. How far it is, is told after two seconds."""
    pixels: NDArray[Any] = _blank(len(paths), how)
    failed: dict[int, UnreadableImage] = {}
    count = 0

    def made(path: Path) -> NDArray[Any] | UnreadableImage:
        try:
            return square(path, how.side, fit=how.fit, channels=how.channels)
        except UnreadableImage as error:
            return error

    with closing(in_threads(made, paths)) as results:
        for i, result in enumerate(shown_progress(results, len(paths), "reading")):
            if isinstance(result, UnreadableImage):
                if stop:
                    raise result
                failed[i] = result
                continue
            if result.dtype != np.uint8:
                pixels = as_float(pixels)
            pixels[count] = result if pixels.dtype == np.uint8 else as_float(result)
            count += 1
    return Squares(pixels[:count], failed)


def as_float(x: NDArray[Any]) -> NDArray[Any]:
    """Return bytes as float32 in [0, 1], and what is so already as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def _blank(count: int, how: How) -> NDArray[np.uint8]:
    """Return room for so many squares."""
    try:
        return np.empty((count, how.channels, how.side, how.side), dtype=np.uint8)
    except MemoryError as error:
        size = count * how.channels * how.side**2 / 1e9
        raise DataError(
            f"{count:,} images of {how.side} x {how.side} pixels take {size:.1f} GB of memory, more than there is: set "
            "source.limit, or a smaller source.size"
        ) from error


def in_threads(work: Callable[[Path], T], paths: Sequence[Path]) -> Generator[T, None, None]:
    """Yield work(path) of each path in their order, made by as many threads as compute (`mt.set_num_threads`).

    Small files are read by one: they are read sooner than another thread wakes. Pillow's warnings are not shown.
    """
    chunks = [paths[k : k + CHUNK] for k in range(0, len(paths), CHUNK)]
    threads = min(mt.get_num_threads(), len(chunks))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if threads < 2 or _typical_size(paths) < SMALL:
            yield from map(work, paths)
            return
        waiting: deque[Future[list[T]]] = deque()
        pool = ThreadPoolExecutor(threads, thread_name_prefix="jepa-reading")
        try:
            for chunk in chunks:
                waiting.append(pool.submit(lambda chunk: [work(path) for path in chunk], chunk))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _typical_size(paths: Sequence[Path]) -> float:
    """Return the mean size of some of the files, in bytes."""
    sizes = [0]
    for path in paths[:: max(1, len(paths) // 100)]:
        try:
            sizes.append(os.stat(path).st_size)
        except OSError:
            continue
    return sum(sizes) / max(1, len(sizes) - 1)
