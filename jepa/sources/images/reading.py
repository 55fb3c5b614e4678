"""Many files, one after the other, read by several threads or processes: the same whatever their number."""

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.sources.images.members import File
from jepa.sources.images.square import How
from jepa.sources.images.workers import Result, made, pool

CHUNK = 16  # files that a thread takes at once
SMALL = 1 << 15  # bytes of a file that is read sooner than a thread wakes
SHORT = 0.5  # seconds of decoding for which no process is started
P = TypeVar("P", bound=Any)
T = TypeVar("T")


def squares(files: Sequence[File], how: How, workers: int, short: float = SHORT) -> Generator[Result, None, None]:
    """Yield the square of each file, or what is wrong with it, in their order.

    What takes longer than `short` seconds is decoded by `workers` other processes; 0: by the threads of this one.
    """
    done = 0
    if workers:
        clock = time.monotonic()
        while done < len(files) and time.monotonic() - clock < short:
            yield from in_threads(lambda file: made(file, how), files[done : done + CHUNK])
            done += CHUNK
        if done < len(files):
            yield from pool(workers).made(files[done:], how)
        return
    yield from in_threads(lambda file: made(file, how), files)


def as_float(x: NDArray[Any]) -> NDArray[Any]:
    """Return bytes as float32 in [0, 1], and what is so already as it is."""
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def in_threads(work: Callable[[P], T], files: Sequence[P]) -> Generator[T, None, None]:
    """Yield work(file) of each file in their order, made by as many threads as compute (`mt.set_num_threads`).

    Small files are read by one: they are read sooner than another thread wakes. Pillow's warnings are not shown.
    """
    chunks = [files[k : k + CHUNK] for k in range(0, len(files), CHUNK)]
    threads = min(mt.get_num_threads(), len(chunks))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if threads < 2 or _typical_size(files) < SMALL:
            yield from map(work, files)
            return
        waiting: deque[Future[list[T]]] = deque()
        readers = ThreadPoolExecutor(threads, thread_name_prefix="jepa-reading")
        try:
            for chunk in chunks:
                waiting.append(readers.submit(lambda chunk: [work(file) for file in chunk], chunk))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)


def _typical_size(files: Sequence[Any]) -> float:
    """Return the mean size of some of the files, in bytes."""
    sizes = []
    for file in files[:: max(1, len(files) // 100)]:
        with suppress(OSError):
            sizes.append(os.stat(file).st_size if isinstance(file, str | os.PathLike) else file.size)
    return sum(sizes) / max(1, len(sizes))
