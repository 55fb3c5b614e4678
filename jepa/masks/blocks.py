"""Target blocks, hidden in the context, which is the rest of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa.errors import ConfigError
from jepa.masks.box import Box, Range, box_place, box_size
from jepa.masks.regions import Regions, RegionSampler

__all__ = ["BlockMasks"]

TRIES = 10  # draws of all blocks, if they hide too much
VISIBLE = 0.1  # smallest share of the image that the context must show


@dataclass(frozen=True, kw_only=True)
class BlockMasks(RegionSampler):
    """Target blocks anywhere in the image; the context is the whole image with the blocks hidden.

    Blocks may overlap each other, as in I-JEPA (arXiv:2301.08243, 4 blocks of 15-20 % of the image). Unlike in its
    code, scale and aspect are independent, and a block may lie in the last row and column. At least a tenth of the
    image stays visible: otherwise all blocks are drawn again, up to 10 times; then the draw that hides least is taken.

    Attributes
    ----------
    target_scale : (smallest, largest)
        Area of a block, as a share of the image, uniform in between; at most 0.9.
    aspect : (smallest, largest)
        width / height of a block, log-uniform in between; gives way where it does not fit (see `box_size`).
    targets : int
        Number of blocks.
    fill : float
        Value in [0, 1] that hides them.
    target_scale_end : (smallest, largest), optional
        `target_scale` at the end of training, reached linearly; None: constant.

    Examples
    --------
    >>> regions = BlockMasks(targets=2).sample(32, 32, np.random.default_rng(0))
    >>> regions.context, len(regions.targets), regions.hidden
    (Box(top=0, left=0, height=32, width=32), 2, True)
    """

    target_scale: Range = (0.15, 0.2)
    aspect: Range = (0.75, 1.5)
    targets: int = 4
    fill: float = 0.5
    target_scale_end: Range | None = None

    def __post_init__(self) -> None:
        self._check("target_scale", "target_scale_end", low=1e-4, high=1 - VISIBLE)
        self._check("aspect", low=1e-3, high=np.inf)
        if self.targets < 1:
            raise ConfigError(f"BlockMasks: targets={self.targets} must be at least 1")
        if not 0 <= self.fill <= 1:
            raise ConfigError(f"BlockMasks: fill={self.fill} must lie between 0 and 1")

    def sample(self, height: int, width: int, generator: np.random.Generator) -> Regions:
        """Draw the blocks of an image of `height` x `width` pixels."""
        best, most = None, -1
        for _ in range(TRIES):
            targets = []
            for a, b, c, d in generator.random((self.targets, 4)).tolist():
                size = box_size(height, width, a, b, scale=self.target_scale, aspect=self.aspect)
                targets.append(box_place(height, width, c, d, size))
            seen = visible(height, width, targets)
            if seen > most:
                best, most = targets, seen
            if seen >= VISIBLE * height * width:
                break
        assert best is not None
        return Regions(Box(0, 0, height, width), best, True, self.fill)


def visible(height: int, width: int, hidden: list[Box]) -> int:
    """Return how many pixels of an image lie in none of the boxes."""
    seen = np.ones((height, width), dtype=bool)
    for top, left, h, w in hidden:
        seen[top : top + h, left : left + w] = False
    return int(np.count_nonzero(seen))
