"""Scaled dot-product attention, one pass over the scores: P = softmax(q kᵀ s + mask), y = P v.

    dv = Pᵀ g      dP = g vᵀ      dS = P (dP - Σ P dP)      dq = s dS k      dk = s dSᵀ q

The scores are made, shifted by their largest, raised and divided in place, so that P is the one large array, and kept.
Heads that are slices of one array are taken as they lie in memory.
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.declaration import Outcome
from minitensor.ops.nn.attention import scaled_dot_product_attention

Array = np.ndarray


@scaled_dot_product_attention.fused("cpu")
def attention_cpu(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    *,
    needs: tuple[bool, ...],
    scale: float | None = None,
) -> Outcome:
    """Run attention; keeps the weights P."""
    fits = q.ndim == k.ndim == v.ndim >= 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    fits = fits and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    if not fits or (mask is not None and (mask.dtype.kind != "b" or needs[3])) or 0 in (*q.shape, *k.shape, *v.shape):
        return NotImplemented
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    p = np.matmul(q * np.asarray(factor, q.dtype), k.swapaxes(-1, -2))  # (..., n, m)
    if mask is not None:
        if np.broadcast_shapes(mask.shape, p.shape) != p.shape:
            return NotImplemented
        np.copyto(p, -math.inf, where=np.logical_not(mask))
    top = p.max(axis=-1, keepdims=True)
    if mask is not None:
        top[top == -math.inf] = 0  # a row that may look nowhere
    p -= top
    np.exp(p, out=p)
    total = np.matmul(p, np.ones(p.shape[-1], p.dtype))[..., None]
    if mask is not None:
        total[total == 0] = 1
    p /= total
    y = np.matmul(p, v)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dv = np.matmul(p.swapaxes(-1, -2), g) if needs[2] else None
        if not (needs[0] or needs[1]):
            return None, None, dv, None
        ds = np.matmul(g, v.swapaxes(-1, -2))  # (..., n, m)
        ds -= np.matmul((p * ds), np.ones(p.shape[-1], p.dtype))[..., None]
        ds *= p
        ds *= np.asarray(factor, p.dtype)
        dq = np.matmul(ds, k) if needs[0] else None
        dk = np.matmul(ds.swapaxes(-1, -2), q) if needs[1] else None
        return dq, dk, dv, None

    return y, pullback
