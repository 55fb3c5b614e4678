"""I-JEPA's masks: target blocks, and a context block without what lies in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jepa.errors import ConfigError
from jepa.masks.box import Box, Range, box_place, box_size
from jepa.masks.ijepa import official_blocks
from jepa.masks.masks import Masks, MaskSampler, collate

__all__ = ["MultiBlockMasks"]

Indices = NDArray[np.int64]
TRIES = 20  # places of a context, before the targets are drawn again
REDRAWS = 50  # of the targets


@dataclass(frozen=True, kw_only=True)
class MultiBlockMasks(MaskSampler):
    """Target blocks anywhere on the grid, and a large context block from which all of them are cut out.

    Assran et al. 2023, section 3, "Targets" and "Context". Unlike in its code, scale and aspect of a block are
    independent, a block may lie in the last row and column and be as large as the grid, and a context never contains a
    patch of a target (unless `overlap`): if too little of it is left, its place is drawn again, then the targets are.

    Attributes
    ----------
    context_scale, target_scale : (smallest, largest)
        Area of a block, as a share of the grid, uniform in between.
    context_aspect, target_aspect : (smallest, largest)
        height / width of a block, log-uniform in between; gives way where it does not fit (see `box_size`).
    contexts, targets : int
        Blocks of an image; targets may overlap each other.
    min_keep : int
        Patches that a context has at least.
    overlap : bool
        Leave in the context what lies in targets too.
    sizes : "batch" or "sample"
        Draw the sizes of the blocks once for a batch, as I-JEPA does, or for each image.
    collate : "subset", "raster" or "pad"
        How masks of different sizes come into one array (see `collate`).
    compat : "" or "ijepa"
        "ijepa": draw as the official code does, with its defects (see `official_blocks`), and cut off in raster order.
    context_scale_end, target_scale_end : (smallest, largest), optional
        The same at the end of training, reached linearly; None: constant.

    Examples
    --------
    >>> masks = MultiBlockMasks(targets=2).sample((8, 8), 16, np.random.default_rng(0))
    >>> masks.context[0].shape[0], len(masks.target), bool(np.isin(masks.context[0][0], masks.target[0][0]).any())
    (16, 2, False)
    """

    context_scale: Range = (0.85, 1.0)
    target_scale: Range = (0.15, 0.2)
    context_aspect: Range = (1.0, 1.0)
    target_aspect: Range = (0.75, 1.5)
    contexts: int = 1
    targets: int = 4
    min_keep: int = 4
    overlap: bool = False
    sizes: Literal["batch", "sample"] = "batch"
    collate: Literal["subset", "raster", "pad"] = "subset"
    compat: Literal["", "ijepa"] = ""
    context_scale_end: Range | None = None
    target_scale_end: Range | None = None

    def __post_init__(self) -> None:
        self._check("context_scale", "target_scale", "context_scale_end", "target_scale_end", low=1e-4, high=1)
        self._check("context_aspect", "target_aspect", low=1e-3, high=np.inf)
        if min(self.contexts, self.targets, self.min_keep) < 1:
            given = f"contexts={self.contexts}, targets={self.targets}, min_keep={self.min_keep}"
            raise ConfigError(f"MultiBlockMasks: {given}: each must be at least 1")
        for name, known in (("sizes", ("batch", "sample")), ("collate", ("subset", "raster", "pad"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"MultiBlockMasks: {name} is one of {known}; got {getattr(self, name)!r}")
        if self.compat not in ("", "ijepa"):
            raise ConfigError(f"MultiBlockMasks: compat is '' or 'ijepa'; got {self.compat!r}")

    def sample(self, grid: tuple[int, int], count: int, generator: np.random.Generator) -> Masks:
        """Draw the masks of `count` images of rows x columns patches."""
        if self.compat:
            drawn = official_blocks(self, grid, count, generator)
            how = "raster"
        else:
            shared = self._sizes(grid, generator) if self.sizes == "batch" else None
            drawn = [self._image(grid, shared or self._sizes(grid, generator), generator) for _ in range(count)]
            how = self.collate
        context, context_valid = collate([contexts for contexts, _ in drawn], how, generator)
        target, target_valid = collate([targets for _, targets in drawn], how, generator)
        return Masks(context, target, context_valid, target_valid)

    def _sizes(self, grid: tuple[int, int], generator: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int]]:
        """Draw the sizes of target and context blocks."""
        found = []
        for scale, aspect in ((self.target_scale, self.target_aspect), (self.context_scale, self.context_aspect)):
            u, v = generator.random(), generator.random()
            upright = 1 / aspect[1], 1 / aspect[0]  # `box_size` has width / height
            found.append(box_size(*grid, u, v, scale=scale, aspect=upright))
        return found[0], found[1]

    def _image(
        self, grid: tuple[int, int], sizes: tuple[tuple[int, int], tuple[int, int]], generator: np.random.Generator
    ) -> tuple[list[Indices], list[Indices]]:
        """Draw the contexts and the targets of one image."""
        for _ in range(REDRAWS):
            blocks = [_place(grid, sizes[0], generator) for _ in range(self.targets)]
            free = ~np.any(blocks, axis=0) if not self.overlap else np.ones(grid, bool)
            contexts: list[Indices] = []
            for _ in range(TRIES * self.contexts):
                context = np.flatnonzero(_place(grid, sizes[1], generator) & free)
                if len(context) >= self.min_keep:
                    contexts.append(context)
                if len(contexts) == self.contexts:
                    return contexts, [np.flatnonzero(block) for block in blocks]
        raise ConfigError(
            f"{self.targets} targets of {sizes[0][0]} x {sizes[0][1]} patches leave less than min_keep={self.min_keep} "
            f"of a grid of {grid[0]} x {grid[1]} to a context of {sizes[1][0]} x {sizes[1][1]}: fewer or smaller "
            "targets, or a smaller min_keep"
        )


def _place(grid: tuple[int, int], size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a place for a block, all equally likely; return which patches lie in it, (rows, columns)."""
    box: Box = box_place(*grid, generator.random(), generator.random(), size)
    block = np.zeros(grid, bool)
    block[box.top : box.top + box.height, box.left : box.left + box.width] = True
    return block
