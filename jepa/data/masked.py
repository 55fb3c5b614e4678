"""Batches of whole images and masks over their patches, for methods that predict masked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.data.batches import CHUNK, Array, Batches, Images, flipped
from jepa.masks import Box, Masks
from jepa.masks.box import Range, box_place, box_size
from jepa.transforms import Transform, crop_resize

as_transform = MaskSampler = Any  # this file goes

__all__ = ["MaskedBatch", "MaskedLoader"]

ASPECT = (3 / 4, 4 / 3)  # width / height of a crop


class MaskedBatch(NamedTuple):
    """B images, and which of their patches are contexts and targets."""

    images: Array
    """(B, C, S, S), normalised: what the context encoder sees."""
    target_images: Array
    """(B, C, S, S), normalised: what the target encoder sees, the same parts of the images in colours of their own."""
    masks: Masks
    """Indices of patches, for each context and each target."""
    indices: NDArray[np.int64]
    """(B,): which images of the dataset."""


class MaskedLoader(Batches[MaskedBatch, MaskSampler]):
    """Batches of images and masks, for a masked JEPA step.

    Each image is mirrored, and a part of it is cut out and resized. This changes colour twice, each on its own, for the
    context encoder and for the target encoder (I-JEPA changes none: without a transform both are the same); then it is
    normalised. The masks of a batch are drawn together, since masks of one size belong to a batch, from
    `np.random.default_rng([seed, epoch, N, number])`, N the size of the dataset and `number` the batch's in the epoch.

    Parameters
    ----------
    dataset : ImageFolder
        Or any `Images`.
    masks : MaskSampler
        Draws contexts and targets on a grid of patches: `jepa.masks.MultiBlockMasks` or `RandomMasks`.
    grid : (rows, columns)
        Patches of an image.
    crop : (smallest, largest)
        Area of the part that is cut out, as a share of the image; (1, 1): the whole image.
    flips, transform, normalize : transform, optional
        For the whole image; for the part; for the part at the end.
    size : int, optional
        Side of the images that come out, in pixels; by default the dataset's.
    batch_size, seed, drop_last, prefetch, threads
        As in `jepa.data.loader.Loader`.

    Examples
    --------
    >>> import tempfile
    >>> from jepa.data import shapes
    >>> from jepa.data.folder import ImageFolder
    >>> from jepa.masks import MultiBlockMasks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = ImageFolder(shapes.write(folder + "/shapes", count=50))
    >>> loader = MaskedLoader(images, masks=MultiBlockMasks(targets=2), grid=(8, 8), batch_size=16, seed=0)
    >>> batch = next(loader.batches(epoch=0))
    >>> batch.images.shape, len(batch.masks.context), len(batch.masks.target)
    ((16, 3, 32, 32), 1, 2)
    """

    def __init__(
        self,
        dataset: Images,
        *,
        masks: MaskSampler,
        grid: tuple[int, int],
        crop: Range = (1.0, 1.0),
        flips: Transform | None = None,
        transform: Transform | None = None,
        normalize: Transform | None = None,
        size: int | None = None,
        batch_size: int,
        seed: int,
        drop_last: bool = True,
        prefetch: int = 2,
        threads: int = 1,
    ) -> None:
        super().__init__(
            dataset, masks, batch_size=batch_size, seed=seed, drop_last=drop_last, prefetch=prefetch, threads=threads
        )
        self.grid, self.crop, self.size = grid, crop, size
        self.flips, self.transform, self.normalize = (as_transform(t) for t in (flips, transform, normalize))

    def make(self, indices: NDArray[np.int64], epoch: int, number: int, sampler: MaskSampler) -> MaskedBatch:
        """Return the batch of these images."""
        parts = [self._images(indices[k : k + CHUNK], epoch) for k in range(0, len(indices), CHUNK)]
        seen, true = (
            self.normalize.apply(np.concatenate(side), [None] * len(indices)) for side in zip(*parts, strict=True)
        )
        generator = np.random.default_rng([self.seed, epoch, len(self.dataset), number])
        masks = sampler.sample(self.grid, len(indices), generator)
        return MaskedBatch(seen, true, masks, indices)

    def draw(
        self, indices: Sequence[int] | NDArray[np.int64], *, epoch: int = 0, progress: float = 0.0
    ) -> tuple[MaskedBatch, Array]:
        """Return these images as a batch of an epoch has them, and as they are before normalisation, in [0, 1]."""
        chosen = np.asarray(indices, dtype=np.int64)
        return self.make(chosen, epoch, 0, self.sampler.at(progress)), self._images(chosen, epoch)[0]

    def _images(self, indices: NDArray[np.int64], epoch: int) -> tuple[Array, Array]:
        """Return images (n, C, S, S) twice: first all that is random, image by image, then all pixels together."""
        chosen: list[int] = indices.tolist()
        generators = self.generators(chosen, epoch)
        areas = [Box(*self.dataset.boxes[i]) for i in chosen]
        flips = [self.flips.draw(g) for g in generators]
        places = [g.random(4).tolist() for g in generators]
        colours = [[self.transform.draw(g) for g in generators] for _ in range(2)]

        images = self.dataset.images(chosen)  # (n, C, H, W)
        whole = Box(0, 0, *images.shape[2:])
        images = flipped(images, self.flips, flips, areas, whole)
        size = self.size or whole.height
        if self.crop[0] < 1 or (size, size) != images.shape[2:]:
            crops = [self._crop(area, *place) for area, place in zip(areas, places, strict=True)]
            images = crop_resize(images, crops if self.crop[0] < 1 else [whole] * len(crops), size)  # (n, C, S, S)
        seen, true = (self.transform.apply(images.copy(), draws) for draws in colours)
        return seen, true

    def _crop(self, area: Box, a: float, b: float, c: float, d: float) -> Box:
        """Return the part of an image, inside its padding, that four uniform numbers stand for."""
        size = box_size(area.height, area.width, a, b, scale=self.crop, aspect=ASPECT)
        return box_place(area.height, area.width, c, d, size).moved(area.top, area.left)
