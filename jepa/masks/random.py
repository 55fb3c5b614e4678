"""Single patches at random: those that are hidden are the target, all others the context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa.errors import ConfigError
from jepa.masks.box import Range
from jepa.masks.masks import Masks, MaskSampler

__all__ = ["RandomMasks"]


@dataclass(frozen=True, kw_only=True)
class RandomMasks(MaskSampler):
    """Hides a share of the patches, drawn once for a batch; which ones, for each image (He et al. 2022, section 3).

    Attributes
    ----------
    ratio : (smallest, largest)
        Share of the patches that are targets, uniform in between; context and target have at least one patch.
    ratio_end : (smallest, largest), optional
        The same at the end of training, reached linearly; None: constant.

    Examples
    --------
    >>> masks = RandomMasks(ratio=(0.75, 0.75)).sample((8, 8), 4, np.random.default_rng(0))
    >>> masks.context[0].shape, masks.target[0].shape
    ((4, 16), (4, 48))
    """

    ratio: Range = (0.4, 0.6)
    ratio_end: Range | None = None

    def __post_init__(self) -> None:
        self._check("ratio", "ratio_end", low=0, high=1)

    def sample(self, grid: tuple[int, int], count: int, generator: np.random.Generator) -> Masks:
        """Draw the masks of `count` images of rows x columns patches."""
        patches = grid[0] * grid[1]
        if patches < 2:
            raise ConfigError(f"a grid of {grid[0]} x {grid[1]} patches has nothing to predict and predict from")
        share = self.ratio[0] + generator.random() * (self.ratio[1] - self.ratio[0])
        hidden = min(max(round(share * patches), 1), patches - 1)
        order = generator.permuted(np.tile(np.arange(patches), (count, 1)), axis=1)  # (count, patches)
        return Masks([np.sort(order[:, hidden:], axis=1)], [np.sort(order[:, :hidden], axis=1)])
