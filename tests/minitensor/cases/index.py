"""Cases: indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops import index
from tests.minitensor.cases.case import case, normal

_rows = np.array([0, 2, 2])
INDICES: dict[str, Any] = {
    "number": 1,
    "slice": slice(None, None, 2),
    "reversed": (slice(None, None, -1), slice(2, 0, -1)),
    "ellipsis": (..., 1),
    "new": (None, slice(1), None, 0),
    "empty": slice(0, 0),
    "rows": _rows,
    "pairs": (_rows, np.array([1, 1, -1])),
    "mixed": (slice(None), _rows, 0),
    "table": np.array([[0, 1], [1, 1]]),
    "mask": np.array([True, False, True]),
    "none": np.zeros(3, bool),
}
for name_, index_ in INDICES.items():
    x_ = normal(3, 3, 2)
    case(index.getitem, x_, index=index_, ref=lambda x, i=index_: x[i], note=name_)

    def _scattered(g: np.ndarray, i: Any = index_) -> np.ndarray:
        y = np.zeros((3, 3, 2))
        np.add.at(y, i, g)
        return y

    case(index.scatter, normal(*x_[index_].shape), index=index_, shape=(3, 3, 2), ref=_scattered, note=name_)
case(index.take, normal(4, 2), _rows, ref=lambda x, i: np.take(x, i, 0))
case(index.take, normal(2, 4), np.array([[3, 0], [3, 3]]), axis=-1, ref=lambda x, i: np.take(x, i, -1))
_lanes = np.array([[0, 2], [1, 1]])
case(index.take_along_axis, normal(2, 3), _lanes, axis=1, ref=lambda x, i: np.take_along_axis(x, i, 1))
case(index.take_along_axis, normal(3, 2), _lanes[:1], axis=0, ref=lambda x, i: np.take_along_axis(x, i, 0))


def _put(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    y = np.zeros((2, 3))
    for r in range(2):
        for c in range(i.shape[1]):
            y[r, i[r, c]] += x[r, c]
    return y


case(index._put_along_axis, normal(2, 2), _lanes, axis=1, length=3, ref=_put)
case(index._put_along_axis, normal(2, 1), _lanes[:, :1], axis=-1, length=3, ref=_put)
case(index.one_hot, np.array([[0, 2], [1, 0]]), classes=3, ref=lambda x: np.eye(3, dtype="float32")[x], smooth=False)
