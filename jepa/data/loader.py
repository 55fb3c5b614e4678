"""Batches of context, target and geometry: crops of images, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.data.batches import CHUNK, Array, Batches, Images, flipped
from jepa.masks import Box, Regions, geometry
from jepa.transforms import Transform, crop_resize

as_transform = RegionSampler = Any  # this file goes

__all__ = ["Batch", "Drawn", "Loader"]


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


class Drawn(NamedTuple):
    """A batch, and where it comes from, for pictures of it."""

    batch: Batch
    images: Array
    """(B, C, H, W) in [0, 1]: the source images, mirrored if they were."""
    regions: list[Regions]
    """B of them, in pixels of `images`."""


class Loader(Batches[Batch, RegionSampler]):
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
        super().__init__(
            dataset,
            regions,
            batch_size=batch_size,
            seed=seed,
            drop_last=drop_last,
            prefetch=prefetch,
            threads=threads,
        )
        self.flips, self.transform, self.normalize = (as_transform(t) for t in (flips, transform, normalize))
        self.context_size, self.target_size = context_size, target_size

    def draw(self, indices: Sequence[int] | NDArray[np.int64], *, epoch: int = 0, progress: float = 0.0) -> Drawn:
        """Return these images as a batch of an epoch has them, with their regions and the source images."""
        return self._make(np.asarray(indices, dtype=np.int64), epoch, self.sampler.at(progress))

    def make(self, indices: NDArray[np.int64], epoch: int, number: int, sampler: RegionSampler) -> Batch:
        """Return the batch of these images, made in chunks."""
        parts = [self._make(indices[k : k + CHUNK], epoch, sampler).batch for k in range(0, len(indices), CHUNK)]
        context, target, places, _ = zip(*parts, strict=True)
        return Batch(np.concatenate(context), np.concatenate(target), np.concatenate(places), indices)

    def _make(self, indices: NDArray[np.int64], epoch: int, sampler: RegionSampler) -> Drawn:
        """Make a batch at once: first all that is random, image by image, then all pixels together."""
        chosen: list[int] = indices.tolist()
        generators = self.generators(chosen, epoch)
        areas = [Box(*self.dataset.boxes[i]) for i in chosen]
        flips = [self.flips.draw(g) for g in generators]
        drawn = [sampler.sample(area.height, area.width, g) for area, g in zip(areas, generators, strict=True)]
        context_colours = [self.transform.draw(g) for g in generators]
        target_colours = [self.transform.draw(g) for g, r in zip(generators, drawn, strict=True) for _ in r.targets]

        images = self.dataset.images(chosen)  # (n, C, H, W)
        n, c, h, w = images.shape
        whole = Box(0, 0, h, w)
        images = flipped(images, self.flips, flips, areas, whole)
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
        )
        return Drawn(batch, images, regions)


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
