"""Exponentials of rows (r, n), in blocks of rows that stay in the processor's cache.

e^(x - m) / Z is the same for every m, and overflows for none that is the largest entry of its row or above. So all rows
of a block share their largest entry, for which nothing is looked up row by row, as long as no Z = Σ e^(x - m) gets
small; then each takes its own. Z is a product with ones, for which BLAS is faster than a reduction, and powers are of
2, times log₂ e.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK = 65_536  # entries
LOG2E = 1 / math.log(2)
SMALL = 1e-3  # x - m loses ln(1/SMALL) units in the last place at most


def powers(rows: Array, out: Array, ones: Array) -> tuple[Array, Array]:
    """Write e^(x - m) into `out`; returns Z (r,), and m as it broadcasts against the rows: NaN beside an infinity."""
    m = rows.max()
    if np.isfinite(m):
        z = raised(rows, m, out, ones)
        if z.min() >= SMALL:
            return z, m
    top = rows[np.arange(len(rows)), rows.argmax(axis=1)]
    m = np.where(np.isfinite(top), top, math.nan).astype(rows.dtype)[:, None]
    return raised(rows, m, out, ones), m


def raised(rows: Array, m: Array, out: Array, ones: Array) -> Array:
    """Write e^(x - m) into `out` and return its sum over each row."""
    np.subtract(rows, m, out=out)
    out *= LOG2E
    np.exp2(out, out=out)
    return out @ ones
