"""Cases: norms, distances, cosines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops.linalg import distance
from tests.minitensor.cases.case import case, distinct, normal, positive


def _norm(x: Any, p: float, axis: Any) -> Any:
    return (
        np.linalg.norm(x, p, axis=axis, keepdims=True)
        if not isinstance(axis, tuple)
        else np.sqrt((x * x).sum(axis=axis, keepdims=True))
    )


def _cosine(a: Any, b: Any, axis: int) -> Any:
    return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))


case(distance.raised, 1 + positive(2, 3), least=0.5, ref=lambda x: np.maximum(x, 0.5))
for p_ in (2.0, 1.0, 3.0, 0.5, 1.5, math.inf):
    case(distance.normalize, distinct(2, 3) + 0.03, p=p_, ref=lambda x, p=p_: x / _norm(x, p, 1), note=f"p{p_}")
    case(distance.pairwise_distance, distinct(2, 3), 3 * distinct(2, 3) + 0.03, p=p_, note=f"p{p_}",
         ref=lambda a, b, p=p_: np.linalg.norm(a - b + 1e-6, p, axis=-1))  # fmt: skip
case(distance.normalize, normal(2, 3), dim=0, p=0, ref=lambda x: x / 2, note="count")
case(distance.normalize, normal(2, 3, 2), dim=(0, -1), ref=lambda x: x / _norm(x, 2, (0, 2)), note="axes")
case(distance.normalize, 0.1 * normal(2, 3), eps=10.0, ref=lambda x: x / 10, note="floor")
case(distance.pairwise_distance, normal(2, 1, 3), normal(4, 3), keepdim=True, note="broadcast",
     ref=lambda a, b: np.linalg.norm(a - b + 1e-6, axis=-1, keepdims=True))  # fmt: skip
case(distance.cosine_similarity, normal(2, 3), normal(2, 3), ref=lambda a, b: _cosine(a, b, 1))
case(distance.cosine_similarity, normal(3, 2), normal(3, 2), dim=0, ref=lambda a, b: _cosine(a, b, 0), note="dim0")
case(distance.cosine_similarity, normal(2, 1, 3), normal(4, 1), dim=-1, note="broadcast",
     ref=lambda a, b: _cosine(*np.broadcast_arrays(a, b), -1))  # fmt: skip
