"""Cases: normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.nn import normalization
from tests.minitensor.cases.case import case, normal


def _normalized(x: np.ndarray, axes: Any, w: Any = 1.0, b: Any = 0.0, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps) * w + b


def _batch_norm(x: np.ndarray, w: Any = 1.0, b: Any = 0.0) -> Any:
    axes, shape = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    y = _normalized(x, axes, np.reshape(w, shape), np.reshape(b, shape))
    return y, x.mean(axis=axes), x.var(axis=axes)


case(normalization.layer_norm, normal(2, 4), normal(4), normal(4), ref=lambda x, w, b: _normalized(x, -1, w, b))
case(normalization.layer_norm, normal(2, 3), ref=lambda x: _normalized(x, -1))
case(
    normalization.layer_norm,
    normal(2, 2, 3),
    normal(2, 3),
    axes=2,
    eps=1e-2,
    ref=lambda x, w: _normalized(x, (-1, -2), w, eps=1e-2),
)
case(normalization.batch_norm, normal(4, 3), normal(3), normal(3), ref=_batch_norm)
case(normalization.batch_norm, normal(2, 2, 2, 3), normal(2), normal(2), ref=_batch_norm)
case(normalization.batch_norm, normal(2, 2, 3), ref=_batch_norm)


def _rms(x: np.ndarray, axes: Any, w: Any = 1.0, eps: float = 2.0**-52) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=axes, keepdims=True) + eps) * w


case(normalization.rms_norm, normal(2, 4), normal(4), eps=1e-3, ref=lambda x, w: _rms(x, -1, w, 1e-3))
case(normalization.rms_norm, normal(2, 2, 3), normal(2, 3), axes=2, eps=0.1, ref=lambda x, w: _rms(x, (-1, -2), w, 0.1))


def _group_norm(x: np.ndarray, w: Any = 1.0, b: Any = 0.0, groups: int = 1) -> Any:
    n, shape = x.shape[0], (-1, *(1,) * (x.ndim - 2))
    rows = x.reshape(n, groups, -1)
    y = _normalized(rows, 2).reshape(x.shape) * np.reshape(w, shape) + np.reshape(b, shape)
    return y, rows.mean(axis=2), rows.var(axis=2)


case(normalization.group_norm, normal(2, 4), normal(4), normal(4), groups=2, ref=lambda *a: _group_norm(*a, groups=2))
case(normalization.group_norm, normal(2, 2, 3), groups=2, ref=lambda x: _group_norm(x, groups=2))
case(normalization.group_norm, normal(2, 3, 2, 2), normal(3), groups=1, ref=lambda *a: _group_norm(*a, groups=1))


def _local_response(x: np.ndarray, size: int, alpha: float, beta: float, k: float) -> np.ndarray:
    total = np.zeros_like(x)
    for i in range(x.shape[1]):
        total[:, i] = (x[:, max(0, i - size // 2) : i + (size - 1) // 2 + 1] ** 2).sum(axis=1)
    return np.asarray(x / (k + alpha / size * total) ** beta)


for n_ in (1, 2, 3, 7):
    case(normalization.local_response_norm, normal(2, 4, 2), size=n_, alpha=0.9, beta=0.6, k=1.5, note=f"size{n_}",
         ref=lambda x, size=n_: _local_response(x, size, 0.9, 0.6, 1.5))  # fmt: skip


def _global_response(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    norm = np.sqrt((x * x).sum(axis=(2, 3), keepdims=True))
    r = norm / (norm.mean(axis=1, keepdims=True) + 1e-6)
    return w[:, None, None] * x * r + b[:, None, None] + x


case(normalization.global_response_norm, normal(2, 3, 2, 2), normal(3), normal(3), ref=_global_response)
