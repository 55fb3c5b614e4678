"""Group normalisation, and with a group for each channel instance normalisation: rows (n · groups, m), some at a time.

With x̂ = (x - mean)/σ, σ = √(var + eps) for each row, and h = g w the gradient of x̂ (Wu & He 2018):

    y = x̂ w + b      dw = Σ g x̂      db = Σ g      dx = (h - mean(h) - x̂ mean(h x̂)) / σ

w and b belong to channels, several of which share a row. x̂ and 1/σ are kept. The statistics that are returned beside y
have gradients of their own: that of the mean is spread evenly over its row, that of the variance goes along
2 (x - mean)/m = 2 σ x̂/m.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops.normalisation import group_norm

Array = np.ndarray[Any, Any]

BLOCK = 65_536  # entries


@group_norm.fused("cpu")
def group_norm_cpu(
    x: Array, weight: Array | None, bias: Array | None, *, needs: tuple[bool, ...], groups: int, eps: float = 1e-5
) -> Any:
    """Run group_norm on (n, c, ...); keeps the normalised rows and 1/σ."""
    if x.ndim < 2 or not x.size or groups < 1 or x.shape[1] % groups:
        return NotImplemented
    n, c = x.shape[:2]
    m = math.prod(x.shape[1:]) // groups
    rows = np.ascontiguousarray(x).reshape(n * groups, m)
    count = len(rows)
    hat = np.empty_like(rows)
    mean, var, inverse = np.empty((3, count, 1), x.dtype)
    step = max(1, BLOCK // m)
    for start in range(0, count, step):
        part = slice(start, start + step)
        rows[part].mean(axis=1, keepdims=True, out=mean[part])
        d = np.subtract(rows[part], mean[part], out=hat[part])
        var[part, 0] = np.vecdot(d, d) / m
        inverse[part] = 1 / np.sqrt(var[part] + np.asarray(eps, x.dtype))
        d *= inverse[part]
    y = hat.copy() if weight is None else hat.reshape(n, c, -1) * weight[:, None]
    if bias is not None:
        y = y.reshape(n, c, -1)
        y += bias[:, None]

    def pullback(gradients: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        g, g_mean, g_var = gradients
        upstream = np.zeros(x.shape, x.dtype) if g is None else np.ascontiguousarray(g)
        channels = upstream.reshape(n, c, -1)
        dw = np.vecdot(channels, hat.reshape(n, c, -1)).sum(axis=0) if weight is not None and needs[1] else None
        db = channels.sum(axis=(0, 2)) if bias is not None and needs[2] else None
        if not needs[0]:
            return None, dw, db
        h = channels.copy() if weight is None else channels * weight[:, None]
        dx = h.reshape(count, m)
        for start in range(0, count, step):
            part = slice(start, start + step)
            d, xp = dx[part], hat[part]
            slope = (np.vecdot(d, xp) / m)[:, None]
            level = d.mean(axis=1, keepdims=True)
            if g_var is not None:  # 2 σ x̂/m, in units of x̂/σ
                slope = slope - g_var.reshape(count, 1)[part] * (2 / m) / inverse[part] ** 2
            if g_mean is not None:
                level = level - g_mean.reshape(count, 1)[part] / (m * inverse[part])
            d -= level
            d -= xp * slope
            d *= inverse[part]
        return dx.reshape(x.shape), dw, db

    statistics = mean.reshape(n, groups), var.reshape(n, groups)
    return (y.reshape(x.shape), *statistics), pullback
