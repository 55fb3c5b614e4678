"""Batch norm on images with their channels last (places, c).

With x̂ = (x - mean)/σ, σ = √(var + eps), m entries of a channel, and h = g w the gradient of x̂ (Ioffe & Szegedy 2015,
section 3):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - Σh/m - x̂ Σ(h x̂)/m) / σ

Forward reads x twice, for Σ(x - p) and Σ(x - p)² and for y; backward reads x and g twice. The pivot p is 0, or the mean
in another pass where mean² is so much larger than the variance that rounding would show. The statistics that are
returned beside y have gradients of their own: that of the mean is spread evenly, that of the variance goes along
2 (x - mean)/m. Where x is a part of a batch (`data_parallel`), m and the sums but those of dw and db are
the whole batch's.
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Loop, compiled
from minitensor.kernels.compiled.layout import packed, share
from minitensor.kernels.cpu.layout import LARGE
from minitensor.ops.nn.collective import all_sum
from minitensor.ops.nn.normalization import batch_norm

Array = np.ndarray
RUN = 64  # places that are added up in the arrays' dtype, on which the digits of the variance hang; then in float64
whole: Any = all_sum  # adds up a team's sums: arrays of arrays
UNIT = 1024  # places that a thread takes at a time


@compiled(sums=True)
def moments(x: Array, out: Array, pivot: Array, unit: int) -> None:
    """Write Σ(x - p) and Σ(x - p)² of each channel, for `unit` places at a time."""
    rows, c = x.shape
    a, b = np.empty_like(pivot[0]), np.empty_like(pivot[0])
    for k in range(len(out)):
        out[k] = 0.0
        end = min((k + 1) * unit, rows)
        for start in range(k * unit, end, RUN):
            a[:] = 0.0
            b[:] = 0.0
            for i in range(start, min(start + RUN, end)):
                for j in range(c):
                    d = x[i, j] - pivot[k, j]
                    a[j] += d
                    b[j] += d * d
            for j in range(c):
                out[k, 0, j] += a[j]
                out[k, 1, j] += b[j]


@compiled(sums=True)
def products(g: Array, x: Array, out: Array, mean: Array, unit: int) -> None:
    """Write Σ g and Σ g (x - mean) of each channel, for `unit` places at a time."""
    rows, c = x.shape
    a, b = np.empty_like(mean[0]), np.empty_like(mean[0])
    for k in range(len(out)):
        out[k] = 0.0
        end = min((k + 1) * unit, rows)
        for start in range(k * unit, end, RUN):
            a[:] = 0.0
            b[:] = 0.0
            for i in range(start, min(start + RUN, end)):
                for j in range(c):
                    a[j] += g[i, j]
                    b[j] += g[i, j] * (x[i, j] - mean[k, j])
            for j in range(c):
                out[k, 0, j] += a[j]
                out[k, 1, j] += b[j]


@compiled
def forward(x: Array, y: Array, mean: Array, scale: Array, bias: Array, unit: int) -> None:
    """y = (x - mean) scale + bias"""
    rows, c = x.shape
    for k in range(len(mean)):
        for i in range(k * unit, min((k + 1) * unit, rows)):
            for j in range(c):
                y[i, j] = (x[i, j] - mean[k, j]) * scale[k, j] + bias[j]


@compiled
def backward(g: Array, x: Array, dx: Array, mean: Array, scale: Array, slope: Array, shift: Array, unit: int) -> None:
    """dx = g scale + (x - mean) slope + shift"""
    rows, c = x.shape
    for k in range(len(mean)):
        for i in range(k * unit, min((k + 1) * unit, rows)):
            for j in range(c):
                dx[i, j] = g[i, j] * scale[k, j] + ((x[i, j] - mean[k, j]) * slope[k, j] + shift[k, j])


class Rows:
    """Images as rows of channels (places, c), UNIT of them at a time."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.c, self.dtype = shape[-1], dtype
        self.count = math.prod(shape[:-1])
        self.units = -(-self.count // UNIT)

    def repeated(self, values: Array) -> Array:
        """Return (c,) for each unit, in the images' dtype."""
        return np.array(np.broadcast_to(values, (self.units, self.c)), self.dtype, order="C")

    def sums(self, loop: Loop, arrays: tuple[Array, ...], pivot: Array) -> Array:
        """Return the two sums of a loop, (2, c)."""
        out = np.empty((self.units, 2, self.c))
        share(loop, arrays, UNIT, blocks=(out, pivot), rows=UNIT)
        y: Array = out.sum(axis=0)
        return y


def statistics(x: Array, rows: Rows, eps: float) -> tuple[Array, Array, Array]:
    """Return mean, variance and the number of entries, (c,); the mean as the dtype has it."""
    mean = np.zeros(rows.c)
    for _ in range(2):
        total, square = rows.sums(moments, (x,), rows.repeated(mean))
        total, square, count = whole(np.stack([total, square, np.full_like(total, rows.count)]))
        off = total / count
        mean, var = (mean + off).astype(x.dtype).astype(np.float64), np.maximum(square / count - off * off, 0)
        if not np.any(off * off > LARGE * (var + eps)):
            break
    return mean, var, count


def normalize(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    needs: tuple[bool, ...],
    rows: Rows,
    eps: float,
) -> Any:
    """Return y, mean, var (c,) and the pullback, for rows of channels."""
    mean, var, count = statistics(x, rows, eps)
    inverse = 1 / np.sqrt(var + eps)
    w = np.ones(rows.c) if weight is None else weight.astype(np.float64)
    center, scale = rows.repeated(mean), rows.repeated(inverse * w)
    level = np.zeros(rows.c, x.dtype) if bias is None else packed(np.asarray(bias, x.dtype))
    y = np.empty_like(x)
    share(forward, (x, y), level, UNIT, blocks=(center, scale), rows=UNIT)

    def pullback(g: Array, g_mean: Array, g_var: Array) -> tuple[Array | None, ...]:
        total, along = rows.sums(products, (g, x), center)
        along = along * inverse  # Σ g x̂
        dx = None
        if needs[0]:
            mean_h, mean_along, of_mean, of_var = whole(np.stack([total * w, along * w, g_mean, g_var])) / count
            slope = rows.repeated(of_var * 2 - mean_along * inverse**2)
            shift = rows.repeated(of_mean - mean_h * inverse)
            dx = np.empty_like(x)
            share(backward, (g, x, dx), UNIT, blocks=(center, scale, slope, shift), rows=UNIT)
        dw, db = along.astype(x.dtype), total.astype(x.dtype)
        return dx, dw if weight is not None and needs[1] else None, db if bias is not None and needs[2] else None

    return y, mean.astype(x.dtype), var.astype(x.dtype), pullback


@batch_norm.fused("compiled")
def batch_norm_compiled(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], eps: float = 1e-5
) -> Any:
    """Bring images (n, c, ...) to rows of channels, and the results back; keeps x and the statistics."""
    if x.ndim < 2 or not x.size or x.dtype.char not in "fd":
        return NotImplemented
    last, c = np.moveaxis(x, 1, -1).shape, x.shape[1]

    def inside(v: Array) -> Array:
        return packed(np.moveaxis(v, 1, -1)).reshape(-1, c)

    def outside(v: Array) -> Array:
        return np.moveaxis(v.reshape(last), -1, 1)

    with np.errstate(over="ignore", invalid="ignore"):
        y, mean, var, back = normalize(inside(x), weight, bias, needs, Rows(last, x.dtype), eps)
    inner, dtype = y.shape, y.dtype  # the pullback would keep y itself alive

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, *others = gradients
        upstream = np.zeros(inner, dtype) if g is None else inside(g)
        with np.errstate(over="ignore", invalid="ignore"):
            dx, dw, db = back(upstream, *(np.zeros(c) if v is None else v for v in others))
        return None if dx is None else outside(dx), dw, db

    return (outside(y), mean, var), pullback
