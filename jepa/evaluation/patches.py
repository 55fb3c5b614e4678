"""Images as patches, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut", "paste"]

Floats = NDArray[np.float32]


def cut(images: Floats, side: int) -> Floats:
    """Return the patches of images (n, c, h, w), in raster order: (n, N, c · side · side).

    >>> cut(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 1].tolist()
    [2.0, 3.0, 6.0, 7.0]
    """
    n, c, h, w = images.shape
    parts = images.reshape(n, c, h // side, side, w // side, side).transpose(0, 2, 4, 1, 3, 5)
    return parts.reshape(n, (h // side) * (w // side), c * side * side)


def paste(patches: Floats, grid: tuple[int, int], side: int) -> Floats:
    """Return images (n, c, h, w) of which these are the patches (n, N, c · side · side), in [0, 1]: undoes `cut`."""
    n, c = len(patches), patches.shape[2] // side**2
    parts = patches.reshape(n, *grid, c, side, side).transpose(0, 3, 1, 4, 2, 5)
    return np.clip(parts.reshape(n, c, grid[0] * side, grid[1] * side), 0, 1)
