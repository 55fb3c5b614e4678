"""Batch normalisation on channels-last rows, X (r, c) with one row per place.

With x̂ = (x - mean)/σ, σ = √(var + eps), and h = g w the gradient of x̂ (Ioffe & Szegedy 2015, section 3):

    y = x w/σ + (b - mean w/σ)      dw = Σ g x̂      db = Σ g      dx = (h - Σh/r - x̂ Σ(h x̂)/r) / σ

so that both passes over the images are a multiplication and an addition with one number per channel. The statistics
that are returned beside y have gradients of their own: x̂-free for the mean, 2 (x - mean)/r for the variance. Where x
is a part of a batch (`data_parallel`), r and all sums but those of dw and db are the whole batch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.kernels.cpu.layout import channel_sum, to_first, to_last
from minitensor.ops.collective import all_sum
from minitensor.ops.normalisation import batch_norm

Array = np.ndarray[Any, Any]


@batch_norm.fused("cpu")
def batch_norm_cpu(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], eps: float = 1e-5
) -> Any:
    """Run batch_norm on images (n, c, h, w); keeps x and the statistics."""
    if x.ndim != 4 or 0 in x.shape:
        return NotImplemented
    last = to_last(x)
    c = last.shape[3]
    rows = last.reshape(-1, c)  # (r, c)
    r = float(all_sum(np.asarray(float(len(rows)))))
    mean = all_sum(channel_sum(rows)) / x.dtype.type(r)
    y = rows - mean
    var = all_sum(channel_sum(y * y)) / x.dtype.type(r)
    inverse = 1 / np.sqrt(var + np.asarray(eps, x.dtype))
    scale = inverse if weight is None else weight * inverse
    y *= scale
    if bias is not None:
        y += bias

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, g_mean, g_var = gradients
        g = np.zeros_like(rows) if g is None else to_last(g).reshape(-1, c)
        centred = rows - mean
        total = channel_sum(g)
        along = channel_sum(g * centred) * inverse  # Σ g x̂
        zero, dx = np.zeros_like(mean), None
        if needs[0]:
            sums = (along, total, zero if g_var is None else g_var, zero if g_mean is None else g_mean)
            all_along, all_total, all_var, all_mean = all_sum(np.stack(sums)) / x.dtype.type(r)
            slope = all_along * inverse * scale - all_var * 2
            level = all_total * scale - all_mean
            centred *= slope
            centred += level
            dx = np.subtract(g * scale, centred, out=centred)
            dx = to_first(dx.reshape(last.shape))
        return dx, along if weight is not None and needs[1] else None, total if bias is not None and needs[2] else None

    return (to_first(y.reshape(last.shape)), mean, var), pullback
