"""Channels-last memory behind the (n, c, h, w) of the interface."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def to_last(x: Array) -> Array:
    """(n, c, h, w) -> contiguous (n, h, w, c); free if the memory is channels-last already."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def to_first(x: Array) -> Array:
    """(n, h, w, c) -> (n, c, h, w), as a view."""
    return x.transpose(0, 3, 1, 2)


BLOCK = 256  # rows that are added up one after another: rounding errors grow with their number


def channel_sum(rows: Array) -> Array:
    """Σ over the rows of (r, c): a product with ones, for which BLAS is faster than a reduction, block by block."""
    r, c = rows.shape
    whole = r // BLOCK * BLOCK
    blocks = np.ones((1, BLOCK), rows.dtype) @ rows[:whole].reshape(-1, BLOCK, c)  # (blocks, 1, c)
    rest = np.ones(r - whole, rows.dtype) @ rows[whole:]
    return blocks.sum(axis=(0, 1)) + rest  # type: ignore[no-any-return]
