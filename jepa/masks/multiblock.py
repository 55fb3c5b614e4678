"""I-JEPA's masks: target blocks, and a context block without what lies in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jepa.errors import ConfigError
from jepa.masks.box import Range, box_place, box_size
from jepa.masks.ijepa import official_blocks
from jepa.masks.masks import COLLATE, Masks, MaskSampler, collate

__all__ = ["MultiBlockMasks"]

Indices = NDArray[np.int64]
TRIES = 20  # places of a context, before the targets are drawn again
REDRAWS = 1000  # of sizes, and of the places of the targets; a batch stops training only where chance is very thin


@dataclass(frozen=True, kw_only=True)
class MultiBlockMasks(MaskSampler):
    """Target blocks anywhere on the grid, and a large context block from which all of them are cut out.

    Assran et al. 2023, section 3, "Targets" and "Context". Unlike in its code, scale and aspect of a block are
    independent, a block may lie in the last row and column and be as large as the grid, and a context never contains a
    patch of a target (unless `overlap`): if too little of it is left, its place is drawn again, then the targets are;
    sizes that leave too little wherever the blocks lie are drawn again as well.

    Attributes
    ----------
    context_scale, target_scale : (smallest, largest)
        Area of a block, as a share of the grid, uniform in between.
    context_aspect, target_aspect : (smallest, largest)
        height / width of a block, log-uniform in between; gives way where it does not fit (see `box_size`).
    contexts, targets : int
        Blocks of an image; targets may overlap each other.
    min_keep : int
        Patches that a context has at least, 1 or more; with `compat`, blocks have more than that.
    overlap : bool
        Leave in the context what lies in targets too.
    sizes : "batch" or "sample"
        Draw the sizes of the blocks once for a batch, as I-JEPA does, or for each image.
    collate : "subset", "raster" or "pad"
        How masks of different sizes come into one array (see `collate`).
    compat : "" or "ijepa"
        "ijepa": draw as the official code does, with its defects (see `official_blocks`), and cut off in raster order,
        whether `collate` says so or not. Only `generator.random()` and `generator.integers(low, high)` are called, so
        that recorded draws can be replayed.
    context_scale_end, target_scale_end : (smallest, largest), optional
        The same at the end of training, reached linearly; None: constant.

    Raises
    ------
    ConfigError
        For settings that contradict each other; from `sample`, if a grid has no room for `min_keep` beside the targets.

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
        fewest = 0 if self.compat else 1  # the official code wants more than min_keep
        if min(self.contexts, self.targets) < 1 or self.min_keep < fewest:
            given = f"contexts={self.contexts}, targets={self.targets}, min_keep={self.min_keep}"
            raise ConfigError(f"MultiBlockMasks: {given}: each must be at least 1")
        for name, known in (("sizes", ("batch", "sample")), ("collate", COLLATE)):
            if getattr(self, name) not in known:
                raise ConfigError(f"MultiBlockMasks: {name} is one of {known}; got {getattr(self, name)!r}")
        if self.compat not in ("", "ijepa"):
            raise ConfigError(f"MultiBlockMasks: compat is '' or 'ijepa'; got {self.compat!r}")
        if self.compat and (self.sizes == "sample" or self.collate == "pad"):
            raise ConfigError(
                f"MultiBlockMasks: compat='ijepa' has one size in a batch and pads nothing; got sizes={self.sizes!r}, "
                f"collate={self.collate!r}: leave these two out"
            )

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
        """Draw the sizes of target and context blocks, such that `min_keep` is possible."""
        for _ in range(REDRAWS):
            target = _size(grid, self.target_scale, self.target_aspect, generator)
            context = _size(grid, self.context_scale, self.context_aspect, generator)
            if _most(grid, None if self.overlap else target, context) >= self.min_keep:
                return target, context
        raise ConfigError(
            f"target_scale={self.target_scale} and context_scale={self.context_scale} leave less than "
            f"min_keep={self.min_keep} patches of a grid of {grid[0]} x {grid[1]} to a context, wherever the blocks "
            "lie: smaller targets, larger contexts or a smaller min_keep"
        )

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
            f"{self.targets} targets of {sizes[0][0]} x {sizes[0][1]} patches left less than min_keep={self.min_keep} "
            f"of a grid of {grid[0]} x {grid[1]} to a context of {sizes[1][0]} x {sizes[1][1]}, {REDRAWS} times: fewer "
            "or smaller targets, or a smaller min_keep"
        )


def _size(grid: tuple[int, int], scale: Range, aspect: Range, generator: np.random.Generator) -> tuple[int, int]:
    """Draw the size of a block, its area and its aspect, height / width, by two numbers."""
    u, v = generator.random(), generator.random()
    upright = 1 / aspect[1], 1 / aspect[0]  # `box_size` has width / height
    return box_size(*grid, u, v, scale=scale, aspect=upright)


def _most(grid: tuple[int, int], target: tuple[int, int] | None, context: tuple[int, int]) -> int:
    """Return how many patches a context can have at most: it in one corner, all targets in the opposite one."""
    area = context[0] * context[1]
    if target is None:
        return area
    rows, columns = (max(t + c - length, 0) for t, c, length in zip(target, context, grid, strict=True))
    return area - rows * columns


def _place(grid: tuple[int, int], size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a place for a block, all equally likely; return which patches lie in it, (rows, columns)."""
    box = box_place(*grid, generator.random(), generator.random(), size)
    block = np.zeros(grid, bool)
    block[box.top : box.top + box.height, box.left : box.left + box.width] = True
    return block
