"""Masks over the places of a grid: what they are, how those of different sizes come into one array, the simple ones."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.contracts import Flags, Grid, Index
from jepa.errors import ConfigError
from jepa.masks.box import drawn_box, filled
from jepa.text import by_x

REDRAWS = 100  # of the tubes of an example


class Masks(NamedTuple):
    """Contexts and targets of n examples, as indices of places in raster order of the grid, ascending."""

    context: list[Index]
    """E arrays (n, Kc)"""
    target: list[Index]
    """M arrays (n, Kt)"""
    context_valid: list[Flags] | None = None
    """E arrays (n, Kc): False where an entry is padding; None: nothing is"""
    target_valid: list[Flags] | None = None
    """M arrays (n, Kt): False where an entry is padding; None: nothing is"""


def collate(
    masks: Sequence[Sequence[Index]], how: str, generator: np.random.Generator
) -> tuple[list[Index], list[Flags] | None]:
    """Bring masks of different sizes to one: n examples with M masks each -> M arrays (n, K), and what is no padding.

    how: "subset", a random subset of each, as large as the smallest; "raster", its first ones, as I-JEPA's code does
    (the bottom of the image is rarely left); "pad", all of them, filled up with 0 to the largest.

    >>> masks = [[np.array([1, 2, 3])], [np.array([5, 7])]]
    >>> collate(masks, "raster", np.random.default_rng(0))
    ([array([[1, 2],
           [5, 7]])], None)
    """
    sizes = [len(mask) for example in masks for mask in example]
    if how == "pad":
        longest = max(sizes)
        padded = [[np.pad(mask, (0, longest - len(mask))) for mask in example] for example in masks]
        valid = [[np.arange(longest) < len(mask) for mask in example] for example in masks]
        return [np.stack(m) for m in zip(*padded, strict=True)], [np.stack(v) for v in zip(*valid, strict=True)]
    size = min(sizes)
    cut = [[mask if len(mask) == size else _some(mask, size, how, generator) for mask in each] for each in masks]
    return [np.stack(m) for m in zip(*cut, strict=True)], None


def _some(mask: Index, size: int, how: str, generator: np.random.Generator) -> Index:
    return mask[:size] if how == "raster" else np.sort(generator.permutation(mask)[:size])


def to_binary(indices: NDArray[Any], count: int, valid: Flags | None = None) -> Flags:
    """Return which of `count` patches each row of indices (B, K) names, (B, count); padding, not `valid`, names none.

    Raises IndexError for a patch beyond `count`.

    >>> to_binary(np.array([[1, 3]]), 4).tolist()
    [[False, True, False, True]]
    """
    named = np.zeros((len(indices), count), bool)
    rows, columns = np.nonzero(np.ones(indices.shape, bool) if valid is None else valid)
    named[rows, indices[rows, columns]] = True
    return named


def from_binary(mask: NDArray[Any]) -> tuple[Index, Flags]:
    """Return the indices (B, K) of the patches that each row of a mask (B, N) names, and which of them are no padding.

    K is the size of the largest row; shorter ones are padded with 0 at the end.

    >>> indices, valid = from_binary(np.array([[0, 1, 1], [0, 0, 1]]))
    >>> indices.tolist(), valid.tolist()
    ([[1, 2], [2, 0]], [[True, True], [True, False]])
    """
    named = np.asarray(mask, bool)
    longest = int(named.sum(axis=1).max(initial=0))
    order = np.argsort(np.logical_not(named), axis=1, kind="stable")[:, :longest]
    valid = np.take_along_axis(named, order, axis=1)
    return np.where(valid, order, 0), valid


def random_masks(settings: Any, grid: Grid, count: int, generator: np.random.Generator) -> Masks:
    """Return masks of single places: those that are hidden are the target, all others the context.

    How many are hidden is drawn once for a batch; which ones, for each example (He et al. 2022, section 3). Context and
    target have at least one place. settings: ratio and min_keep of `jepa.tasks.masked.MaskedSettings`.

    >>> from jepa.tasks.masked import MaskedSettings
    >>> settings = MaskedSettings(masks="random", ratio=(0.75, 0.75))
    >>> masks = random_masks(settings, (8, 8), 4, np.random.default_rng(0))
    >>> masks.context[0].shape, masks.target[0].shape
    ((4, 16), (4, 48))
    """
    places, ratio = int(np.prod(grid)), settings.ratio
    share = ratio[0] + generator.random() * (ratio[1] - ratio[0])
    hidden = max(min(round(share * places), places - settings.min_keep), 1)
    order = generator.permuted(np.tile(np.arange(places), (count, 1)), axis=1)  # (count, places)
    return Masks([np.sort(order[:, hidden:], axis=1)], [np.sort(order[:, :hidden], axis=1)])


def suffix_masks(settings: Any, grid: Grid, count: int, generator: np.random.Generator) -> Masks:
    """Return masks that hide the future: the last places along the first axis are the target, all others the context.

    How many are hidden is drawn once for a batch, and is the same for each example. settings: ratio and min_keep of
    `jepa.tasks.masked.MaskedSettings`. Raises ConfigError for a grid whose first axis has one place.

    >>> from jepa.tasks.masked import MaskedSettings
    >>> masks = suffix_masks(MaskedSettings(masks="suffix", ratio=(0.25, 0.25)), (8,), 2, np.random.default_rng(0))
    >>> masks.context[0][1].tolist(), masks.target[0][1].tolist()
    ([0, 1, 2, 3, 4, 5], [6, 7])
    """
    steps, rest, ratio = grid[0], int(np.prod(grid[1:])), settings.ratio
    least = -(-settings.min_keep // rest)  # steps that are seen
    if steps <= least:
        raise ConfigError(
            f"task.masks=suffix hides the last places along the first axis of a grid of {by_x(grid)}, and "
            f"task.min_keep={settings.min_keep} leaves none: take a smaller encoder.patch, or a smaller min_keep"
        )
    share = ratio[0] + generator.random() * (ratio[1] - ratio[0])
    hidden = max(min(round(share * steps), steps - least), 1)
    order = np.tile(np.arange(steps * rest), (count, 1))
    first = (steps - hidden) * rest
    return Masks([order[:, :first]], [order[:, first:]])


def tube_masks(settings: Any, grid: Grid, count: int, generator: np.random.Generator) -> Masks:
    """Return masks of blocks that are hidden in every frame, the first axis, so that no frame gives another's away.

    The target is the union of some blocks, which may overlap, through all frames, the context everything else (Bardes
    et al. 2024, V-JEPA, section 3.2). It trains with two such masks of each clip, "short-range" ones, 8 blocks of 15 %
    of a frame, and "long-range" ones, 2 blocks of 70 %, each of whose contexts predicts its own targets.

    settings: targets, target_scale, aspect, min_keep and collate of `jepa.tasks.masked.MaskedSettings`. Raises
    ConfigError where they hide too much of a frame.

    >>> from jepa.tasks.masked import MaskedSettings
    >>> settings = MaskedSettings(masks="tubes", targets=2, target_scale=(0.25, 0.25))
    >>> masks = tube_masks(settings, (4, 8, 8), 3, np.random.default_rng(0))
    >>> len(masks.context[0]), int(masks.target[0].max()) < 4 * 8 * 8
    (3, True)
    """
    drawn = [_tubes(settings, grid, generator) for _ in range(count)]
    contexts, targets = ([[np.flatnonzero(np.tile(h, grid[0]))] for h in side] for side in zip(*drawn, strict=True))
    context, context_valid = collate(contexts, settings.collate, generator)
    target, target_valid = collate(targets, settings.collate, generator)
    return Masks(context, target, context_valid, target_valid)


def _tubes(s: Any, grid: Grid, generator: np.random.Generator) -> tuple[Flags, Flags]:
    """Return which places of a frame are seen and which are hidden, (places of a frame,) each."""
    frames, *frame = grid
    upright = 1 / s.aspect[1], 1 / s.aspect[0]
    for _ in range(REDRAWS):
        drawn = generator.random((s.targets, 2 + len(frame))).tolist()
        boxes = [drawn_box(frame, numbers, scale=s.target_scale, aspect=upright) for numbers in drawn]
        seen = ~filled(frame, boxes).reshape(-1)
        if frames * np.count_nonzero(seen) >= s.min_keep:
            return seen, ~seen
    raise ConfigError(
        f"task.targets={s.targets} blocks of task.target_scale={list(s.target_scale)} leave less than "
        f"task.min_keep={s.min_keep} places of a grid of {by_x(grid)}: fewer or smaller targets, or a smaller min_keep"
    )
