"""Running sums along an axis of arrays (a, n, b), in float64."""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled, real
from minitensor.kernels.compiled.layout import packed, share
from minitensor.ops.reductions.scan import cumsum

Array = np.ndarray
WIDTH = 64  # columns whose sums run side by side


@compiled
def running(x: Array, y: Array, backwards: bool) -> None:
    """y[i, j] = Σ_{k <= j} x[i, k], or of k >= j"""
    a, n, b = x.shape
    first, step = (n - 1, -1) if backwards else (0, 1)
    total = np.empty(WIDTH, np.float64)
    for i in range(a):
        for start in range(0, b, WIDTH):
            width = min(WIDTH, b - start)
            for c in range(width):
                total[c] = np.float64(0.0)
            for k in range(n):
                for c in range(width):
                    total[c] += x[i, first + k * step, start + c]
                    y[i, first + k * step, start + c] = real(total[c])


@compiled
def running_row(x: Array, y: Array, backwards: bool) -> None:
    """y[i, j] = Σ_{k <= j} x[i, k], or of k >= j, where neighbors lie side by side"""
    a, n = x.shape
    first, step = (n - 1, -1) if backwards else (0, 1)
    for i in range(a):
        s = np.float64(0.0)
        for k in range(n):
            s += x[i, first + k * step]
            y[i, first + k * step] = real(s)


@cumsum.fused("compiled")
def cumsum_compiled(x: Array, *, needs: tuple[bool, ...], axis: int | None = None) -> Any:
    """Run cumsum along one axis; keeps nothing."""
    if type(axis) is not int or not -x.ndim <= axis < x.ndim or not x.size or x.dtype.char not in "fd":
        return NotImplemented
    shape = x.shape
    rows: tuple[int, ...] = math.prod(shape[: axis % x.ndim]), shape[axis], math.prod(shape[axis % x.ndim + 1 :])
    loop, rows = (running_row, rows[:2]) if rows[2] == 1 else (running, rows)

    def along(v: Array, backwards: bool) -> Array:
        y = np.empty(shape, v.dtype)
        share(loop, (packed(v).reshape(rows), y.reshape(rows)), backwards)
        return y

    return along(x, False), (lambda g: (along(g, True),)) if needs[0] else None
