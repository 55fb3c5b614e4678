"""Batches of context, target and geometry, prepared ahead, the same whoever prepares them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.masks import Box, Regions, RegionSampler, geometry
from jepa.transforms import Transform, as_transform, crop_resize

__all__ = ["Batch", "Drawn", "Images", "Loader"]

CHUNK = 32  # images that go through the changes together: few enough to stay in the processor's cache
Array = NDArray[np.float32]
Progress = float | Callable[[int], float]


class Images(Protocol):
    """What a Loader reads; an `ImageFolder`, or anything with the same three attributes."""

    paths: list[Path]
    boxes: list[tuple[int, int, int, int]]

    def __len__(self) -> int: ...

    def images(self, indices: Sequence[int], /) -> Array:
        """Return float32 (n, C, H, W) in [0, 1], an array of the caller's own."""
        ...


class Batch(NamedTuple):
    """B images, each with T targets."""

    context: Array
    """(B, C, S, S), normalised."""
    target: Array
    """(B, T, C, S_t, S_t), normalised."""
    geometry: Array
    """(B, T, 4): where each target lies, seen from the context (`jepa.masks.geometry`)."""
    indices: NDArray[np.int64]
    """(B,): which images of the dataset."""
    valid: NDArray[np.bool_] | None
    """(B, S, S): which pixels of the context are image and not padding; None if the dataset is not padded."""


class Drawn(NamedTuple):
    """A batch, and where it comes from, for pictures of it."""

    batch: Batch
    images: Array
    """(B, C, H, W) in [0, 1]: the source images, mirrored if they were."""
    regions: list[Regions]
    """B of them, in pixels of `images`."""


