"""Channels-last memory behind the (n, c, h, w) of the interface, and what is made or summed along its rows."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def to_last(x: Array) -> Array:
    """(n, c, h, w) -> contiguous (n, h, w, c); free if the memory is channels-last already."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def to_first(x: Array) -> Array:
    """(n, h, w, c) -> (n, c, h, w), as a view."""
    return x.transpose(0, 3, 1, 2)


BLOCK = 256  # rows that are added up one after another: rounding errors grow with their number


def channel_sum(rows: Array, weights: Array | None = None) -> Array:
    """Σ weight · row over the rows of (r, c): products, for which BLAS is faster than a reduction, block by block."""
    r, c = rows.shape
    whole = r // BLOCK * BLOCK
    w = np.ones(r, rows.dtype) if weights is None else weights
    blocks = w[:whole].reshape(-1, 1, BLOCK) @ rows[:whole].reshape(-1, BLOCK, c)  # (blocks, 1, c)
    y: Array = blocks.sum(axis=(0, 1), dtype=np.float64) + w[whole:] @ rows[whole:]
    return y.astype(rows.dtype)


LARGE = 4.0  # mean² over variance, above which mean(x²) - mean² has lost more than a digit of the variance


class RankTwo:
    """a bᵀ + c dᵀ for a (r,) and b (n,), some rows at a time: a product, in half the time of NumPy's broadcasting."""

    def __init__(self, a: Array, b: Array, c: Array | float = 0.0, d: Array | float = 0.0) -> None:
        self.left, self.right = np.empty((len(a), 2), a.dtype), np.empty((2, len(b)), a.dtype)
        self.left[:, 0], self.left[:, 1] = a, c
        self.right[0], self.right[1] = b, d

    def write(self, part: slice, out: Array) -> Array:
        """Write the rows `part` into `out`, which is returned."""
        return np.matmul(self.left[part], self.right, out=out)


def outer(a: Array, b: Array, out: Array) -> Array:
    """Write a bᵀ into `out`, which is returned."""
    return RankTwo(a, b).write(slice(None), out)
