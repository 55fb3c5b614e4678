"""Layer normalisation of rows X (r, d), in blocks of rows that stay in the processor's cache.

With x̂ = (x - mean)/σ, σ = √(var + eps), and h = g w the gradient of x̂ (Ba et al. 2016):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - mean(h) - x̂ mean(h x̂)) / σ

Means over a row are products with a vector, for which BLAS is faster than a reduction. x̂ and 1/σ are kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.kernels.cpu.layout import channel_sum
from minitensor.ops.normalisation import layer_norm

Array = np.ndarray[Any, Any]

BLOCK = 65_536  # entries
NOTHING = 1e-14  # share of the variance: less changes no digit of float32


@layer_norm.fused("cpu")
def layer_norm_cpu(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    *,
    needs: tuple[bool, ...],
    axes: int = 1,
    eps: float = 1e-5,
) -> Any:
    """Run layer_norm; keeps the normalised rows and 1/σ."""
    d = math.prod(x.shape[x.ndim - axes :])
    if not x.size or d == 1:
        return NotImplemented
    rows = np.ascontiguousarray(x).reshape(-1, d)
    w = None if weight is None else weight.reshape(d)
    b = None if bias is None else bias.reshape(d)
    r = len(rows)
    hat, y = np.empty_like(rows), np.empty_like(rows)
    inverse = np.empty((r, 1), x.dtype)
    average = np.full(d, 1 / d, x.dtype)
    step = max(1, BLOCK // d)
    for start in range(0, r, step):
        part = slice(start, start + step)
        centred = np.subtract(rows[part], (rows[part] @ average)[:, None], out=hat[part])
        rest = centred @ average  # what rounding left of a large mean
        variance = np.vecdot(centred, centred) / d
        if np.any(rest * rest > NOTHING * variance):
            centred -= rest[:, None]
            variance = np.vecdot(centred, centred) / d
        inverse[part, 0] = 1 / np.sqrt(variance + np.asarray(eps, x.dtype))
        centred *= inverse[part]
        if w is None:
            y[part] = centred
        else:
            np.multiply(centred, w, out=y[part])
        if b is not None:
            y[part] += b

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient = np.ascontiguousarray(g).reshape(r, d)
        scale = np.ones(d, x.dtype) if w is None else w
        mean = scale * average  # Σ of g times it is the mean of h
        dx, buffer = np.empty_like(rows) if needs[0] else None, np.empty((min(step, r), d), x.dtype)
        dw = np.zeros(d, x.dtype) if w is not None and needs[1] else None
        for start in range(0, r, step):
            part = slice(start, start + step)
            gp, xp = gradient[part], hat[part]
            along = np.multiply(gp, xp, out=buffer[: len(gp)])
            if dw is not None:
                dw += channel_sum(along)
            if dx is not None:
                slope = along @ mean  # of h x̂
                np.multiply(xp, slope[:, None], out=along)
                along += (gp @ mean)[:, None]
                h = np.multiply(gp, scale, out=dx[part])
                h -= along
                h *= inverse[part]
        db = channel_sum(gradient).reshape(bias.shape) if bias is not None and needs[2] else None
        return (
            None if dx is None else dx.reshape(x.shape),
            None if dw is None or weight is None else dw.reshape(weight.shape),
            db,
        )

    return y.reshape(x.shape), pullback