class Loader:
    """Batches of context, target and geometry, for a JEPA step.

    Each image is mirrored; context and targets are cut out of it, resized, and change colour, each on its own; then all
    are normalised.

    Everything random about image i in epoch e comes from `np.random.default_rng([seed, e, i])`, and the order of the
    epoch from (seed, e). So a batch does not depend on the number of threads, on how far they are ahead, on the
    other images in it, or on where the epoch was entered.

    Parameters
    ----------
    dataset : ImageFolder
        Or any `Images`.
    regions : RegionSampler
        Draws the context and the targets of an image: `jepa.masks.RandomCrops` or `BlockMasks`. The first cuts inside
        a padded image; with the second, the context is the whole square and the targets are hidden in it.
    flips : transform, optional
        For the whole image, before anything is cut out of it; must keep its shape.
    transform : transform, optional
        For the context and for each target, drawn anew: colours.
    normalize : transform, optional
        For all of them, at the end.
    context_size, target_size : int, optional
        Sides of context and target in pixels; by default the image's.
    batch_size, seed : int
        Images in a batch; seed of everything random.
    drop_last : bool
        Leave out the rest of an epoch that does not fill a batch.
    prefetch : int
        Batches prepared ahead by other threads; 0: none, each is made when it is asked for.
    threads : int
        How many threads do that; no more than `prefetch` are of use, and for images of some dozen pixels more than one
        are slower than one: they wait for each other.

    Examples
    --------
    >>> import tempfile
    >>> from jepa.data import shapes
    >>> from jepa.data.folder import ImageFolder
    >>> from jepa.masks import RandomCrops
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = ImageFolder(shapes.write(folder + "/shapes", count=50))
    >>> loader = Loader(images, regions=RandomCrops(targets=2), batch_size=16, seed=0)
    >>> len(loader), [x.shape for x in next(loader.batches(epoch=0))[:3]]
    (3, [(16, 3, 32, 32), (16, 2, 3, 32, 32), (16, 2, 4)])
    """

    def __init__(
        self,
        dataset: Images,
        *,
        regions: RegionSampler,
        flips: Transform | None = None,
        transform: Transform | None = None,
        normalize: Transform | None = None,
        context_size: int | None = None,
        target_size: int | None = None,
        batch_size: int,
        seed: int,
        drop_last: bool = True,
        prefetch: int = 2,
        threads: int = 1,
    ) -> None:
        if min(batch_size, threads) < 1 or prefetch < 0:
            given = f"batch_size={batch_size}, threads={threads}, prefetch={prefetch}"
            raise DataError(f"Loader: {given}: the first two must be at least 1, the last at least 0")
        if drop_last and batch_size > len(dataset):
            raise DataError(
                f"{len(dataset)} images do not fill one batch of {batch_size}: set train.batch_size to at most "
                f"{len(dataset)}, or add images"
            )
        self.dataset, self.regions = dataset, regions
        self.flips, self.transform, self.normalize = (as_transform(t) for t in (flips, transform, normalize))
        self.context_size, self.target_size = context_size, target_size
        self.batch_size, self.seed, self.drop_last = batch_size, seed, drop_last
        self.prefetch, self.threads = prefetch, threads

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (N,) in which an epoch goes through the dataset."""
        count = len(self.dataset)  # as an index, it belongs to no image: no stream of numbers is used twice
        return np.random.default_rng([self.seed, epoch, count]).permutation(count)

    def batches(self, epoch: int, *, start: int = 0, progress: Progress = 0.0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on.

        `progress`, a number in [0, 1] or a function of the batch's number in the epoch, says where the regions'
        curriculum stands. To leave early, drop or close the iterator: it waits for the batch in the making and ends
        its threads. An error in making a batch is raised here, when that batch is asked for.
        """
        if not 0 <= start <= len(self):
            raise DataError(f"start={start} is no batch of an epoch of {len(self)} batches")
        order = self.order(epoch)

        def work(number: int) -> tuple[NDArray[np.int64], int, RegionSampler]:
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            return chosen, epoch, self.regions.at(progress(number) if callable(progress) else progress)

        if self.prefetch == 0:
            for number in range(start, len(self)):
                yield self._batch(*work(number))
            return
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(min(self.threads, self.prefetch), thread_name_prefix="jepa-loader")
        try:
            for number in range(start, len(self) + self.prefetch):
                if number < len(self):
                    waiting.append(pool.submit(self._batch, *work(number)))
                if number >= start + self.prefetch:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def draw(self, indices: Sequence[int] | NDArray[np.int64], *, epoch: int = 0, progress: float = 0.0) -> Drawn:
        """Return these images as a batch of an epoch has them, with their regions and the source images."""
        return self._make(np.asarray(indices, dtype=np.int64), epoch, self.regions.at(progress))

    def _batch(self, indices: NDArray[np.int64], epoch: int, sampler: RegionSampler) -> Batch:
        """Make a batch in chunks; if that fails, find the image that it fails on and name its file."""
        try:
            parts = [self._make(indices[k : k + CHUNK], epoch, sampler).batch for k in range(0, len(indices), CHUNK)]
        except Exception:
            for index in indices:
                try:
                    self._make(indices[indices == index], epoch, sampler)
                except Exception as error:
                    path = self.dataset.paths[index]
                    cause = f"{error}" if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
                    raise DataError(f"cannot prepare the image {path} (epoch {epoch}): {cause}") from error
            raise
        context, target, places, _, valid = zip(*parts, strict=True)
        mask = None if valid[0] is None else np.concatenate(valid)
        return Batch(np.concatenate(context), np.concatenate(target), np.concatenate(places), indices, mask)

    def _make(self, indices: NDArray[np.int64], epoch: int, sampler: RegionSampler) -> Drawn:
        """Make a batch at once: first all that is random, image by image, then all pixels together."""
        chosen: list[int] = indices.tolist()
        generators = [np.random.default_rng([self.seed, epoch, i]) for i in chosen]
        areas = [Box(*self.dataset.boxes[i]) for i in chosen]
        flips = [self.flips.draw(g) for g in generators]
        drawn = [sampler.sample(area.height, area.width, g) for area, g in zip(areas, generators, strict=True)]
        context_colours = [self.transform.draw(g) for g in generators]
        target_colours = [self.transform.draw(g) for g, r in zip(generators, drawn, strict=True) for _ in r.targets]

        images = self.dataset.images(chosen)  # (n, C, H, W)
        n, c, h, w = images.shape
        whole = Box(0, 0, h, w)
        images = self._flipped(images, flips, areas, whole)
        regions = [_on_square(r, area, whole) for r, area in zip(drawn, areas, strict=True)]
        size, target_size = self.context_size or h, self.target_size or h

        places = [[r.targets[t] for r in regions] for t in range(len(regions[0].targets))]  # T lists of n
        target = np.stack([crop_resize(images, boxes, target_size) for boxes in places], axis=1)  # (n, T, C, S_t, S_t)
        source = _hidden(images, regions, 1.0)
        context = crop_resize(source, [r.context for r in regions], size)  # (n, C, S, S)
        context = self.transform.apply(context, context_colours)
        context = _hidden(context, regions, size / h)  # again: the change of colour has changed the fill too
        flat = self.transform.apply(target.reshape(-1, c, target_size, target_size), target_colours)
        nothing = [None] * len(flat)
        batch = Batch(
            self.normalize.apply(context, nothing[:n]),
            self.normalize.apply(flat, nothing).reshape(target.shape),
            geometry(np.array([r.context for r in regions]), np.array([r.targets for r in regions])),  # (n, T, 4)
            indices,
            self._valid(regions, areas, whole, size),
        )
        return Drawn(batch, images, regions)

    def _flipped(self, images: Array, flips: list[Any], areas: list[Box], whole: Box) -> Array:
        """Mirror the images (n, C, H, W), each inside its padding."""
        if all(area == whole for area in areas):
            flipped = self.flips.apply(images, flips)
            if flipped.shape != images.shape:
                raise DataError(
                    f"{self.flips!r} must keep the image's shape; it made {flipped.shape} of {images.shape}"
                )
            return flipped
        for image, flip, (top, left, h, w) in zip(images, flips, areas, strict=True):
            part = image[:, top : top + h, left : left + w]
            part[:] = self.flips.apply(part[None].copy(), [flip])[0]
        return images

    def _valid(self, regions: list[Regions], areas: list[Box], whole: Box, size: int) -> NDArray[np.bool_] | None:
        """Return which pixels of the contexts (n, S, S) show image, or None if the dataset has no padding."""
        if getattr(self.dataset, "sizes", "resize") != "pad":
            return None
        valid = np.ones((len(regions), size, size), dtype=bool)
        for mask, region, area in zip(valid, regions, areas, strict=True):
            if region.hidden and area != whole:  # else the context was cut inside the padding
                mask[:] = False
                mask[_span(area, size / whole.height)] = True
        return valid


def _on_square(regions: Regions, area: Box, whole: Box) -> Regions:
    """Move regions of the image to where it lies in its square; a context with hidden targets is the whole square."""
    if area == whole:
        return regions
    context = whole if regions.hidden else regions.context.moved(area.top, area.left)
    return regions._replace(context=context, targets=[t.moved(area.top, area.left) for t in regions.targets])


def _hidden(images: Array, regions: list[Regions], scale: float) -> Array:
    """Return images (n, C, H, W), `scale` times as large as the regions think, with the hidden targets filled."""
    if not any(r.hidden for r in regions):
        return images
    images = images.copy()
    for image, r in zip(images, regions, strict=True):
        for target in r.targets if r.hidden else ():
            image[(slice(None), *_span(target, scale))] = r.fill
    return images


def _span(box: Box, scale: float) -> tuple[slice, slice]:
    """Return the rows and columns of an image scaled by `scale` that a box touches."""
    top, left = int(box.top * scale), int(box.left * scale)
    bottom, right = -int(-(box.top + box.height) * scale // 1), -int(-(box.left + box.width) * scale // 1)
    return slice(top, bottom), slice(left, right)
