"""Cases: attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops import attention
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
