"""Examples with gaps: which places have anything in them, and masks of those alone."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jepa.contracts import Flags, Grid, Index
from jepa.errors import ConfigError
from jepa.masks.masks import Masks, collate
from jepa.several import Joint

Sampler = Callable[[Grid, int, np.random.Generator], Masks]
Sides = tuple[list[Index], list[Index]]
"""the places of each context, and of each target"""


def present(x: Any, grid: Grid) -> Flags:
    """Return which places of a grid have any number that is not NaN: (n, c, *lengths) -> (n, N).

    Entry i of L lies at place ⌊i P / L⌋ of P along each axis. Of several arrays by name the places of all, one array's
    behind the other's, as they are in their joint grid.

    >>> present(np.array([[[1.0, 2.0, np.nan, 4.0, np.nan, np.nan]]]), (3,)).tolist()
    [[True, True, False]]
    """
    if isinstance(grid, Joint):
        return np.concatenate([present(x[name], own) for name, own in grid.grids.items()], axis=1)
    there: Flags = ~np.isnan(x).all(axis=1)
    for axis, (places, length) in enumerate(zip(grid, x.shape[2:], strict=True), start=1):
        first = -(-np.arange(places) * length // places)
        there = np.logical_or.reduceat(there, first, axis=axis)
    return np.asarray(there.reshape(len(x), -1))


def among(draw: Sampler, seen: Flags, true: Flags, grid: Grid, generator: np.random.Generator) -> Masks:
    """Return masks of places that are there, drawn example by example and padded to one length.

    seen, true: (n, N), which places are there in what the two encoders are shown; masks are drawn on those of both.
    Along one axis the places that are there are counted as if there were no others, so that blocks have the share of
    them that is asked for. Of more axes the masks are drawn on the whole grid, and what is not there is left out.
    Where that leaves no context or no target, or nothing can be drawn on so few places, half of what is there is the
    context, at random, and the rest the target; a single place is the context. Where both have no place in common, all
    that is seen is the context, and all that is true the target.
    """
    usual = draw(grid, 1, generator)
    drawn = [
        _example(draw, a & b, grid, generator) or _halves(usual, a, b, generator)
        for a, b in zip(seen, true, strict=True)
    ]
    context, context_valid = collate([contexts for contexts, _ in drawn], "pad", generator)
    target, target_valid = collate([targets for _, targets in drawn], "pad", generator)
    return Masks(context, target, context_valid, target_valid)


def _example(draw: Sampler, flags: Flags, grid: Grid, generator: np.random.Generator) -> Sides | None:
    """Return the contexts and the targets of one example; None where some would be empty."""
    places, line = np.flatnonzero(flags), len(grid) == 1
    try:
        found = draw((len(places),) if line else grid, 1, generator)
    except ConfigError:  # too few places
        return None
    sides = _real(found.context, found.context_valid), _real(found.target, found.target_valid)
    kept = [[places[index] if line else index[flags[index]] for index in side] for side in sides]
    return (kept[0], kept[1]) if all(map(len, [*kept[0], *kept[1]])) else None


def _real(side: list[Index], valid: list[Flags] | None) -> list[Index]:
    """Return the places of the one example, without padding."""
    return [index[0] for index in side] if valid is None else [i[0][f[0]] for i, f in zip(side, valid, strict=True)]


def _halves(usual: Masks, seen: Flags, true: Flags, generator: np.random.Generator) -> Sides:
    """Return as many contexts and targets as usual, each of them one half of what is there.

    Of an example with nothing in it the first place is the context, so that every example has one.
    """
    order = generator.permutation(np.flatnonzero(seen & true))
    half = max(len(order) // 2, min(len(order), 1))
    first, rest = (order[:half], order[half:]) if half else (np.flatnonzero(seen), np.flatnonzero(true))
    first = first if len(first) else np.zeros(1, np.int64)
    return [np.sort(first)] * len(usual.context), [np.sort(rest)] * len(usual.target)
