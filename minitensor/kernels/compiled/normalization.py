"""Batch and group norm on images with their channels last (s, places, c).

Each of s samples has its channels normalized in groups; for batch norm all images are one sample, and each channel is a
group. With x̂ = (x - mean)/σ, σ = √(var + eps), m entries in a group, and h = g w the gradient of x̂ (Ioffe & Szegedy
2015, section 3; Wu & He 2018):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - Σh/m - x̂ Σ(h x̂)/m) / σ

Forward reads x twice, for Σ(x - p) and Σ(x - p)² and for y; backward reads x and g twice. The pivot p is 0, or the mean
in another pass where mean² is so much larger than the variance that rounding would show. The statistics that are
returned beside y have gradients of their own: that of the mean is spread evenly, that of the variance goes along
2 (x - mean)/m. Where x is a part of a batch (`data_parallel`), batch norm's m and its sums but those of dw and db are
the whole batch's.
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Loop, compiled
from minitensor.kernels.compiled.layout import packed, share
from minitensor.kernels.cpu.layout import LARGE
from minitensor.ops.nn.collective import all_sum
from minitensor.ops.nn.normalization import batch_norm, group_norm

Array = np.ndarray[Any, Any]
RUN = 64  # places that are added up in the arrays' dtype, on which the digits of the variance hang; then in float64
UNIT = 1024  # places of one sample that a thread takes at a time


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


class Images:
    """The layout of images (n, ..., c) as rows of channels, and of what each of s samples has one of."""

    def __init__(self, shape: tuple[int, ...], groups: int, dtype: Any) -> None:
        self.c, self.dtype = shape[-1], dtype
        self.s = shape[0] if groups else 1  # for batch norm they are one sample, each of whose channels is a group
        self.groups = groups or self.c
        self.whole: Any = (lambda v: v) if groups else all_sum  # adds up a team's sums
        places = math.prod(shape[:-1]) // self.s
        self.count = places * self.c // self.groups
        self.unit = places if self.s > 1 else UNIT
        self.units = self.s if self.s > 1 else -(-places // UNIT)

    def grouped(self, values: Array) -> Array:
        """Σ over the channels of each group: (..., s, c) -> (..., s, groups)"""
        y: Array = values.reshape(*values.shape[:-1], self.groups, -1).sum(axis=-1)
        return y

    def spread(self, values: Array) -> Array:
        """Return (s, groups) as (s, c)."""
        return np.repeat(values, self.c // self.groups, axis=-1)

    def repeated(self, values: Array) -> Array:
        """Return (s, c) for each unit, in the images' dtype."""
        return np.array(np.broadcast_to(values, (self.units, self.c)), self.dtype, order="C")

    def sums(self, loop: Loop, arrays: tuple[Array, ...], pivot: Array) -> Array:
        """Return the two sums of a loop, (2, s, c)."""
        out = np.empty((self.units, 2, self.c))
        share(loop, arrays, self.unit, blocks=(out, pivot), rows=self.unit)
        return np.moveaxis(out if self.s > 1 else out.sum(axis=0, keepdims=True), 1, 0)


def statistics(x: Array, images: Images, eps: float) -> tuple[Array, Array, Array]:
    """Return mean, variance and the number of entries, (s, groups); the mean as the dtype has it."""
    mean = np.zeros((images.s, images.groups))
    for _ in range(2):
        total, square = images.grouped(images.sums(moments, (x,), images.repeated(images.spread(mean))))
        total, square, count = images.whole(np.stack([total, square, np.full_like(total, images.count)]))
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
    images: Images,
    eps: float,
) -> Any:
    """Return y, mean, var (s, groups) and the pullback, for rows of channels."""
    mean, var, count = statistics(x, images, eps)
    inverse = 1 / np.sqrt(var + eps)
    w = np.ones(images.c) if weight is None else weight.astype(np.float64)
    center, scale = images.repeated(images.spread(mean)), images.repeated(images.spread(inverse) * w)
    level = np.zeros(images.c, x.dtype) if bias is None else packed(np.asarray(bias, x.dtype))
    y = np.empty_like(x)
    share(forward, (x, y), level, images.unit, blocks=(center, scale), rows=images.unit)

    def pullback(g: Array, g_mean: Array, g_var: Array) -> tuple[Array | None, ...]:
        total, along = images.sums(products, (g, x), center)
        along = along * images.spread(inverse)  # Σ g x̂
        dx = None
        if needs[0]:
            sums = np.stack([images.grouped(total * w), images.grouped(along * w), g_mean, g_var])
            mean_h, mean_along, of_mean, of_var = images.whole(sums) / count
            slope = images.repeated(images.spread(of_var * 2 - mean_along * inverse**2))
            shift = images.repeated(images.spread(of_mean - mean_h * inverse))
            dx = np.empty_like(x)
            share(backward, (g, x, dx), images.unit, blocks=(center, scale, slope, shift), rows=images.unit)
        dw, db = (v.sum(axis=0).astype(x.dtype) for v in (along, total))
        return dx, dw if weight is not None and needs[1] else None, db if bias is not None and needs[2] else None

    return y, mean.astype(x.dtype), var.astype(x.dtype), pullback


def run(x: Array, weight: Array | None, bias: Array | None, needs: tuple[bool, ...], groups: int, eps: float) -> Any:
    """Bring images (n, c, ...) to rows of channels, and the results back; `groups` is 0 for batch norm."""
    last = np.moveaxis(x, 1, -1).shape
    n, c = x.shape[:2]
    images = Images(last, groups, x.dtype)
    shape = (n, groups) if groups else (c,)

    def inside(v: Array) -> Array:
        return packed(np.moveaxis(v, 1, -1)).reshape(-1, c)

    def outside(v: Array) -> Array:
        return np.moveaxis(v.reshape(last), -1, 1)

    with np.errstate(over="ignore", invalid="ignore"):
        y, mean, var, back = normalize(inside(x), weight, bias, needs, images, eps)
    inner, dtype = y.shape, y.dtype  # the pullback would keep y itself alive

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, *others = gradients
        upstream = np.zeros(inner, dtype) if g is None else inside(g)
        with np.errstate(over="ignore", invalid="ignore"):
            found = back(upstream, *(np.zeros(mean.shape) if v is None else v.reshape(mean.shape) for v in others))
        dx, dw, db = found
        return None if dx is None else outside(dx), dw, db

    return (outside(y), mean.reshape(shape), var.reshape(shape)), pullback


@batch_norm.fused("compiled")
def batch_norm_compiled(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], eps: float = 1e-5
) -> Any:
    """Run batch_norm; keeps x and the statistics."""
    return run(x, weight, bias, needs, 0, eps) if x.ndim > 1 and x.size and x.dtype.char in "fd" else NotImplemented


@group_norm.fused("compiled")
def group_norm_compiled(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], groups: int, eps: float = 1e-5
) -> Any:
    """Run group_norm; keeps x and the statistics."""
    if x.ndim < 2 or not x.size or groups < 1 or x.shape[1] % groups or x.dtype.char not in "fd":
        return NotImplemented
    return run(x, weight, bias, needs, groups, eps)
