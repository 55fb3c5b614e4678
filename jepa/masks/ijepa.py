"""The blocks of the official I-JEPA code, draw by draw."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import ConfigError

Indices = NDArray[np.int64]
Size = Callable[[float], tuple[int, int]]
ONE = (1.0, 1.0)  # height / width of a context
PATIENCE = 20  # places that are refused, before the last target is no longer kept out of the context


def official_blocks(
    settings: Any, grid: tuple[int, ...], images: int, generator: Any
) -> list[tuple[list[Indices], list[Indices]]]:
    """Return the contexts and targets of so many images, as the official collator draws them.

    One number in [0, 1) decides both area and aspect of the targets' size, another the contexts'; both sizes are less
    than the grid. Then, for each image, each target's place, and each context's: top and left come from
    {0, ..., rows - height - 1}, so no block reaches the last row or column. A block of `min_keep` patches or fewer is
    drawn again; after every 20 of them a context is let overlap one target more, the last first.

    generator: only `random()` and `integers(low, high)` are called, once for each draw, in the official order: sizes of
    targets and contexts; for each image, top and left of each target, then of each context. Raises ConfigError for a
    block that never has more than `min_keep`, where the official code would draw for ever.
    """
    targets, contexts = (size(float(generator.random())) for size in _sizes(settings, grid))
    for block in (targets, contexts):
        _check(block, settings.min_keep)
    drawn = []
    for _ in range(images):
        blocks = [_block(grid, targets, [], settings.min_keep, generator) for _ in range(settings.targets)]
        kept_out = [] if settings.overlap else [block for block, _ in blocks]
        seen = [_block(grid, contexts, kept_out, settings.min_keep, generator)[1] for _ in range(settings.contexts)]
        drawn.append((seen, [indices for _, indices in blocks]))
    return drawn


def check_official(settings: Any, grid: tuple[int, ...]) -> None:
    """Raise ConfigError if some number that may be drawn makes a block that is too small."""
    for size in _sizes(settings, grid):
        _check(min((size(u) for u in np.linspace(0, 1, 201)), key=math.prod), settings.min_keep)


def _check(size: tuple[int, int], min_keep: int) -> None:
    if size[0] * size[1] <= min_keep:
        raise ConfigError(
            f"task.compat=ijepa: a block of {size[0]} x {size[1]} places never has more than task.min_keep={min_keep} "
            "of them: lower min_keep, or take a larger scale"
        )


def _sizes(s: Any, grid: tuple[int, ...]) -> list[Size]:
    """Return what makes the size of targets and of contexts of a number in [0, 1)."""
    return [partial(_size, grid, s.target_scale, s.aspect), partial(_size, grid, s.context_scale, ONE)]


def _size(grid: tuple[int, ...], scale: tuple[float, float], aspect: tuple[float, float], u: float) -> tuple[int, int]:
    area = int(grid[0] * grid[1] * (scale[0] + u * (scale[1] - scale[0])))
    ratio = aspect[0] + u * (aspect[1] - aspect[0])
    height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
    return min(height, grid[0] - 1), min(width, grid[1] - 1)


def _block(
    grid: tuple[int, ...], size: tuple[int, int], kept_out: list[NDArray[np.bool_]], min_keep: int, generator: Any
) -> tuple[NDArray[np.bool_], Indices]:
    """Return a block (rows, columns), and the indices of its patches outside the blocks that are kept out."""
    for refused in count():
        top = int(generator.integers(0, grid[0] - size[0]))
        left = int(generator.integers(0, grid[1] - size[1]))
        block = np.zeros(grid, bool)
        block[top : top + size[0], left : left + size[1]] = True
        left_over = block.copy()
        for other in kept_out[: max(len(kept_out) - refused // PATIENCE, 0)]:
            left_over &= ~other
        indices = np.flatnonzero(left_over)
        if len(indices) > min_keep:
            return block, indices
    raise AssertionError  # `count` has no end
