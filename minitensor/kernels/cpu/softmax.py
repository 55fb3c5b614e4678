"""Softmax and its logarithm along the last axis, in blocks of rows (r, n) that stay in the processor's cache.

e^(x - m) / Z is the same for every m, and overflows for none that is the largest entry of its row or above. So all rows
of a block share their largest entry, or 0 where that is small, for which nothing is looked up row by row, as long as no
Z = Σ e^(x - m) gets small; then each takes its own. Z is a product with ones, for which BLAS is faster than a
reduction. With p = e^(x - m) / Z the gradients are

    softmax    dx = p (g - Σ g p)        log_softmax    dx = g - p Σ g
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import outer
from minitensor.ops.nn.softmax import log_softmax, softmax

Array = np.ndarray

BLOCK = 262_144  # entries
FAR = 8.0  # up to here ln Z, that is not shifted, is rounded by less than 5e-7
SMALL = 1e-3  # so no row lies more than ln(n/SMALL) below m: rounding x - m costs e^(x - m) few units


def powers(rows: Array, out: Array, ones: Array) -> tuple[Array, Array]:
    """Write e^(x - m) into `out`; returns Z (r,), and m as it broadcasts against the rows: NaN beside an infinity."""
    m = rows.max()
    if np.isfinite(m):
        if abs(m) <= FAR:
            m *= 0
        z = raised(rows, m, out, ones)
        if z.min() >= SMALL:
            return z, m
    top = rows[np.arange(len(rows)), rows.argmax(axis=1)]
    m = np.where(np.isfinite(top), top, math.nan).astype(rows.dtype)[:, None]
    return raised(rows, m, out, ones), m


def raised(rows: Array, m: Array, out: Array, ones: Array) -> Array:
    """Write e^(x - m) into `out` and return its sum over each row."""
    np.exp(np.subtract(rows, m, out=out) if np.ndim(m) or m else rows, out=out)
    sums: Array = out @ ones
    return sums


def last(x: Array, axis: int) -> bool:
    """Whether `axis` is the last one of an array that has entries."""
    return x.ndim > 0 and x.size > 0 and type(axis) is int and axis in (-1, x.ndim - 1)


@softmax.fused("cpu")
def softmax_cpu(x: Array, *, needs: tuple[bool, ...], axis: int = -1) -> Outcome:
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
        p = kept[part]
        z, _ = powers(rows[part], p, ones)
        if needs[0]:
            p *= outer(1 / z, ones, out=y[part])
            y[part] = p
        else:
            p /= z[:, None]

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient, dx = np.ascontiguousarray(g).reshape(-1, n), np.empty_like(rows)
        buffer = np.empty((min(step, len(rows)), n), x.dtype)
        for part in parts:
            p = kept[part]
            along = np.multiply(gradient[part], p, out=dx[part])
            level = outer(along @ ones, ones, out=buffer[: len(p)])
            level *= p
            along -= level
        return (dx.reshape(x.shape),)

    return y.reshape(x.shape), pullback


@log_softmax.fused("cpu")
def log_softmax_cpu(x: Array, *, needs: tuple[bool, ...], axis: int = -1) -> Outcome:
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
        outer(-np.log(z[part, 0]), ones, out=y[part])
        y[part] += rows[part] - m if np.ndim(m) or m else rows[part]

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient, dx = np.ascontiguousarray(g).reshape(-1, n), np.empty_like(rows)
        for part in parts:
            gp = gradient[part]
            share = outer(gp @ ones / z[part, 0], ones, out=dx[part])
            share *= kept[part]
            np.subtract(gp, share, out=share)
        return (dx.reshape(x.shape),)

    return y.reshape(x.shape), pullback
