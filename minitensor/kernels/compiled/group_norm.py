"""Group norm, sample by sample: each is read from memory once, and found in the processor's cache after that.

With x̂ = (x - mean)/σ, σ = √(var + eps), m entries in a group, and h = g w the gradient of x̂ (Wu & He 2018):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - Σh/m - x̂ Σ(h x̂)/m) / σ

The statistics that are returned beside y have gradients of their own: that of the mean is spread evenly, that of the
variance goes along 2 (x - mean)/m. There are loops for samples (c, places) and for samples (places, c).
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled, inlined, real
from minitensor.kernels.compiled.layout import BLOCK, packed, share
from minitensor.ops.nn.normalization import group_norm

Array = np.ndarray
RUN = 64  # places that are added up in the arrays' dtype, on which the digits of the variance hang; then in float64


@compiled(sums=True)
def forward_first(
    x: Array, y: Array, mean: Array, var: Array, inverse: Array, weight: Array, bias: Array, groups: int, eps: float
) -> None:
    """Write y, and mean, variance and 1/σ of each group, of samples (c, places)."""
    n, c, places = x.shape
    per = c // groups
    for k in range(n * groups):
        i, first = k // groups, k % groups * per
        total = np.float64(0.0)
        for j in range(first, first + per):
            for start in range(0, places, BLOCK):
                part = 0.0
                for p in range(start, min(start + BLOCK, places)):
                    part += x[i, j, p]
                total += part
        m = real(total / (per * places))
        total, square = np.float64(0.0), np.float64(0.0)
        for j in range(first, first + per):
            for start in range(0, places, BLOCK):
                a, b = 0.0, 0.0
                for p in range(start, min(start + BLOCK, places)):
                    a += x[i, j, p] - m
                    b += (x[i, j, p] - m) * (x[i, j, p] - m)
                total += a
                square += b
        v, r = spread(total / (per * places), square / (per * places), eps)
        mean[i, k % groups], var[i, k % groups], inverse[i, k % groups] = m, v, r
        for j in range(first, first + per):
            scale, level = real(r * weight[j]), bias[j]
            for p in range(places):
                y[i, j, p] = (x[i, j, p] - m) * scale + level


@inlined
def spread(off: Any, square: Any, eps: Any) -> Any:
    """Return variance and 1/σ from mean(x - m) and mean((x - m)²); NaN stays NaN."""
    v = square - off * off
    v = np.float64(0.0) if v < 0.0 else v
    return v, 1.0 / np.sqrt(v + eps)


@inlined
def deviations(x: Any, pivot: Any, a: Any, b: Any, sums: Any) -> None:
    """Write Σ(x - p) and Σ(x - p)² of each channel of a sample (places, c) into sums (2, c)."""
    for j in range(x.shape[1]):
        sums[0, j], sums[1, j] = np.float64(0.0), np.float64(0.0)
    for start in range(0, x.shape[0], RUN):
        for j in range(x.shape[1]):
            a[j], b[j] = 0.0, 0.0
        for p in range(start, min(start + RUN, x.shape[0])):
            for j in range(x.shape[1]):
                d = x[p, j] - pivot[j]
                a[j] += d
                b[j] += d * d
        gather(a, b, sums)


@inlined
def products(g: Any, x: Any, pivot: Any, a: Any, b: Any, sums: Any) -> None:
    """Write Σ g and Σ g (x - p) of each channel of a sample (places, c) into sums (2, c)."""
    for j in range(x.shape[1]):
        sums[0, j], sums[1, j] = np.float64(0.0), np.float64(0.0)
    for start in range(0, x.shape[0], RUN):
        for j in range(x.shape[1]):
            a[j], b[j] = 0.0, 0.0
        for p in range(start, min(start + RUN, x.shape[0])):
            for j in range(x.shape[1]):
                a[j] += g[p, j]
                b[j] += g[p, j] * (x[p, j] - pivot[j])
        gather(a, b, sums)


@inlined
def gather(a: Any, b: Any, sums: Any) -> None:
    """Add what a run of places came to."""
    for j in range(a.size):
        sums[0, j] += a[j]
        sums[1, j] += b[j]


@inlined
def group_mean(sums: Any, first: int, count: int) -> Any:
    """Return the mean of `count` sums from the first one on."""
    total = np.float64(0.0)
    for j in range(first, first + count):
        total += sums[j]
    return total / count


@compiled
def forward_last(
    x: Array, y: Array, mean: Array, var: Array, inverse: Array, weight: Array, bias: Array, groups: int, eps: float
) -> None:
    """Write y, and mean, variance and 1/σ of each group, of samples (places, c)."""
    n, places, c = x.shape
    per = c // groups
    a, b, pivot, scale = np.empty_like(weight), np.empty_like(weight), np.empty_like(weight), np.empty_like(weight)
    sums = np.empty((2, c), mean.dtype)
    for i in range(n):
        for j in range(c):
            pivot[j] = 0.0
        deviations(x[i], pivot, a, b, sums)
        for k in range(groups):
            m = real(group_mean(sums[0], k * per, per) / places)
            for j in range(k * per, k * per + per):
                pivot[j] = m
        deviations(x[i], pivot, a, b, sums)
        for k in range(groups):
            off, square = group_mean(sums[0], k * per, per) / places, group_mean(sums[1], k * per, per) / places
            mean[i, k] = pivot[k * per]
            var[i, k], inverse[i, k] = spread(off, square, eps)
            for j in range(k * per, k * per + per):
                scale[j] = real(inverse[i, k] * weight[j])
        for p in range(places):
            for j in range(c):
                y[i, p, j] = (x[i, p, j] - pivot[j]) * scale[j] + bias[j]


@compiled(sums=True)
def backward_first(
    g: Array, x: Array, dx: Array, mean: Array, inverse: Array, of_mean: Array, of_var: Array, total: Array,
    along: Array, weight: Array, groups: int,
) -> None:  # fmt: skip
    """Write dx, Σ g and Σ g x̂ of samples (c, places)."""
    n, c, places = x.shape
    per = c // groups
    for k in range(n * groups):
        i, group, first = k // groups, k % groups, k % groups * per
        m, r = real(mean[i, group]), inverse[i, group]
        level, tilt = np.float64(0.0), np.float64(0.0)
        for j in range(first, first + per):
            s, t = np.float64(0.0), np.float64(0.0)
            for start in range(0, places, BLOCK):
                a, b = 0.0, 0.0
                for p in range(start, min(start + BLOCK, places)):
                    a += g[i, j, p]
                    b += g[i, j, p] * (x[i, j, p] - m)
                s += a
                t += b
            total[i, j], along[i, j] = s, t * r
            level += s * weight[j]
            tilt += t * r * weight[j]
        slope, shift = slopes(level, tilt, r, of_mean[i, group], of_var[i, group], per * places)
        slope, shift = real(slope), real(shift)
        for j in range(first, first + per):
            scale = real(r * weight[j])
            for p in range(places):
                dx[i, j, p] = g[i, j, p] * scale + ((x[i, j, p] - m) * slope + shift)


@inlined
def slopes(level: Any, tilt: Any, r: Any, of_mean: Any, of_var: Any, count: Any) -> Any:
    """Return by what x - mean is multiplied in dx, and what is added."""
    return (2.0 * of_var - tilt * r * r) / count, (of_mean - level * r) / count


@compiled
def backward_last(
    g: Array, x: Array, dx: Array, mean: Array, inverse: Array, of_mean: Array, of_var: Array, total: Array,
    along: Array, weight: Array, groups: int,
) -> None:  # fmt: skip
    """Write dx, Σ g and Σ g x̂ of samples (places, c)."""
    n, places, c = x.shape
    per = c // groups
    a, b, pivot, scale = np.empty_like(weight), np.empty_like(weight), np.empty_like(weight), np.empty_like(weight)
    slope, shift, sums = np.empty_like(weight), np.empty_like(weight), np.empty((2, c), mean.dtype)
    for i in range(n):
        for j in range(c):
            pivot[j], scale[j] = real(mean[i, j // per]), real(inverse[i, j // per] * weight[j])
        products(g[i], x[i], pivot, a, b, sums)
        for k in range(groups):
            level, tilt, r = np.float64(0.0), np.float64(0.0), inverse[i, k]
            for j in range(k * per, k * per + per):
                total[i, j], along[i, j] = sums[0, j], sums[1, j] * r
                level += total[i, j] * weight[j]
                tilt += along[i, j] * weight[j]
            s, t = slopes(level, tilt, r, of_mean[i, k], of_var[i, k], per * places)
            for j in range(k * per, k * per + per):
                slope[j], shift[j] = real(s), real(t)
        for p in range(places):
            for j in range(c):
                dx[i, p, j] = g[i, p, j] * scale[j] + ((x[i, p, j] - pivot[j]) * slope[j] + shift[j])


@group_norm.fused("compiled")
def group_norm_compiled(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], groups: int, eps: float = 1e-5
) -> Any:
    """Run group_norm on samples as they lie in memory; keeps x and the statistics."""
    if x.ndim < 2 or not x.size or groups < 1 or x.shape[1] % groups or x.dtype.char not in "fd":
        return NotImplemented
    (n, c, *places), dtype = x.shape, x.dtype
    last = np.moveaxis(x, 1, -1).flags.c_contiguous and not x.flags.c_contiguous
    forward, backward = (forward_last, backward_last) if last else (forward_first, backward_first)

    def inside(v: Array) -> Array:
        count = math.prod(places)
        return packed(np.moveaxis(v, 1, -1)).reshape(n, count, c) if last else packed(v).reshape(n, c, count)

    def outside(v: Array) -> Array:
        return np.moveaxis(v.reshape(n, *places, c), -1, 1) if last else v.reshape(n, c, *places)

    samples, w = inside(x), np.ones(c, x.dtype) if weight is None else packed(np.asarray(weight, x.dtype))
    level = np.zeros(c, x.dtype) if bias is None else packed(np.asarray(bias, x.dtype))
    y, (mean, var, inverse) = np.empty_like(samples), np.empty((3, n, groups))
    share(forward, (samples, y, mean, var, inverse), w, level, groups, float(eps))

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        upstream = [np.zeros((n, groups)) if v is None else packed(v.astype(np.float64)) for v in gradients[1:]]
        g, dx = np.zeros_like(samples) if gradients[0] is None else inside(gradients[0]), np.empty_like(samples)
        sums = np.empty((2, n, c))
        share(backward, (g, samples, dx, mean, inverse, *upstream, *sums), w, groups)
        with np.errstate(over="ignore", invalid="ignore"):
            db, dw = sums.sum(axis=1).astype(dtype)
        return outside(dx), None if weight is None else dw, None if bias is None else db

    with np.errstate(over="ignore", invalid="ignore"):
        statistics = mean.astype(dtype), var.astype(dtype)
    return (outside(y), *statistics), pullback if any(needs) else None
