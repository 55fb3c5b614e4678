"""Examples as the patches that a grid of places cuts them into, and back, along any number of axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Starts = Sequence[NDArray[np.int64]]
"""along each axis, the first entry of each place"""


def starts(lengths: Sequence[int], grid: Sequence[int], group: int = 1) -> list[NDArray[np.int64]]:
    """Return where the places begin along each axis, or groups of so many of them.

    Entry i of L lies at place ⌊i P / L⌋ of P, as where examples are hidden (`jepa.encoders.base.hide`).

    >>> [at.tolist() for at in starts((8, 7), (4, 2), 2)]
    [[0, 4], [0]]
    """
    return [-(-np.arange(count) * length // count)[::group] for length, count in zip(lengths, grid, strict=True)]


def cut(x: Floats, at: Starts) -> Floats:
    """Return the patches of examples (n, c, *lengths) in raster order: (n, N, c · entries of the longest patch).

    A shorter one repeats its last entries.

    >>> cut(np.arange(16.0).reshape(1, 1, 4, 4), starts((4, 4), (2, 2)))[0, 1].tolist()
    [2.0, 3.0, 6.0, 7.0]
    """
    n, c, *lengths = x.shape
    shape: list[int] = []
    for axis, (first, length) in enumerate(zip(at, lengths, strict=True), start=2):
        last = np.append(first[1:], length) - 1
        inside = np.minimum(first[:, None] + np.arange((last - first).max() + 1), last[:, None])
        x = x.take(inside.reshape(-1), axis=axis)
        shape += inside.shape
    parts = x.reshape(n, c, *shape)  # (n, c, places, entries, places, entries, ...)
    places, entries = range(2, parts.ndim, 2), range(3, parts.ndim, 2)
    return parts.transpose(0, *places, 1, *entries).reshape(n, int(np.prod(shape[::2])), -1)


def paste(patches: Floats, at: Starts, lengths: Sequence[int]) -> Floats:
    """Return the examples (n, c, *lengths) that these are the patches of, (n, N, ...): undoes `cut`."""
    sides = [int(np.diff(first, append=length).max()) for first, length in zip(at, lengths, strict=True)]
    x, rank = patches.reshape(len(patches), *map(len, at), -1, *sides), len(at)  # (n, *grid, c, *sides)
    x = x.transpose(0, 1 + rank, *(axis for k in range(rank) for axis in (1 + k, 2 + rank + k)))
    x = x.reshape(*x.shape[:2], *(len(first) * side for first, side in zip(at, sides, strict=True)))
    for axis, (first, side, length) in enumerate(zip(at, sides, lengths, strict=True), start=2):
        place = _place(first, length)
        x = x.take(place * side + np.arange(length) - first[place], axis=axis)
    return x


def spread(values: NDArray[Any], at: Starts, lengths: Sequence[int]) -> NDArray[Any]:
    """Return, for each entry, the value of its place: (..., N) -> (..., *lengths).

    >>> spread(np.array([1, 2]), starts((5,), (2,)), (5,)).tolist()
    [1, 1, 1, 2, 2]
    """
    x = values.reshape(*values.shape[:-1], *map(len, at))
    for axis, (first, length) in enumerate(zip(at, lengths, strict=True), start=values.ndim - 1):
        x = x.take(_place(first, length), axis=axis)
    return x


def _place(first: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return which place each of `length` entries lies at."""
    return np.searchsorted(first, np.arange(length), side="right") - 1
