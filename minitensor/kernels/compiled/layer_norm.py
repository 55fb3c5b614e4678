"""Layer norm and RMS norm of rows X (r, d), each row in passes that find it in the processor's cache.

With σ = √(var + eps), x̂ = (x - mean)/σ and h = g w the gradient of x̂ (Ba et al. 2016):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - mean(h) - x̂ mean(h x̂)) / σ

RMS norm is the same without the mean: σ² = mean(x²) + eps (Zhang & Sennrich 2019). dw and db are added up over ROWS
rows at a time, and those sums in float64; x, the means and 1/σ are kept.
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled, real
from minitensor.kernels.compiled.layout import BLOCK, packed, share
from minitensor.ops.nn.normalization import layer_norm, rms_norm

Array = np.ndarray
ROWS = 128


@compiled(sums=True)
def forward(
    x: Array, mean: Array, inverse: Array, y: Array, weight: Array, bias: Array, eps: float, centered: bool
) -> None:
    """y = x̂ w + b, and the mean, or 0, and 1/σ of each row"""
    rows, d = x.shape
    for i in range(rows):
        total = np.float64(0.0)
        if centered:
            for start in range(0, d, BLOCK):
                part = 0.0
                for j in range(start, min(start + BLOCK, d)):
                    part += x[i, j]
                total += part
        m = real(total / d)
        square = np.float64(0.0)
        for start in range(0, d, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, d)):
                part += (x[i, j] - m) * (x[i, j] - m)
            square += part
        mean[i] = m
        r = real(1.0 / np.sqrt(square / d + eps))
        inverse[i] = r
        for j in range(d):
            y[i, j] = (x[i, j] - m) * r * weight[j] + bias[j]


@compiled(sums=True)
def backward(
    g: Array, x: Array, mean: Array, inverse: Array, dx: Array, dw: Array, db: Array, weight: Array, centered: bool
) -> None:
    """dx = (h - mean(h) - x̂ mean(h x̂)) / σ, and the sums of ROWS rows for dw and db"""
    rows, d = g.shape
    dw[:] = 0.0
    db[:] = 0.0
    for i in range(rows):
        m, r, k = mean[i], inverse[i], i // ROWS
        level, tilt = np.float64(0.0), np.float64(0.0)
        for start in range(0, d, BLOCK):
            a, b = 0.0, 0.0
            for j in range(start, min(start + BLOCK, d)):
                h = g[i, j] * weight[j]
                a += h
                b += h * ((x[i, j] - m) * r)
            level += a
            tilt += b
        mean_h, mean_along = real(level / d if centered else 0.0), real(tilt / d)
        for j in range(d):
            v = (x[i, j] - m) * r
            dx[i, j] = (g[i, j] * weight[j] - mean_h - v * mean_along) * r
            dw[k, j] += g[i, j] * v
            db[k, j] += g[i, j]


def run(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    needs: tuple[bool, ...],
    axes: int,
    eps: float,
    centered: bool,
) -> Any:
    """Bring the last axes to rows, and the results back."""
    d = math.prod(x.shape[x.ndim - axes :])
    if not x.size or x.dtype.char not in "fd":
        return NotImplemented
    shape, rows = x.shape, packed(x).reshape(-1, d)
    w = np.ones(d, x.dtype) if weight is None else packed(np.asarray(weight.reshape(d), x.dtype))
    b = np.zeros(d, x.dtype) if bias is None else packed(np.asarray(bias.reshape(d), x.dtype))
    mean, inverse = np.empty((2, len(rows)), x.dtype)
    y = np.empty_like(rows)
    share(forward, (rows, mean, inverse, y), w, b, float(eps), centered)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dx = np.empty_like(rows)
        dw, db = np.empty((2, -(-len(rows) // ROWS), d), x.dtype)
        arrays = packed(g).reshape(-1, d), rows, mean, inverse, dx
        share(backward, arrays, w, centered, blocks=(dw, db), rows=ROWS)
        summed = [v.sum(axis=0, dtype=np.float64).astype(v.dtype) for v in (dw, db)]
        return (
            dx.reshape(shape),
            None if weight is None else summed[0].reshape(weight.shape),
            None if bias is None else summed[1].reshape(bias.shape),
        )[: len(needs)]

    return y.reshape(shape), pullback if any(needs) else None


@layer_norm.fused("compiled")
def layer_norm_compiled(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    *,
    needs: tuple[bool, ...],
    axes: int = 1,
    eps: float = 1e-5,
) -> Any:
    """Run layer_norm."""
    return run(x, weight, bias, needs, axes, eps, True)


@rms_norm.fused("compiled")
def rms_norm_compiled(
    x: Array, weight: Array | None, *, needs: tuple[bool, ...], axes: int = 1, eps: float | None = None
) -> Any:
    """Run rms_norm."""
    return run(x, weight, None, needs, axes, float(np.finfo(x.dtype).eps) if eps is None else eps, False)
