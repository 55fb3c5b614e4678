"""Scaled dot-product attention."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import where
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.shaping.shape import swapaxes

__all__ = ["attention_weights", "masked_softmax", "scaled_dot_product_attention"]


@op("floating", autocast="float32")
def masked_softmax(x: Array) -> Array:
    """yᵢ = e^(xᵢ) / Σⱼ e^(xⱼ) along the last axis, and 0 where all of it is -inf: a row that may look nowhere.

    Any shape of at least one axis, the same out; the gradient of such a row is 0.
    Differs from PyTorch: it has no public one; `scaled_dot_product_attention` uses it there too.

    >>> import numpy as np
    >>> masked_softmax(np.array([[0.0, -np.inf], [-np.inf, -np.inf]])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    xp = namespace(x)
    if not x.shape[-1]:
        return x.copy()  # nowhere to look
    top = x.max(axis=-1, keepdims=True)
    e = xp.exp(x - xp.where(top == -math.inf, xp.zeros_like(top), top))
    total = e.sum(axis=-1, keepdims=True)
    return e / xp.where(total == 0, xp.ones_like(total), total)


masked_softmax.vjp(x=lambda g, y: y * (g - sum(g * y, axis=-1, keepdims=True)))


@composite
def attention_weights(query: Array, key: Array, attn_mask: Array | None = None, scale: float | None = None) -> Array:
    """softmax(q kᵀ · scale + mask) over the keys, scale 1/√d: (..., n, d), (..., m, d) -> (..., n, m)

    A bool mask (..., n, m) says where to look, a float one is added (-inf hides); a row that may look nowhere is 0.
    Differs from PyTorch: it has no public one; they are what `scaled_dot_product_attention` weighs the values with.

    >>> import numpy as np
    >>> attention_weights(np.zeros((1, 2)), np.ones((4, 2))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    factor = 1 / math.sqrt(max(1, query.shape[-1])) if scale is None else scale
    scores = bmm(query * factor, swapaxes(key, axis1=-2, axis2=-1))  # (..., n, m)
    if attn_mask is not None:
        scores = where(attn_mask, scores, -math.inf) if attn_mask.dtype.kind == "b" else scores + attn_mask
    return masked_softmax(scores)


@composite
def scaled_dot_product_attention(
    query: Array, key: Array, value: Array, attn_mask: Array | None = None, scale: float | None = None
) -> Array:
    """softmax(q kᵀ · scale + mask) v, scale 1/√d: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e)

    A bool mask (..., n, m) says where to look, a float one is added (-inf hides). A row that may look nowhere gives 0,
    with gradient 0. Reference: Vaswani et al. 2017, eq. 1. Differs from PyTorch: `nn.functional` has its signature.

    >>> import numpy as np
    >>> scaled_dot_product_attention(np.zeros((1, 2)), np.ones((2, 2)), np.array([[1.0], [3.0]])).tolist()
    [[2.0]]
    """
    return bmm(attention_weights(query, key, attn_mask, scale=scale), value)
