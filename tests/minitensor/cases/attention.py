"""Cases: attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.nn import attention
from tests.minitensor.cases.case import case, normal


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = None, scale: Any = None) -> np.ndarray:
    s = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        s = s + (np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask)
    e = np.exp(s - np.where(np.isfinite(s), s, -1e9).max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1), 0) @ v


_qkv = (normal(2, 2, 3), normal(2, 4, 3), normal(2, 4, 2))
_mask = np.array([[True, False, True, True], [False, False, False, False]])
for note_, mask_ in {"bool": _mask, "float": (normal(2, 4),), "floor": np.where(_mask, 0.3, -np.inf)}.items():
    mask_ = mask_[0] if isinstance(mask_, tuple) else mask_
    case(attention.scaled_dot_product_attention, *_qkv, mask_, ref=_attention, note=note_, smooth=note_ != "floor")
case(attention.scaled_dot_product_attention, *_qkv, ref=_attention, note="unmasked")
case(
    attention.scaled_dot_product_attention,
    *_qkv,
    scale=0.3,
    ref=lambda q, k, v: _attention(q, k, v, scale=0.3),
    note="scale",
)


def _weights(q: np.ndarray, k: np.ndarray, mask: Any = None, scale: Any = None) -> np.ndarray:
    return _attention(q, k, np.eye(k.shape[-2]), mask, scale)


case(attention.attention_weights, *_qkv[:2], ref=_weights, note="unmasked")
case(attention.attention_weights, *_qkv[:2], _mask, ref=_weights, note="bool")
case(attention.attention_weights, *_qkv[:2], normal(2, 4), ref=_weights, note="float")
case(attention.attention_weights, normal(3, 1, 2, 3), normal(2, 4, 3), ref=_weights, note="leading axes broadcast")
case(attention.attention_weights, normal(2, 3), normal(0, 3), ref=lambda q, k: np.zeros((2, 0)), note="no keys")


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - np.where(np.isfinite(x), x, -1e9).max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return np.asarray(e / np.where(total > 0, total, 1))


case(attention.masked_softmax, normal(2, 4), ref=_softmax)
case(attention.masked_softmax, np.where(_mask, 0.3, -np.inf), ref=_softmax, smooth=False, note="a row of -inf")
case(attention.masked_softmax, np.zeros((2, 0)), ref=lambda x: x, note="empty")
