"""I-JEPA's masks, as its paper says and as its code draws them: target blocks, and a context without those."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from jepa.contracts import Flags, Grid, Index
from jepa.errors import ConfigError
from jepa.masks.box import Range, box_size, slices
from jepa.masks.masks import Masks, collate
from jepa.text import by_x

ONE = (1.0, 1.0)  # height / width of a context
PATIENCE = 20  # places that are refused, before the last target is no longer kept out of the context
TRIES = 20  # places of a context, before the targets are drawn again
REDRAWS = 1000  # of sizes, and of the places of the targets; a batch stops training only where chance is very thin

Sizes = tuple[tuple[int, ...], tuple[int, ...]]
Size = Callable[[float], tuple[int, int]]


def multiblock_masks(settings: Any, grid: Grid, count: int, generator: np.random.Generator) -> Masks:
    """Return masks of target blocks anywhere on the grid, and of a large context block without what lies in them.

    Assran et al. 2023, section 3, "Targets" and "Context". On one axis a block is an interval, on three a box. Unlike
    in its code, scale and aspect of a block are independent, a block may lie in the last row and column and be as large
    as the grid, and a context never contains a place of a target (unless `overlap`): if too little of it is left, its
    place is drawn again, then the targets are; sizes that leave too little wherever the blocks lie are drawn again as
    well. With compat="ijepa" all is drawn as the official code does, with its defects (`official_blocks`), and cut off
    in raster order; only `generator.random()` and `generator.integers(low, high)` are called, so that recorded draws
    can be replayed.

    settings: `jepa.tasks.masked.MaskedSettings`. Raises ConfigError if the grid has no room for `min_keep` beside the
    targets.

    >>> from jepa.tasks.masked import MaskedSettings
    >>> masks = multiblock_masks(MaskedSettings(targets=2), (8, 8), 16, np.random.default_rng(0))
    >>> masks.context[0].shape[0], len(masks.target), bool(np.isin(masks.context[0][0], masks.target[0][0]).any())
    (16, 2, False)
    """
    s = settings
    if s.compat:
        drawn, how = official_blocks(s, grid, count, generator), "raster"
    else:
        shared = _sizes(s, grid, generator) if s.sizes == "batch" else None
        drawn = [_example(s, grid, shared or _sizes(s, grid, generator), generator) for _ in range(count)]
        how = s.collate
    context, context_valid = collate([contexts for contexts, _ in drawn], how, generator)
    target, target_valid = collate([targets for _, targets in drawn], how, generator)
    return Masks(context, target, context_valid, target_valid)


def _sizes(s: Any, grid: Grid, generator: np.random.Generator) -> Sizes:
    """Draw the sizes of target and context blocks, such that `min_keep` is possible."""
    for _ in range(REDRAWS):
        target = _size(grid, s.target_scale, s.aspect, generator)
        context = _size(grid, s.context_scale, ONE, generator)
        if _most(grid, None if s.overlap else target, context) >= s.min_keep:
            return target, context
    raise ConfigError(
        f"task.target_scale={list(s.target_scale)} and task.context_scale={list(s.context_scale)} leave less than "
        f"task.min_keep={s.min_keep} places of a grid of {by_x(grid)} to a context, wherever the blocks lie: smaller "
        "targets, larger contexts or a smaller min_keep"
    )


def _example(s: Any, grid: Grid, sizes: Sizes, generator: np.random.Generator) -> tuple[list[Index], list[Index]]:
    """Draw the contexts and the targets of one example."""
    numbers = np.arange(math.prod(grid)).reshape(grid)
    for _ in range(REDRAWS):
        targets = [_place(grid, sizes[0], generator) for _ in range(s.targets)]
        free = np.ones(grid, bool)
        for place in targets if not s.overlap else ():
            free[place] = False
        contexts: list[Index] = []
        for _ in range(TRIES * s.contexts):
            place = _place(grid, sizes[1], generator)
            if np.count_nonzero(free[place]) >= s.min_keep:
                contexts.append(numbers[place][free[place]])
            if len(contexts) == s.contexts:
                return contexts, [numbers[place].reshape(-1) for place in targets]
    raise ConfigError(
        f"task.targets={s.targets} blocks of {by_x(sizes[0])} places left less than task.min_keep={s.min_keep} of a "
        f"grid of {by_x(grid)} to a context of {by_x(sizes[1])}, {REDRAWS} times: fewer or smaller targets, or a "
        "smaller min_keep"
    )


def _size(grid: Grid, scale: Range, aspect: Range, generator: np.random.Generator) -> tuple[int, ...]:
    """Draw the size of a block, its area and its aspect, height / width (`box_size` has width / height)."""
    u, v = generator.random(), generator.random()
    return box_size(grid, u, v, scale=scale, aspect=(1 / aspect[1], 1 / aspect[0]))


def _most(grid: Grid, target: tuple[int, ...] | None, context: tuple[int, ...]) -> int:
    """Return how many places a context can have at most: it in one corner, all targets in the opposite one."""
    area = math.prod(context)
    if target is None:
        return area
    return area - math.prod(max(t + c - length, 0) for t, c, length in zip(target, context, grid, strict=True))


def _place(grid: Grid, size: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, ...]:
    """Draw a place for a block, all equally likely."""
    starts = [int(generator.random() * (n - k + 1)) for n, k in zip(grid, size, strict=True)]
    return slices(starts, size)


def official_blocks(settings: Any, grid: Grid, images: int, generator: Any) -> list[tuple[list[Index], list[Index]]]:
    """Return the contexts and targets of so many images, as the official collator draws them.

    One number in [0, 1) decides both area and aspect of the targets' size, another the contexts'; both sizes are less
    than the grid. Then, for each image, each target's place, and each context's: top and left come from
    {0, ..., rows - height - 1}, so no block reaches the last row or column. A block of `min_keep` patches or fewer is
    drawn again; after every 20 of them a context is let overlap one target more, the last first.

    generator: only `random()` and `integers(low, high)` are called, once for each draw, in the official order: sizes of
    targets and contexts; for each image, top and left of each target, then of each context. Raises ConfigError for a
    block that never has more than `min_keep`, where the official code would draw for ever.
    """
    targets, contexts = (size(float(generator.random())) for size in _official_sizes(settings, grid))
    for block in (targets, contexts):
        _check_size(block, settings.min_keep)
    drawn = []
    for _ in range(images):
        blocks = [_block(grid, targets, [], settings.min_keep, generator) for _ in range(settings.targets)]
        kept_out = [] if settings.overlap else [block for block, _ in blocks]
        seen = [_block(grid, contexts, kept_out, settings.min_keep, generator)[1] for _ in range(settings.contexts)]
        drawn.append((seen, [indices for _, indices in blocks]))
    return drawn


def check_official(settings: Any, grid: Grid) -> None:
    """Raise ConfigError if some number that may be drawn makes a block that is too small."""
    for size in _official_sizes(settings, grid):
        _check_size(min((size(u) for u in np.linspace(0, 1, 201)), key=math.prod), settings.min_keep)


def _check_size(size: tuple[int, int], min_keep: int) -> None:
    if size[0] * size[1] <= min_keep:
        raise ConfigError(
            f"task.compat=ijepa: a block of {size[0]} x {size[1]} places never has more than task.min_keep={min_keep} "
            "of them: lower min_keep, or take a larger scale"
        )


def _official_sizes(s: Any, grid: Grid) -> list[Size]:
    """Return what makes the size of targets and of contexts of a number in [0, 1)."""
    return [partial(_official_size, grid, *of) for of in ((s.target_scale, s.aspect), (s.context_scale, ONE))]


def _official_size(grid: Grid, scale: Range, aspect: Range, u: float) -> tuple[int, int]:
    area = int(grid[0] * grid[1] * (scale[0] + u * (scale[1] - scale[0])))
    ratio = aspect[0] + u * (aspect[1] - aspect[0])
    height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
    return min(height, grid[0] - 1), min(width, grid[1] - 1)


def _block(
    grid: Grid, size: tuple[int, int], kept_out: list[Flags], min_keep: int, generator: Any
) -> tuple[Flags, Index]:
    """Return a block (rows, columns), and the indices of its patches outside the blocks that are kept out."""
    for refused in itertools.count():
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
