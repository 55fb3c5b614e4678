"""What is read at places along an axis, as it is or with weights, of arrays (a, n, b) as they lie in memory.

    y[i, j] = Σ_t w[t, j] x[i, k[t, j]]      dx[i, k[t, j]] += w[t, j] g[i, j]

of rows of b entries. Where a place is read very often its gradient is left to the op, whose sums are pairwise.
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled
from minitensor.kernels.compiled.layout import packed, share, unsigned
from minitensor.ops.indexing.gather import add_rows, read_rows
from minitensor.ops.windows.interpolation import resampled

Array = np.ndarray
OFTEN = 256  # terms that are added one by one


@compiled
def forward(x: Array, y: Array, index: Array, weight: Array) -> None:
    """y (a, m, b) of x (a, n, b), with index and weight (taps, m)"""
    taps, m = index.shape
    for i in range(len(x)):
        if x.shape[2] == 1:
            for t in range(taps):
                for j in range(m):
                    term = weight[t, j] * x[i, index[t, j], 0]
                    y[i, j, 0] = term if t == 0 else y[i, j, 0] + term
        else:
            for j in range(m):
                for t in range(taps):
                    k, w = index[t, j], weight[t, j]
                    for c in range(x.shape[2]):
                        y[i, j, c] = w * x[i, k, c] if t == 0 else y[i, j, c] + w * x[i, k, c]


@compiled
def backward(g: Array, dx: Array, index: Array, weight: Array) -> None:
    """Add to dx (a, n, b), which is 0, what g (a, m, b) gives it."""
    taps, m = index.shape
    for i in range(len(g)):
        if g.shape[2] == 1:
            for t in range(taps):
                for j in range(m):
                    dx[i, index[t, j], 0] += weight[t, j] * g[i, j, 0]
        else:
            for j in range(m):
                for t in range(taps):
                    k, w = index[t, j], weight[t, j]
                    for c in range(g.shape[2]):
                        dx[i, k, c] += w * g[i, j, c]


def along(x: Array, index: Array, weight: Array, axis: int, needs: bool) -> Any:
    """Return the value and the gradient of x as a function of g; index (taps, m) is from -n to n - 1."""
    shape, n = x.shape, x.shape[axis]
    a, b = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    index = unsigned(index, n)
    y = np.empty((*shape[:axis], index.shape[1], *shape[axis + 1 :]), x.dtype)
    share(forward, (packed(x).reshape(a, n, b), y.reshape(a, -1, b)), index, packed(weight))

    def gradient(g: Array) -> Array:
        dx = np.zeros(shape, g.dtype)
        share(backward, (packed(g).reshape(a, -1, b), dx.reshape(a, n, b)), index, packed(weight))
        return dx

    return y, gradient if needs else None


def fits(x: Array, index: Array, axis: int) -> bool:
    """Whether there is something to read, and all of it there."""
    if x.dtype.char not in "fd" or not x.size or not index.size or not -x.ndim <= axis < x.ndim:
        return False
    return bool(-x.shape[axis] <= index.min() and index.max() < x.shape[axis])  # the op says what is wrong


@read_rows.fused("compiled")
def read_rows_compiled(x: Array, index: Array, *, needs: tuple[bool, ...], axis: int) -> Any:
    """Run read_rows; keeps the index."""
    if index.ndim != 1 or index.dtype.kind not in "iu" or not fits(x, index, axis):
        return NotImplemented
    axis %= x.ndim
    n, often = x.shape[axis], needs[0] and np.bincount(index.astype(np.int64) % x.shape[axis]).max() > OFTEN
    y, gradient = along(x, index[None], np.ones((1, len(index)), x.dtype), axis, needs[0])

    def pullback(g: Array) -> tuple[Array | None, ...]:
        return (add_rows.forward(g, index, axis=axis, length=n) if often else gradient(g)), None

    return y, pullback if needs[0] else None


@add_rows.fused("compiled")
def add_rows_compiled(x: Array, index: Array, *, needs: tuple[bool, ...], axis: int, length: int) -> Any:
    """Run add_rows; keeps the index."""
    axis = axis % x.ndim if x.ndim else 0
    if index.ndim != 1 or index.dtype.kind not in "iu" or x.dtype.char not in "fd" or not x.size:
        return NotImplemented
    places = index.astype(np.int64)
    if x.shape[axis] != len(index) or places.min() < -length or places.max() >= length:
        return NotImplemented
    if np.bincount(places % length).max() > OFTEN:
        return NotImplemented
    rows = math.prod(x.shape[:axis]), -1, math.prod(x.shape[axis + 1 :])
    y, one = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype), np.ones((1, len(index)), x.dtype)
    share(backward, (packed(x).reshape(rows), y.reshape(rows)), unsigned(places, length)[None], one)
    return y, (lambda g: (read_rows.forward(g, index, axis=axis), None)) if needs[0] else None


@resampled.fused("compiled")
def resampled_compiled(x: Array, index: Array, weight: Array, *, needs: tuple[bool, ...], axis: int) -> Any:
    """Run resampled; keeps x, index and weight."""
    if needs[1] or index.ndim != 2 or index.shape != weight.shape or not fits(x, index, axis):
        return NotImplemented
    if weight.dtype != x.dtype or np.bincount(index.reshape(-1).astype(np.int64) % x.shape[axis]).max() > OFTEN:
        return NotImplemented
    y, gradient = along(x, index, weight, axis % x.ndim, needs[0])

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dw = None
        if needs[2]:
            rows, upstream = np.moveaxis(x, axis, 0), np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
            read = [rows[k].reshape(len(k), -1) for k in index]
            dw = np.array([(v * upstream).sum(axis=1, dtype=np.float64) for v in read]).astype(x.dtype)
        return gradient(g) if gradient else None, None, dw

    return y, pullback if any(needs) else None
