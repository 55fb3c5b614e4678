"""Masks of video: blocks that are hidden in every frame, so that no frame gives another's away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from jepa.errors import ConfigError
from jepa.masks.box import Range, box_place, box_size
from jepa.masks.curriculum import Curriculum
from jepa.masks.masks import COLLATE, Flags, Masks, collate

__all__ = ["TubeMasks"]


@dataclass(frozen=True, kw_only=True)
class TubeMasks(Curriculum):
    """The target is the union of some blocks through all frames, the context everything else.

    Bardes et al. 2024 (V-JEPA), section 3.2. It trains with two such masks of each clip, "short-range" ones, 8 blocks
    of 15 % of a frame, and "long-range" ones, 2 blocks of 70 %: two samplers, each of whose contexts predicts its own
    targets.

    Attributes
    ----------
    blocks : int
        Blocks of a frame; they may overlap.
    scale : (smallest, largest)
        Area of a block, as a share of a frame, uniform in between.
    aspect : (smallest, largest)
        height / width of a block, log-uniform in between.
    collate : "subset", "raster" or "pad"
        How masks of different sizes come into one array (see `jepa.masks.collate`).
    scale_end : (smallest, largest), optional
        `scale` at the end of training, reached linearly; None: constant.

    Examples
    --------
    >>> masks = TubeMasks(blocks=2, scale=(0.25, 0.25)).sample((4, 8, 8), 3, np.random.default_rng(0))
    >>> len(masks.context[0]), int(masks.target[0].max()) < 4 * 8 * 8
    (3, True)
    """

    blocks: int = 8
    scale: Range = (0.15, 0.15)
    aspect: Range = (0.75, 1.5)
    collate: Literal["subset", "raster", "pad"] = "subset"
    scale_end: Range | None = None

    def __post_init__(self) -> None:
        self._check("scale", "scale_end", low=1e-4, high=1)
        self._check("aspect", low=1e-3, high=np.inf)
        if self.blocks < 1:
            raise ConfigError(f"TubeMasks: blocks={self.blocks} must be at least 1")
        if self.collate not in COLLATE:
            raise ConfigError(f"TubeMasks: collate is one of {COLLATE}; got {self.collate!r}")

    def sample(self, grid: tuple[int, int, int], count: int, generator: np.random.Generator) -> Masks:
        """Draw the masks of `count` clips of frames x rows x columns patches, indices frame by frame."""
        frames, rows, columns = grid
        drawn = [self._hidden(rows, columns, generator) for _ in range(count)]
        contexts, targets = ([[np.flatnonzero(np.tile(h, frames))] for h in side] for side in zip(*drawn, strict=True))
        context, context_valid = collate(contexts, self.collate, generator)
        target, target_valid = collate(targets, self.collate, generator)
        return Masks(context, target, context_valid, target_valid)

    def _hidden(self, rows: int, columns: int, generator: np.random.Generator) -> tuple[Flags, Flags]:
        """Return which patches of a frame are seen and which are hidden, (rows · columns,) each."""
        upright = 1 / self.aspect[1], 1 / self.aspect[0]
        for _ in range(100):
            hidden = np.zeros((rows, columns), bool)
            for a, b, c, d in generator.random((self.blocks, 4)).tolist():
                size = box_size(rows, columns, a, b, scale=self.scale, aspect=upright)
                box = box_place(rows, columns, c, d, size)
                hidden[box.top : box.top + box.height, box.left : box.left + box.width] = True
            if not hidden.all():
                return ~hidden.reshape(-1), hidden.reshape(-1)
        raise ConfigError(
            f"{self.blocks} blocks of scale={self.scale} hide all of a frame of {rows} x {columns} patches: fewer or "
            "smaller blocks"
        )
