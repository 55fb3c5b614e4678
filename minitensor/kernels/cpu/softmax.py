"""Softmax and its logarithm along the last axis, in blocks of rows (r, n) that stay in the processor's cache.

e^(x - m) / Z is the same for every m, and overflows for none that is the largest entry of its row or above. So all rows
of a block share their largest entry, for which nothing is looked up row by row, as long as no Z = Σ e^(x - m) gets
small; then each takes its own. Z is a product with ones, for which BLAS is faster than a reduction, and powers are of
2, times log₂ e. With p = e^(x - m) / Z the gradients are

    softmax    dx = p (g - Σ g p)        log_softmax    dx = g - p Σ g
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops.softmax import log_softmax, softmax

Array = np.ndarray[Any, Any]

BLOCK = 131_072  # entries
LOG2E = 1 / math.log(2)
SMALL = 1e-3  # so no row lies more than ln(n/SMALL) below m: rounding x - m costs e^(x - m) few units


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


def last(x: Array, axis: Any) -> bool:
    """Whether `axis` is the last one of an array that has entries."""
    return x.ndim > 0 and x.size > 0 and type(axis) is int and axis in (-1, x.ndim - 1)


@softmax.fused("cpu")
def softmax_cpu(x: Array, *, needs: tuple[bool, ...], axis: Any = -1) -> Any:
    """Run softmax; keeps a copy of its result."""
    if not last(x, axis):
        return NotImplemented
    n = x.shape[-1]
    rows = np.ascontiguousarray(x).reshape(-1, n)
    y = np.empty_like(rows)
    kept = np.empty_like(rows) if needs[0] else y
    ones, step = np.ones(n, x.dtype), max(1, BLOCK // n)
    parts = [slice(start, start + step) for start in range(0, len(rows), step)]
    for part in parts:
        z, _ = powers(rows[part], y[part], ones)
        y[part] /= z[:, None]
        if needs[0]:
            kept[part] = y[part]

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient, dx = np.ascontiguousarray(g).reshape(-1, n), np.empty_like(rows)
        for part in parts:
            gp, p = gradient[part], kept[part]
            np.subtract(gp, np.vecdot(gp, p)[:, None], out=dx[part])
            dx[part] *= p
        return (dx.reshape(x.shape),)

    return y.reshape(x.shape), pullback


@log_softmax.fused("cpu")
def log_softmax_cpu(x: Array, *, needs: tuple[bool, ...], axis: Any = -1) -> Any:
    """Run log_softmax; keeps e^(x - m) and Z."""
    if not last(x, axis):
        return NotImplemented
    n = x.shape[-1]
    rows = np.ascontiguousarray(x).reshape(-1, n)
    y, z = np.empty_like(rows), np.empty((len(rows), 1), x.dtype)
    kept = np.empty_like(rows) if needs[0] else y
    ones, step = np.ones(n, x.dtype), max(1, BLOCK // n)
    parts = [slice(start, start + step) for start in range(0, len(rows), step)]
    for part in parts:
        z[part, 0], m = powers(rows[part], kept[part], ones)
        np.subtract(rows[part], m, out=y[part])
        y[part] -= np.log(z[part])

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient, dx = np.ascontiguousarray(g).reshape(-1, n), np.empty_like(rows)
        for part in parts:
            gp = gradient[part]
            np.multiply(kept[part], (gp @ ones)[:, None] / z[part], out=dx[part])
            np.subtract(gp, dx[part], out=dx[part])
        return (dx.reshape(x.shape),)

    return y.reshape(x.shape), pullback
