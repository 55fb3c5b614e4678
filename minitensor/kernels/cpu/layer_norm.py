"""Layer normalization of rows X (r, d), in blocks of rows that stay in the processor's cache.

With σ = √(var + eps), x̂ = (x - mean)/σ and h = g w the gradient of x̂ (Ba et al. 2016):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - mean(h) - x̂ mean(h x̂)) / σ

Written out, y and dx are sums of x and g times matrices of rank one or two, and those a product makes faster than NumPy
repeats a row or a column:

    y = x ∘ (1/σ)wᵀ + (1bᵀ - (mean/σ)wᵀ)      dx = g ∘ (1/σ)wᵀ + x ∘ β1ᵀ + γ1ᵀ      β = -mean(h x̂)/σ²
                                                                                      γ = -mean(h)/σ - mean β

The variance is mean(x²) - mean². Where mean² is much larger, rounding would show: then x is centered first, which
changes neither y nor dx. x, the means and 1/σ are kept.
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import LARGE, RankTwo, channel_sum
from minitensor.ops.nn.normalization import layer_norm

Array = np.ndarray

BLOCK = 262_144  # entries


@layer_norm.fused("cpu")
def layer_norm_cpu(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    *,
    needs: tuple[bool, ...],
    axes: int = 1,
    eps: float = 1e-5,
) -> Outcome:
    """Run layer_norm; keeps x, the means and 1/σ."""
    d = math.prod(x.shape[x.ndim - axes :])
    if not x.size or d == 1:
        return NotImplemented
    rows = np.ascontiguousarray(x).reshape(-1, d)
    ones = np.ones(d, x.dtype)
    w = ones if weight is None else weight.reshape(d)
    b = np.zeros(d, x.dtype) if bias is None else bias.reshape(d)
    mean = rows @ ones / d
    variance = np.vecdot(rows, rows) / d - mean * mean + np.asarray(eps, x.dtype)
    if np.any(mean * mean > LARGE * variance):
        centered = rows - rows.mean(axis=1, keepdims=True)
        return layer_norm_cpu(centered.reshape(x.shape), weight, bias, needs=needs, axes=axes, eps=eps)
    inverse = 1 / np.sqrt(variance)
    step = max(1, BLOCK // d)
    parts = [slice(start, start + step) for start in range(0, len(rows), step)]
    y, buffer = np.empty_like(rows), np.empty((min(step, len(rows)), d), x.dtype)
    slope, level = RankTwo(inverse, w), RankTwo(mean * inverse, -w, 1.0, b)
    for part in parts:
        v = rows[part]
        out = slope.write(part, y[part])
        out *= v
        out += level.write(part, buffer[: len(v)])

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient = np.ascontiguousarray(g).reshape(rows.shape)
        product, buffer = np.empty(len(rows), x.dtype), np.empty((min(step, len(rows)), d), x.dtype)
        dw = np.zeros(d)  # float64: a sum of many blocks
        for part in parts:
            along = np.multiply(gradient[part], rows[part], out=buffer[: len(rows[part])])
            product[part] = along @ w
            dw += channel_sum(along, inverse[part])
        dw -= channel_sum(gradient, mean * inverse)
        dx = None
        if needs[0]:
            mean_h = gradient @ w / d
            beta = (mean * mean_h - product / d) * inverse**3
            tilt, shift = RankTwo(beta, ones), RankTwo(-mean_h * inverse - mean * beta, ones)
            dx = np.empty_like(rows)
            for part in parts:
                gp = gradient[part]
                other = buffer[: len(gp)]
                out = slope.write(part, dx[part])
                out *= gp
                tilt.write(part, other)
                other *= rows[part]
                out += other
                out += shift.write(part, other)
            dx = dx.reshape(x.shape)
        return (
            dx,
            None if weight is None else dw.astype(x.dtype).reshape(weight.shape),
            None if bias is None else channel_sum(gradient).reshape(bias.shape),
        )

    return y.reshape(x.shape), pullback
