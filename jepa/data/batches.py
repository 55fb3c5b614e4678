"""Batches of a dataset, prepared ahead, the same whoever prepares them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.masks import Box
from jepa.transforms import Transform

__all__ = ["CHUNK", "Array", "Batches", "Images", "Sampler", "flipped"]

CHUNK = 32  # images that go through the changes together: few enough to stay in the processor's cache
Array = NDArray[np.float32]
Progress = float | Callable[[int], float]


class Images(Protocol):
    """What batches are made of; an `ImageFolder`, or anything with the same three attributes."""

    paths: list[Path]
    boxes: list[tuple[int, int, int, int]]

    def __len__(self) -> int: ...

    def images(self, indices: Sequence[int], /) -> Array:
        """Return float32 (n, C, H, W) in [0, 1], an array of the caller's own."""
        ...


class Sampler(Protocol):
    """What draws regions or masks; its settings may move in the course of training."""

    def at(self, progress: float) -> Self:
        """Return the sampler as it is at a progress of 0 to 1."""
        ...

    def values(self, progress: float) -> dict[str, float]:
        """Return the moving settings at a progress, by name."""
        ...


B = TypeVar("B")
S = TypeVar("S", bound=Sampler)


class Batches(ABC, Generic[B, S]):
    """Epochs of batches over a dataset; a subclass says what a batch is.

    The order of an epoch comes from (seed, epoch), and all that is random about image i in epoch e from
    `np.random.default_rng([seed, e, i])`. So a batch does not depend on the number of threads, on how far they are
    ahead, or on where the epoch was entered.
    """

    def __init__(
        self, dataset: Images, sampler: S, *, batch_size: int, seed: int, drop_last: bool, prefetch: int, threads: int
    ) -> None:
        if min(batch_size, threads) < 1 or prefetch < 0:
            given = f"batch_size={batch_size}, threads={threads}, prefetch={prefetch}"
            raise DataError(f"{type(self).__name__}: {given}: the first two are at least 1, the last at least 0")
        if drop_last and batch_size > len(dataset):
            raise DataError(
                f"{len(dataset)} images do not fill one batch of {batch_size}: set train.batch_size to at most "
                f"{len(dataset)}, or add images"
            )
        self.dataset, self.sampler = dataset, sampler
        self.batch_size, self.seed, self.drop_last = batch_size, seed, drop_last
        self.prefetch, self.threads = prefetch, threads

    @abstractmethod
    def make(self, indices: NDArray[np.int64], epoch: int, number: int, sampler: S) -> B:
        """Return the batch of these images: batch `number` of an epoch."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (N,) in which an epoch goes through the dataset."""
        count = len(self.dataset)  # as an index, it belongs to no image: no stream of numbers is used twice
        return np.random.default_rng([self.seed, epoch, count]).permutation(count)

    def generators(self, indices: Sequence[int], epoch: int) -> list[np.random.Generator]:
        """Return what each of these images draws from in an epoch."""
        return [np.random.default_rng([self.seed, epoch, i]) for i in indices]

    def batches(self, epoch: int, *, start: int = 0, progress: Progress = 0.0) -> Iterator[B]:
        """Yield the batches of an epoch from number `start` on.

        `progress`, a number in [0, 1] or a function of the batch's number in the epoch, says where the sampler's
        curriculum stands. To leave early, drop or close the iterator: it waits for the batch in the making and ends
        its threads. An error in making a batch is raised here, when that batch is asked for.
        """
        if not 0 <= start <= len(self):
            raise DataError(f"start={start} is no batch of an epoch of {len(self)} batches")
        order = self.order(epoch)

        def work(number: int) -> tuple[NDArray[np.int64], int, int, S]:
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            return chosen, epoch, number, self.sampler.at(progress(number) if callable(progress) else progress)

        if self.prefetch == 0:
            for number in range(start, len(self)):
                yield self._made(*work(number))
            return
        waiting: deque[Future[B]] = deque()
        pool = ThreadPoolExecutor(min(self.threads, self.prefetch), thread_name_prefix="jepa-loader")
        try:
            for number in range(start, len(self) + self.prefetch):
                if number < len(self):
                    waiting.append(pool.submit(self._made, *work(number)))
                if number >= start + self.prefetch:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _made(self, indices: NDArray[np.int64], epoch: int, number: int, sampler: S) -> B:
        """Make a batch; if that fails, find the image that it fails on and name its file."""
        try:
            return self.make(indices, epoch, number, sampler)
        except Exception:
            for index in indices:
                try:
                    self.make(indices[indices == index], epoch, number, sampler)
                except Exception as error:
                    path = self.dataset.paths[index]
                    cause = f"{error}" if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
                    raise DataError(f"cannot prepare the image {path} (epoch {epoch}): {cause}") from error
            raise


def flipped(images: Array, transform: Transform, draws: list[Any], areas: list[Box], whole: Box) -> Array:
    """Return the images (n, C, H, W) mirrored, each inside its padding."""
    if all(area == whole for area in areas):
        result = transform.apply(images, draws)
        if result.shape != images.shape:
            raise DataError(f"{transform!r} must keep the image's shape; it made {result.shape} of {images.shape}")
        return result
    for image, draw, (top, left, h, w) in zip(images, draws, areas, strict=True):
        part = image[:, top : top + h, left : left + w]
        part[:] = transform.apply(part[None].copy(), [draw])[0]
    return images
