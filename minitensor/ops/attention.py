"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

from minitensor.composite import composite
from minitensor.ops.elementwise import astype, not_equal, where
from minitensor.ops.linalg import bmm
from minitensor.ops.reduce import any, softmax
from minitensor.ops.shape import swapaxes

__all__ = ["scaled_dot_product_attention"]

Array = Any


@composite
def scaled_dot_product_attention(
    query: Array, key: Array, value: Array, attn_mask: Array | None = None, *, scale: float | None = None
) -> Array:
    """softmax(q kᵀ / √d + mask) v (Vaswani et al. 2017, eq. 1): (..., n, d), (..., m, d), (..., m, e) -> (..., n, e)

    A bool mask (..., n, m) says where to look, a float one is added (-inf hides); a row that may look nowhere gives 0.
    """
    scores = bmm(
        query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale), swapaxes(key, axis1=-2, axis2=-1)
    )
    if attn_mask is None:
        return bmm(softmax(scores, axis=-1), value)
    look = attn_mask
    if attn_mask.dtype.kind != "b":
        look = not_equal(attn_mask, -math.inf)
        scores = scores + attn_mask
    # -1e30 instead of -inf: a row masked everywhere stays finite, and is set to 0 afterwards
    weights = softmax(where(look, scores, -1e30), axis=-1)
    return bmm(weights * astype(any(look, axis=-1, keepdims=True), dtype=scores.dtype), value)
