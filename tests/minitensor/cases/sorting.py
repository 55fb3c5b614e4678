"""Cases: order, ranks, and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.indexing import sorting
from minitensor.ops.reductions import counting, statistics
from tests.minitensor.cases.case import case, distinct, normal

_ties = np.array([[2.0, 1.0, 2.0, 1.0, 2.0], [0.0, 3.0, -0.0, np.nan, 3.0]])


def order(x: np.ndarray, axis: int = -1, descending: bool = False) -> np.ndarray:
    """Return the stable order; NaN is the largest."""
    keys = np.where(np.isnan(x), np.inf, x)
    nan = np.isnan(x) & np.ones_like(x, bool)
    keys, nan = (-keys, ~nan) if descending else (keys, nan)
    return np.lexsort((keys, nan), axis=axis)


for axis_ in (-1, 0, 1, None):
    for down_ in (False, True):
        settings: dict[str, Any] = {"axis": axis_, "descending": down_}

        def _order(x: np.ndarray, a: Any = axis_, d: bool = down_) -> np.ndarray:
            return order(x.reshape(-1), 0, d) if a is None else order(x, a, d)

        def _sort(x: np.ndarray, a: Any = axis_, f: Any = _order) -> np.ndarray:
            return np.take_along_axis(x.reshape(-1) if a is None else x, f(x), 0 if a is None else a)

        case(sorting.sort, distinct(2, 4, 3), **settings, ref=_sort, note=f"{axis_}{down_}")
        case(sorting.argsort, _ties, **settings, ref=_order, smooth=False, note=f"{axis_}{down_}")
        case(sorting.sort, _ties, **settings, ref=_sort, smooth=False, note=f"ties {axis_}{down_}")
case(sorting.sort, normal(2, 0), ref=lambda x: x.copy(), note="none")
case(sorting.argsort, normal(2, 0), ref=lambda x: x.astype(int), smooth=False, note="none")
case(sorting.sort, distinct(), ref=lambda x: x.copy(), note="0-d")
case(sorting.argsort, distinct(), ref=lambda x: np.array(0), smooth=False, note="0-d")

for axis_, k_, largest_ in ((-1, 2, True), (0, 1, False), (1, 3, True), (1, 0, True)):

    def _topk(x: np.ndarray, a: int = axis_, k: int = k_, d: bool = largest_) -> tuple[np.ndarray, np.ndarray]:
        places = np.take(order(x, a, d), np.arange(k), axis=a)
        return np.take_along_axis(x, places, a), places

    case(sorting.topk, distinct(2, 4, 3), k=k_, axis=axis_, largest=largest_, ref=_topk, note=f"{k_}{axis_}{largest_}")
case(sorting.topk, _ties, k=3, smooth=False, note="ties",
     ref=lambda x: (np.take_along_axis(x, order(x, -1, True), 1)[:, :3], order(x, -1, True)[:, :3]))  # fmt: skip
case(sorting.topk, distinct(), k=1, ref=lambda x: (x, np.array(0)), note="0-d")
case(sorting.topk, _ties, k=4, largest=False, sorted=False, smooth=False, note="nan",
     ref=lambda x: (np.sort(x)[:, :4], order(x)[:, :4]))  # fmt: skip
for axis_, kept_ in ((-1, False), (0, True), (1, False)):

    def _kth(x: np.ndarray, a: int = axis_, kept: bool = kept_) -> tuple[np.ndarray, np.ndarray]:
        places = np.take(order(x, a), [1], axis=a)
        values = np.take_along_axis(x, places, a)
        return (values, places) if kept else (values.squeeze(a), places.squeeze(a))

    case(sorting.kthvalue, distinct(2, 3, 2), k=2, axis=axis_, keepdims=kept_, ref=_kth, note=f"{axis_}{kept_}")
case(sorting.kthvalue, distinct(), k=1, ref=lambda x: (x, np.array(0)), note="0-d")

# -- by rank

for axis_, kept_ in ((None, False), (0, True), (-1, False), ((0, 2), False), ((-1, 1), True), ((), False)):
    note_ = f"{axis_}{kept_}"
    case(
        statistics.median,
        distinct(3, 4, 2),
        axis=axis_,
        keepdims=kept_,
        note=note_,
        ref=lambda x, a=axis_, k=kept_: x.copy() if a == () else np.median(x, axis=a, keepdims=k),
    )
    for method_ in ("linear", "lower", "higher", "midpoint", "nearest"):
        for q_ in (0.3, [0.0, 0.25, 1.0], np.array([[0.5, 0.9]])):
            if axis_ != ():
                case(
                    statistics.quantile,
                    distinct(3, 4, 2),
                    q=q_.tolist() if isinstance(q_, np.ndarray) else q_,
                    axis=axis_,
                    method=method_,
                    keepdims=kept_,
                    note=f"{method_} {note_} {np.shape(q_)}",
                    ref=lambda x, q=q_, a=axis_, m=method_, k=kept_: np.quantile(x, q, axis=a, method=m, keepdims=k),
                )
case(statistics.median, _ties, axis=1, ref=lambda x: np.median(x, axis=1), smooth=False, note="nan")
case(statistics.quantile, _ties, q=0.3, axis=1, ref=lambda x: np.quantile(x, 0.3, axis=1), smooth=False, note="nan")
case(statistics.quantile, _ties, q=[], axis=1, ref=lambda x: np.zeros((0, 2)), smooth=False, note="no q")
case(statistics.median, normal(2, 0), axis=1, ref=lambda x: np.full(2, np.nan), note="of none")
case(statistics.median, normal(0, 2), axis=1, ref=lambda x: np.zeros(0), note="no lanes")
case(statistics.quantile, normal(0, 2), q=[0.1, 1], axis=1, ref=lambda x: np.zeros((2, 0)), note="no lanes")
for op_, settings in ((statistics.median, {}), (statistics.quantile, {"q": 0.3})):
    case(op_, distinct(), axis=0, **settings, ref=lambda x: x.copy(), note="0-d")

# -- places and counts

_rising = np.array([-1.0, 0.0, 0.0, 2.5])
for side_ in ("left", "right"):
    case(sorting.searchsorted, _rising, np.array([[0.0, -3.0], [9.0, np.nan]]), side=side_, smooth=False, note=side_,
         ref=lambda x, v, s=side_: np.searchsorted(x, v, s))  # fmt: skip
    case(sorting.searchsorted, _rising, np.array(0.0), side=side_, smooth=False, note=f"0-d {side_}",
         ref=lambda x, v, s=side_: np.searchsorted(x, v, s))  # fmt: skip
_some = np.array([[0.0, 2.0, -1.0], [2.0, np.nan, 0.0]])
case(counting.nonzero, _some, ref=np.nonzero, smooth=False)
case(counting.nonzero, _some > 5, ref=np.nonzero, smooth=False, note="none")
case(counting.unique, _some, ref=np.unique, smooth=False)
case(counting.unique, _some, return_index=True, return_inverse=True, return_counts=True, smooth=False, note="all",
     ref=lambda x: tuple(np.unique(x, return_index=True, return_inverse=True, return_counts=True)))  # fmt: skip
case(counting.unique, _some, return_inverse=True, smooth=False, ref=lambda x: tuple(np.unique(x, return_inverse=True)))
case(counting.unique, np.zeros((0, 2)), ref=np.unique, smooth=False, note="of none")
_labels = np.array([3, 0, 3, 1, 3])
case(counting.bincount, _labels, ref=np.bincount, smooth=False)
case(counting.bincount, _labels, minlength=6, ref=lambda x: np.bincount(x, minlength=6), smooth=False, note="more")
case(counting.bincount, _labels, normal(5), ref=np.bincount, note="weights")
case(counting.bincount, _labels[:0], ref=np.bincount, smooth=False, note="of none")
for bins_, range_, density_ in (
    (4, None, False),
    (3, (-1.0, 0.5), False),
    ([-1.0, 0.0, 2.0], None, True),
    (5, None, True),
):
    case(
        counting.histogram,
        normal(3, 7),
        bins=bins_,
        range=range_,
        density=density_,
        smooth=False,
        note=f"{bins_}{range_}{density_}",
        ref=lambda x, b=bins_, r=range_, d=density_: np.histogram(x, b, r, d),
    )
case(counting.histogram, normal(0), smooth=False, ref=np.histogram)
