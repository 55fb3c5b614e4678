"""Attention, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

import numpy as np

from minitensor.functions.operands import plain_settings
from minitensor.graph import describe
from minitensor.nn.functional.random import dropout
from minitensor.ops.nn import attention
from minitensor.ops.shaping.shape import broadcast_to
from minitensor.tensor import Tensor

__all__ = ["scaled_dot_product_attention"]


def _check(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    """Raise unless (..., n, d), (..., m, d), (..., m, e) and a mask (..., n, m) meet."""
    name = "scaled_dot_product_attention"
    for what, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim < 2:
            raise ValueError(f"{name}: {what} has at least two axes, (..., length, features); got {describe(x)}")
        if x.dtype.kind not in "fV":
            raise TypeError(f"{name}: {what} is a float Tensor; got {describe(x)}")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"{name}: query {query.shape} and key {key.shape} differ in their last axis, the features")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"{name}: key {key.shape} and value {value.shape} differ in length, their last axis but one")
    if attn_mask is None:
        return
    if attn_mask.dtype.kind not in "bfV":
        raise TypeError(f"{name}: attn_mask is bool (where to look) or float (added); got {describe(attn_mask)}")
    try:
        scores = (*np.broadcast_shapes(query.shape[:-2], key.shape[:-2]), query.shape[-2], key.shape[-2])
        fits = np.broadcast_shapes(scores, attn_mask.shape) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name}: attn_mask {attn_mask.shape} does not broadcast to (..., n, m), one entry for each query and key "
            f"of query {query.shape} and key {key.shape}"
        )


def _heads(x: Tensor, count: int, what: str) -> Tensor:
    """Repeat the heads of (..., heads, length, features) to `count`, each next to itself."""
    if x.ndim < 3 or x.shape[-3] == 0 or count % x.shape[-3]:
        raise ValueError(
            f"scaled_dot_product_attention with enable_gqa: the query's {count} heads (axis -3) are a multiple of the "
            f"{what}'s; got {describe(x)}"
        )
    *lead, heads, length, features = x.shape
    if heads == count:
        return x
    y = broadcast_to(
        x.reshape(*lead, heads, 1, length, features), shape=(*lead, heads, count // heads, length, features)
    )
    return y.reshape(*lead, count, length, features)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(q kᵀ · scale + mask) v, scale 1/√d: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e).

    A bool mask (..., n, m) says where to look (True), a float one is added; `is_causal` lets row i look at columns up
    to i, also for n ≠ m. A row that may look nowhere gives 0, with gradient 0. With `dropout_p` weights are dropped, in
    evaluation too. With enable_gqa each head (axis -3) of key and value serves several of the query. Raises ValueError
    for shapes that do not meet and for a mask with is_causal, TypeError for integers. Reference: Vaswani et al. 2017.
    Differs from PyTorch: float operands of several dtypes are promoted; the random numbers.

    >>> scaled_dot_product_attention(Tensor([[0.0]]), Tensor([[1.0], [2.0]]), Tensor([[1.0], [3.0]]))
    Tensor float32 (1, 1): [[2.]]
    """
    if is_causal and attn_mask is not None:
        raise ValueError("scaled_dot_product_attention takes attn_mask or is_causal, not both")
    plain_settings("scaled_dot_product_attention", dropout_p=dropout_p, scale=scale)
    if enable_gqa:
        count = query.shape[-3] if query.ndim > 2 else 0
        key, value = _heads(key, count, "key"), _heads(value, count, "value")
    _check(query, key, value, attn_mask)
    if is_causal:
        attn_mask = Tensor(np.tri(query.shape[-2], key.shape[-2], dtype=bool), device=query.device)
    if dropout_p == 0:
        return attention.scaled_dot_product_attention(query, key, value, attn_mask, scale=scale)
    weights = attention.attention_weights(query, key, attn_mask, scale=scale)  # (..., n, m)
    return dropout(weights, dropout_p) @ value
