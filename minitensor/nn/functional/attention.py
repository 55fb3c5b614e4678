"""Attention, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

import numpy as np

from minitensor.nn.functional.random import dropout
from minitensor.ops import attention
from minitensor.tensor import Tensor

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return softmax(q kᵀ · scale + mask) v, scale 1/√d: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e).

    A bool mask (..., n, m) says where to look; `is_causal` lets row i look at columns up to i.
    """
    n, m = query.shape[-2], key.shape[-2]
    if is_causal:
        if attn_mask is not None:
            raise ValueError("scaled_dot_product_attention takes attn_mask or is_causal, not both")
        attn_mask = Tensor(np.tri(n, m, dtype=bool), device=query.device)
    attend = attention.scaled_dot_product_attention
    if dropout_p == 0:
        return attend(query, key, value, attn_mask, scale=scale)  # type: ignore[no-any-return]
    unit = Tensor(np.eye(m), dtype=query.dtype, device=query.device)
    weights = attend(query, key, unit, attn_mask, scale=scale)  # (..., n, m): attention to a unit matrix is its weights
    return dropout(weights, dropout_p) @ value  # type: ignore[no-any-return]
