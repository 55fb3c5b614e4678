"""Context and targets as random crops of the image, with a smallest and a largest overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jepa.errors import ConfigError
from jepa.masks.box import Box, Range, box_place, box_size
from jepa.masks.regions import Regions, RegionSampler

__all__ = ["RandomCrops"]

TRIES = 30  # draws of the whole set of regions, if some target cannot overlap its context as asked
SMALLEST = 1e-4  # of an area, as a share of the image


@dataclass(frozen=True, kw_only=True)
class RandomCrops(RegionSampler):
    """A context crop, and target crops that overlap it by no less and no more than asked.

    The context and the sizes of the targets are drawn first. A target then gets a place that is uniform among all
    places where the share of its area inside the context lies in `overlap`. If some target has no such place, all is
    drawn again, up to 30 times, which favours small regions where the asked overlap is rarely possible; then the draw
    that comes closest is taken, each of its targets as close as it can be.

    Attributes
    ----------
    context_scale, target_scale : (smallest, largest)
        Area of the context and of a target, as a share of the image, uniform in between.
    aspect : (smallest, largest)
        width / height of a crop, log-uniform in between; gives way where it does not fit (see `box_size`).
    targets : int
        Number of targets.
    overlap : (smallest, largest)
        Share of a target's area that lies inside the context.
    context_scale_end, target_scale_end, overlap_end : (smallest, largest), optional
        The same at the end of training, reached linearly; None: constant.

    Examples
    --------
    >>> sampler = RandomCrops(context_scale=(0.5, 0.5), target_scale=(0.2, 0.2), overlap=(0, 1), overlap_end=(0, 0.5))
    >>> sampler.values(0.5)
    {'overlap_min': 0.0, 'overlap_max': 0.75}
    >>> regions = sampler.at(1.0).sample(32, 32, np.random.default_rng(0))
    >>> regions.targets[0].overlap(regions.context) <= 0.5 * regions.targets[0].area
    True
    """

    context_scale: Range = (0.3, 1.0)
    target_scale: Range = (0.3, 1.0)
    aspect: Range = (3 / 4, 4 / 3)
    targets: int = 1
    overlap: Range = (0.0, 1.0)
    context_scale_end: Range | None = None
    target_scale_end: Range | None = None
    overlap_end: Range | None = None

    def __post_init__(self) -> None:
        self._check("context_scale", "target_scale", "context_scale_end", "target_scale_end", low=SMALLEST, high=1)
        self._check("aspect", low=1e-3, high=np.inf)
        for name in ("overlap", "overlap_end"):  # (0, 0), no overlap at all, is a wish like any other
            value = getattr(self, name)
            if value is not None and not (len(value) == 2 and 0 <= value[0] <= value[1] <= 1):
                raise ConfigError(f"RandomCrops: {name}={value} must be (smallest, largest) shares, 0 to 1")
        if self.targets < 1:
            raise ConfigError(f"RandomCrops: targets={self.targets} must be at least 1")

    def sample(self, height: int, width: int, generator: np.random.Generator) -> Regions:
        """Draw a context and its targets in an image of `height` x `width` pixels."""
        best, least = None, np.inf
        for _ in range(TRIES):
            regions, miss = self._draw(height, width, generator)
            if miss < least:
                best, least = regions, miss
            if miss == 0:
                break
        assert best is not None
        return best

    def _draw(self, height: int, width: int, generator: np.random.Generator) -> tuple[Regions, float]:
        """Return regions, and by how much the worst target's overlap misses what was asked."""
        (a, b, c, d), *others = generator.random((1 + self.targets, 4)).tolist()  # size and place of each box
        size = box_size(height, width, a, b, scale=self.context_scale, aspect=self.aspect)
        context = box_place(height, width, c, d, size)
        targets, worst = [], 0.0
        for a, b, c, d in others:
            size = box_size(height, width, a, b, scale=self.target_scale, aspect=self.aspect)
            target = box_place(height, width, c, d, size)
            miss = self._miss(target.overlap(context) / target.area)
            if miss > 0:
                target, miss = self._place(height, width, size, context, generator)
            targets.append(target)
            worst = max(worst, miss)
        return Regions(context, targets, False), worst

    def _miss(self, share: float) -> float:
        return max(self.overlap[0] - share, share - self.overlap[1], 0.0)

    def _place(
        self, height: int, width: int, size: tuple[int, int], context: Box, generator: np.random.Generator
    ) -> tuple[Box, float]:
        """Return a place, uniform among those whose overlap misses the asked one the least, and that miss."""
        rows = _inside(height, size[0], context.top, context.height)  # (height - h + 1,) rows inside, by top
        columns = _inside(width, size[1], context.left, context.width)  # (width - w + 1,) columns inside, by left
        share = np.outer(rows, columns) / (size[0] * size[1])
        miss = np.maximum(np.maximum(self.overlap[0] - share, share - self.overlap[1]), 0.0)
        least = float(miss.min())
        allowed = np.flatnonzero(miss <= least)
        top, left = divmod(int(allowed[generator.integers(len(allowed))]), len(columns))
        return Box(top, left, *size), least


def _inside(length: int, size: int, start: int, extent: int) -> NDArray[np.int64]:
    """Return, for each place of `size` pixels in `length`, how many of them lie in start .. start + extent."""
    first = np.arange(length - size + 1)
    return np.asarray(np.maximum(np.minimum(first + size, start + extent) - np.maximum(first, start), 0))
