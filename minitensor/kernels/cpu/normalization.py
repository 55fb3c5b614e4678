"""Batch and group normalization: one kernel, on images with their channels last (s, places, c).

Each of s samples has its channels normalized in groups; for batch norm all images are one sample, and each channel is a
group. With x̂ = (x - mean)/σ, σ = √(var + eps), m entries in a group, and h = g w the gradient of x̂ (Ioffe & Szegedy
2015, section 3; Wu & He 2018):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - Σh/m - x̂ Σ(h x̂)/m) / σ

Both y and dx are sums of x and g times numbers of their channel, so that x is read twice forward and twice backward,
for the sums and for the result. The variance is Σx²/m - mean². Where mean² is much larger, rounding would show: then
x is centered first, which changes neither y nor dx. The statistics that are returned beside y have gradients of their
own: that of the mean is spread evenly, that of the variance goes along 2 (x - mean)/m. Where x is a part of a batch
(`data_parallel`), batch norm's m and its sums but those of dw and db are the whole batch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import LARGE
from minitensor.ops.nn.collective import all_sum
from minitensor.ops.nn.normalization import batch_norm, group_norm

Array = np.ndarray
Chunk = tuple[slice, slice]  # of samples, and of their places
RUN = 64  # places that float32 adds up one after another, which is what the digits of the variance hang on
BLOCK = 262_144  # entries: what is computed at a time stays in the processor's cache


def _sum(v: Array) -> Array:
    """Σ over the places of (s, places, c): products with ones, RUN places at a time, and their sum in float64."""
    s, n, c = v.shape
    whole = n // RUN * RUN
    runs = np.ones((1, RUN), v.dtype) @ v[:, :whole].reshape(s, -1, RUN, c)  # (s, runs, 1, c)
    rest = np.ones((1, n - whole), v.dtype) @ v[:, whole:]
    y: Array = runs.sum(axis=(1, 2), dtype=np.float64) + rest[:, 0]
    return y


class _Chunks:
    """Images (s, places, c), some at a time: several samples, or a stretch of one."""

    def __init__(self, images: Array) -> None:
        self.s, self.length, self.c = images.shape
        self.dtype = images.dtype
        self.places = max(1, min(self.length, BLOCK // self.c))
        self.samples = max(1, min(self.s, BLOCK // (self.places * self.c)))
        self.shape = (self.samples, self.places, self.c)

    def __iter__(self) -> Iterator[Chunk]:
        for i in range(0, self.s, self.samples):
            for k in range(0, self.length, self.places):
                yield slice(i, i + self.samples), slice(k, k + self.places)

    def sums(self, g: Array, x: Array) -> Array:
        """Return Σ g and Σ g x over the places, (2, s, c) in float64: sums of many chunks."""
        total, buffer = np.zeros((2, self.s, self.c)), np.empty(self.shape, self.dtype)
        for chunk in self:
            part = g[chunk]
            k, n, _ = part.shape
            total[0, chunk[0]] += _sum(part)
            total[1, chunk[0]] += _sum(np.multiply(part, x[chunk], out=buffer[:k, :n]))
        return total

    def repeated(self, values: Array) -> Callable[[Chunk], Array]:
        """Return what repeats (s, c) over a chunk's places: NumPy takes half the time for arrays of one shape."""
        if self.s == 1:
            tile = np.tile(values.astype(self.dtype), (self.places, 1))[None]
            return lambda chunk: tile[:, : min(chunk[1].stop, self.length) - chunk[1].start]
        buffer, ones = np.empty(self.shape, self.dtype), np.ones((self.places, 2), self.dtype)
        rows = np.stack([values, np.zeros_like(values)], axis=1).astype(self.dtype)  # of rank two: BLAS has slow ways

        def write(chunk: Chunk) -> Array:
            """Write the outer product of ones and the values."""
            some, n = rows[chunk[0]], min(chunk[1].stop, self.length) - chunk[1].start
            return np.matmul(ones[:n], some, out=buffer[: len(some), :n])

        return write


