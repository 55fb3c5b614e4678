"""Cases: scans along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops.reductions import scan
from tests.minitensor.cases.case import case, distinct, normal


def leading(ufunc: Any) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return running extremes and their places, the latest of equal ones, entry by entry."""

    def reference(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        lanes = np.moveaxis(x, axis, 0)
        values = ufunc.accumulate(lanes, axis=0)
        same = (lanes == values) | (np.isnan(lanes) & np.isnan(values))
        places = np.arange(len(lanes)).reshape(-1, *[1] * (x.ndim - 1))
        places = np.maximum.accumulate(np.where(same, places, 0), axis=0)
        return np.moveaxis(values, 0, axis), np.moveaxis(places, 0, axis)

    return reference


largest, smallest = leading(np.maximum), leading(np.minimum)
SCANS: tuple[tuple[Any, Any], ...] = (
    (scan.cumsum, np.cumsum),
    (scan.cumprod, np.cumprod),
    (scan.logcumsumexp, np.logaddexp.accumulate),
    (scan.cummax, largest),
    (scan.cummin, smallest),
)
for op_, ref_ in SCANS:
    for axis_ in (-1, 0, 1):
        case(op_, distinct(2, 5, 3), axis=axis_, ref=lambda x, f=ref_, a=axis_: f(x, a), note=f"axis{axis_}")
    case(op_, distinct(2, 3), ref=lambda x, f=ref_: f(x.reshape(-1), 0), note="in a row")
    case(op_, distinct(2, 1), axis=1, ref=lambda x, f=ref_: f(x, 1), note="one")
    case(op_, normal(2, 0), axis=1, ref=lambda x, f=ref_: f(x, 1), note="none")
    case(op_, normal(0, 2), axis=1, ref=lambda x, f=ref_: f(x, 1), note="no lanes")
for op_ in (scan.cumsum, scan.cumprod, scan.logcumsumexp):
    case(op_, distinct(), axis=0, ref=lambda x: x.copy(), note="0-d")
for op_ in (scan.cummax, scan.cummin):
    case(op_, distinct(), axis=-1, ref=lambda x: (x.copy(), np.array(0)), note="0-d")
_zeros = normal(3, 5)
_zeros[0, 0] = _zeros[1, 2] = _zeros[2, 1] = _zeros[2, 3] = 0
case(scan.cumprod, _zeros, axis=1, ref=lambda x: np.cumprod(x, 1), note="zeros")
_ties = np.array([[3, 3, 1, 3, 1, 0, 0], [1, 2, 2, 9, 9, 9, 1]])
case(scan.cummax, _ties, axis=1, ref=lambda x: largest(x, 1), smooth=False, note="ties")
case(scan.cummin, _ties, axis=1, ref=lambda x: smallest(x, 1), smooth=False, note="ties")
_nan = np.array([[1.0, np.nan, 5.0, np.nan, 7.0]])
case(scan.cummax, _nan, axis=1, ref=lambda x: largest(x, 1), smooth=False, note="nan")
case(scan.cummin, _nan, axis=1, ref=lambda x: smallest(x, 1), smooth=False, note="nan")
case(scan.leader, distinct(2, 3), axis=0, smallest=True, ref=lambda x: smallest(x, 0)[1], smooth=False)
