"""Cases: normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops import normalisation
from tests.minitensor.cases.case import case, normal


def _normalised(x: np.ndarray, axes: Any, w: Any = 1.0, b: Any = 0.0, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps) * w + b


def _batch_norm(x: np.ndarray, w: Any = 1.0, b: Any = 0.0) -> Any:
    axes, shape = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    y = _normalised(x, axes, np.reshape(w, shape), np.reshape(b, shape))
    return y, x.mean(axis=axes), x.var(axis=axes)


case(normalisation.layer_norm, normal(2, 4), normal(4), normal(4), ref=lambda x, w, b: _normalised(x, -1, w, b))
case(normalisation.layer_norm, normal(2, 3), ref=lambda x: _normalised(x, -1))
case(
    normalisation.layer_norm,
    normal(2, 2, 3),
    normal(2, 3),
    axes=2,
    eps=1e-2,
    ref=lambda x, w: _normalised(x, (-1, -2), w, eps=1e-2),
)
case(normalisation.batch_norm, normal(4, 3), normal(3), normal(3), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 2, 3), normal(2), normal(2), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 3), ref=_batch_norm)