def normalize(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    needs: tuple[bool, ...],
    groups: int,
    eps: float,
    whole: Callable[[Array], Array],
) -> Outcome:
    """Return y, mean, var (s, groups) and the pullback, for images (s, places, c); `whole` adds up a team's sums."""
    chunks = _Chunks(x)
    size = chunks.c // groups

    def grouped(values: Array) -> Array:
        y: Array = values.reshape(*values.shape[:-1], groups, size).sum(axis=-1)
        return y

    def channels(values: Array) -> Array:
        return np.repeat(values, size, axis=-1)

    def moments(x: Array) -> tuple[Array, Array, Array]:
        total, square = grouped(chunks.sums(x, x))
        total, square, count = whole(np.stack([total, square, np.full_like(total, chunks.length * size)]))
        mean = total / count
        return mean, np.maximum(square / count - mean * mean, 0), count

    mean, var, count = moments(x)
    moved = np.zeros_like(mean)
    if np.any(mean * mean > LARGE * (var + eps)):
        moved = mean
        x = x - channels(mean).astype(x.dtype)[:, None]
        mean, var, _ = moments(x)
    inverse = 1 / np.sqrt(var + eps)
    w = np.ones(chunks.c) if weight is None else weight
    scale, middle = channels(inverse) * w, channels(mean)
    factor, level = chunks.repeated(scale), chunks.repeated((0 if bias is None else bias) - middle * scale)
    y = np.empty_like(x)
    for chunk in chunks:
        out = np.multiply(x[chunk], factor(chunk), out=y[chunk])
        out += level(chunk)

    def pullback(g: Array, g_mean: Array, g_var: Array) -> tuple[Array | None, ...]:
        total, product = chunks.sums(g, x)
        along = (product - middle * total) * channels(inverse)  # Σ g x̂
        dx = None
        if needs[0]:
            sums = np.stack([grouped(total * w), grouped(along * w), g_mean, g_var])
            mean_h, mean_along, of_mean, of_var = whole(sums) / count
            slope = of_var * 2 - mean_along * inverse**2
            tilt = chunks.repeated(channels(slope))
            shift = chunks.repeated(channels(of_mean - mean_h * inverse - mean * slope))
            dx, buffer = np.empty_like(x), np.empty(chunks.shape, x.dtype)
            for chunk in chunks:
                out = np.multiply(g[chunk], factor(chunk), out=dx[chunk])
                k, n, _ = out.shape
                out += np.multiply(x[chunk], tilt(chunk), out=buffer[:k, :n])
                out += shift(chunk)
        dw, db = (v.sum(axis=0).astype(x.dtype) for v in (along, total))
        return dx, dw if weight is not None and needs[1] else None, db if bias is not None and needs[2] else None

    return y, (mean + moved).astype(x.dtype), var.astype(x.dtype), pullback


def run(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    needs: tuple[bool, ...],
    groups: int,
    eps: float,
    batch: bool,
) -> Outcome:
    """Bring images (n, c, ...) to (s, places, c), and the results back."""
    last = np.moveaxis(x, 1, -1).shape
    shape = (1 if batch else x.shape[0], -1, x.shape[1])
    statistics = (groups,) if batch else (x.shape[0], groups)

    def inside(v: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(v, 1, -1)).reshape(shape)

    def outside(v: Array) -> Array:
        return np.moveaxis(v.reshape(last), -1, 1)

    gathered: Any = all_sum if batch else lambda v: v
    y, mean, var, back = normalize(inside(x), weight, bias, needs, groups, eps, gathered)
    inner, dtype = y.shape, y.dtype  # the pullback would keep y itself alive

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, *others = gradients
        upstream = np.zeros(inner, dtype) if g is None else inside(g)
        dx, dw, db = back(upstream, *(np.zeros(mean.shape) if v is None else v.reshape(mean.shape) for v in others))
        return None if dx is None else outside(dx), dw, db

    return (outside(y), mean.reshape(statistics), var.reshape(statistics)), pullback


@batch_norm.fused("cpu")
def batch_norm_cpu(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], eps: float = 1e-5
) -> Outcome:
    """Run batch_norm; keeps x and the statistics."""
    return run(x, weight, bias, needs, x.shape[1], eps, True) if x.ndim > 1 and x.size else NotImplemented


@group_norm.fused("cpu")
def group_norm_cpu(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], groups: int, eps: float = 1e-5
) -> Outcome:
    """Run group_norm; keeps x and the statistics."""
    if x.ndim < 2 or not x.size or groups < 1 or x.shape[1] % groups:
        return NotImplemented
    return run(x, weight, bias, needs, groups, eps, False)
