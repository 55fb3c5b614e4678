"""Examples as the patches that a grid of places cuts them into, and back, along any number of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut", "paste", "spread", "starts"]

Floats = NDArray[np.float32]
Starts = Sequence[NDArray[np.int64]]


def starts(lengths: Sequence[int], grid: Sequence[int], group: int = 1) -> list[NDArray[np.int64]]:
    """Return, along each axis, the first sample of each place, or of each group of so many places.

    Sample i of L lies in place ⌊i P / L⌋ of P, as where examples are hidden (`jepa.encoders.base.hide`).

    >>> [at.tolist() for at in starts((8, 7), (4, 2), 2)]
    [[0, 4], [0]]
    """
    return [-(-np.arange(count) * length // count)[::group] for length, count in zip(lengths, grid, strict=True)]


def cut(x: Floats, at: Starts) -> Floats:
    """Return the patches of examples (n, c, *lengths) in raster order: (n, N, c · samples of the longest patch).

    A shorter one is filled up with the samples that follow, the last of all repeated.

    >>> cut(np.arange(16.0).reshape(1, 1, 4, 4), starts((4, 4), (2, 2)))[0, 1].tolist()
    [2.0, 3.0, 6.0, 7.0]
    """
    n, c, *lengths = x.shape
    for axis, (first, side) in enumerate(zip(at, _sides(at, lengths), strict=True)):
        index = np.minimum(first[:, None] + np.arange(side), lengths[axis] - 1)  # (P, side)
        x = x.take(index.reshape(-1), axis=2 + axis)
    x = x.reshape(n, c, *(v for pair in zip(map(len, at), _sides(at, lengths), strict=True) for v in pair))
    places, samples = range(2, 2 + 2 * len(at), 2), range(3, 3 + 2 * len(at), 2)
    return x.transpose(0, *places, 1, *samples).reshape(n, int(np.prod([len(v) for v in at])), -1)


def paste(patches: Floats, at: Starts, lengths: Sequence[int]) -> Floats:
    """Return the examples (n, c, *lengths) that these are the patches of, (n, N, ...): undoes `cut`."""
    sides, rank = _sides(at, lengths), len(at)
    x = patches.reshape(len(patches), *map(len, at), -1, *sides)  # (n, *grid, c, *sides)
    pairs = [axis for k in range(rank) for axis in (1 + k, 2 + rank + k)]
    x = x.transpose(0, 1 + rank, *pairs)
    x = x.reshape(*x.shape[:2], *(len(first) * side for first, side in zip(at, sides, strict=True)))
    for axis, (first, side, length) in enumerate(zip(at, sides, lengths, strict=True)):
        place = _place(first, length)
        x = x.take(place * side + np.arange(length) - first[place], axis=2 + axis)
    return x


def spread(values: NDArray[Any], at: Starts, lengths: Sequence[int]) -> NDArray[Any]:
    """Return, for each sample, the value of its place: (..., N) -> (..., *lengths)."""
    x = values.reshape(*values.shape[:-1], *map(len, at))
    for axis, (first, length) in enumerate(zip(at, lengths, strict=True), start=values.ndim - 1):
        x = x.take(_place(first, length), axis=axis)
    return x


def _place(first: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return which place each of `length` samples lies in."""
    return np.searchsorted(first, np.arange(length), side="right") - 1


def _sides(at: Starts, lengths: Sequence[int]) -> list[int]:
    """Return the samples of the longest patch along each axis."""
    return [int(np.diff(first, append=length).max()) for first, length in zip(at, lengths, strict=True)]
