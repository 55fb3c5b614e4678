"""Examples as the cells of a grid, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cells", "cut", "paste"]

Floats = NDArray[np.float32]


def cells(x: Floats, grid: tuple[int, ...]) -> Floats:
    """Return what of examples (n, c, *lengths) lies at each place of a grid, in raster order: (n, N, c · numbers).

    Where the places do not divide a length, some cells are one shorter, and repeat their last entry.

    >>> cells(np.arange(5.0).reshape(1, 1, 5), (2,)).tolist()
    [[[0.0, 1.0, 2.0], [3.0, 4.0, 4.0]]]
    """
    n, c, *lengths = x.shape
    shape: list[int] = []
    for axis, (length, places) in enumerate(zip(lengths, grid, strict=True), start=2):
        starts = -(-np.arange(places + 1) * length // places)  # entry i lies at place i · places // length
        inside = starts[:-1, None] + np.arange(np.diff(starts).max())
        x = x.take(np.minimum(inside, starts[1:, None] - 1).reshape(-1), axis=axis)
        shape += inside.shape
    rank = len(grid)
    parts = x.reshape(n, c, *shape)  # (n, c, places, entries, places, entries, ...)
    places, entries = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    return parts.transpose(0, *places, 1, *entries).reshape(n, int(np.prod(grid)), -1)


def cut(images: Floats, side: int) -> Floats:
    """Return the patches of images (n, c, h, w), in raster order: (n, N, c · side · side).

    >>> cut(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 1].tolist()
    [2.0, 3.0, 6.0, 7.0]
    """
    return cells(images, (images.shape[2] // side, images.shape[3] // side))


def paste(patches: Floats, grid: tuple[int, int], side: int) -> Floats:
    """Return images (n, c, h, w) of which these are the patches (n, N, c · side · side), in [0, 1]: undoes `cut`."""
    n, c = len(patches), patches.shape[2] // side**2
    parts = patches.reshape(n, *grid, c, side, side).transpose(0, 3, 1, 4, 2, 5)
    return np.clip(parts.reshape(n, c, grid[0] * side, grid[1] * side), 0, 1)
