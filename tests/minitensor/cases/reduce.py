"""Cases: reductions over any axes, variance, norms, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.linalg import norm as norms
from minitensor.ops.nn import softmax as soft
from minitensor.ops.reductions import reduce as red
from minitensor.ops.reductions import statistics
from tests.minitensor.cases.case import case, distinct, normal
from tests.minitensor.cases.elementwise import CONDITION

AXES: tuple[Any, ...] = (0, -1, (0, 2), (-1, 1), (), (2, 1, 0))
_gaps = normal(2, 3, 2)
_gaps[0, :, 1] = _gaps[1, 2, 0] = np.nan

for op_, ref_ in (
    (red.sum, np.sum),
    (red.mean, np.mean),
    (red.prod, np.prod),
    (red.max, np.max),
    (red.min, np.min),
    (statistics.ptp, np.ptp),
):
    case(op_, distinct(2, 3, 2), ref=ref_)
    for axis_ in AXES:
        case(op_, distinct(2, 3, 2), axis=axis_, ref=lambda x, f=ref_, a=axis_: f(x, axis=a), note=f"axis{axis_}")
    case(op_, distinct(2, 3), axis=1, keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), note="kept")
    case(op_, distinct(1), axis=0, ref=lambda x, f=ref_: f(x, axis=0), note="one")
    case(op_, distinct(2, 1, 2), axis=1, ref=lambda x, f=ref_: f(x, axis=1), note="one of each")
    case(op_, distinct(), ref=ref_)
    case(op_, distinct(), axis=-1, ref=lambda x, f=ref_: f(x), note="0-d")
    case(op_, normal(0, 3), axis=1, ref=lambda x: np.zeros(0), note="no lanes")
for op_, ref_ in ((red.sum, np.sum), (red.prod, np.prod)):
    case(op_, normal(0, 3), ref=ref_)
    case(op_, normal(2, 0), axis=1, ref=lambda x, f=ref_: f(x, axis=1))
case(red.mean, normal(2, 0), axis=1, keepdims=True, ref=lambda x: np.full((2, 1), np.nan), note="of none")
_zeros = normal(3, 4)
_zeros[0, 1] = _zeros[1, 2] = _zeros[1, 3] = 0
case(red.prod, _zeros, axis=1, ref=lambda x: x.prod(1), note="zeros")
case(red.prod, _zeros[:1], ref=np.prod, note="one zero")
case(red.prod, _zeros[1:2], ref=np.prod, note="two zeros")

for op_, ref_ in ((statistics.var, np.var), (statistics.std, np.std)):
    case(op_, normal(2, 4), ref=ref_)
    case(op_, normal(2, 4), axis=1, correction=1, ref=lambda x, f=ref_: f(x, axis=1, ddof=1), note="unbiased")
    case(op_, normal(2, 4), axis=0, correction=0.5, ref=lambda x, f=ref_: f(x, axis=0, ddof=0.5), note="half")
    case(op_, normal(2, 2, 2), axis=(0, -1), keepdims=True, ref=lambda x, f=ref_: f(x, axis=(0, 2), keepdims=True))
    case(op_, normal(2, 0), axis=1, ref=lambda x: np.full(2, np.nan), note="of none")
    case(op_, normal(2, 1), axis=1, correction=1, smooth=False, ref=lambda x: np.full(2, np.nan), note="of one")
    case(op_, normal(2, 2), axis=1, correction=3, smooth=False, ref=lambda x: np.full(2, np.inf), note="of too few")
case(statistics.var, normal(), ref=np.var)

for axis_ in (None, 1, (0, -1), ()):
    for kept_ in (False, True):
        for op_, ref_ in ((statistics.nansum, np.nansum), (statistics.nanmean, np.nanmean)):
            case(
                op_,
                normal(2, 3, 2),
                axis=axis_,
                keepdims=kept_,
                ref=lambda x, f=ref_, a=axis_, k=kept_: f(x, axis=a, keepdims=k),
                note=f"axis{axis_}{kept_}",
            )
for op_, ref_ in ((statistics.nansum, np.nansum), (statistics.nanmean, np.nanmean)):
    case(op_, _gaps, ref=ref_, smooth=False, note="gaps")
    case(op_, _gaps, axis=0, ref=lambda x, f=ref_: f(x, axis=0), smooth=False, note="gaps along an axis")
    case(op_, normal(), axis=0, ref=ref_, note="0-d")


def softmax(x: np.ndarray, axis: Any = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


for axis_ in (-1, 0, 1, (0, 2), None, ()):
    shape_ = (2, 3, 2)
    for op_, ref_ in (
        (soft.softmax, softmax),
        (soft.log_softmax, lambda x, a: np.log(softmax(x, a))),
        (soft.softmin, lambda x, a: softmax(-x, a)),
    ):
        case(op_, normal(*shape_), axis=axis_, ref=lambda x, f=ref_, a=axis_: f(x, a), note=f"axis{axis_}")
    for kept_ in (False, True):
        case(
            soft.logsumexp,
            normal(*shape_),
            axis=axis_,
            keepdims=kept_,
            ref=lambda x, a=axis_, k=kept_: np.log(np.exp(x).sum(axis=a, keepdims=k)),
            note=f"axis{axis_}{kept_}",
        )
_apart = normal(3, 4) + [[0.0], [300.0], [-200.0]]  # rows that share no scale
for op_, ref_ in ((soft.softmax, softmax), (soft.log_softmax, lambda x: np.log(softmax(x)))):
    case(op_, _apart, ref=ref_, note="apart")
    case(op_, normal(5), ref=ref_, note="vector")
case(soft.normalized_exp, normal(2, 3), ref=softmax)
case(soft.log_normalized_exp, normal(2, 3), ref=lambda x: np.log(softmax(x)))
for op_ in (soft.softmax, soft.log_softmax, soft.softmin):
    case(op_, normal(2, 0), ref=lambda x: x.copy(), note="empty lanes")
    case(op_, normal(0, 2), ref=lambda x: x.copy(), note="no lanes")
    case(op_, normal(), ref=lambda x, v=float(op_ is not soft.log_softmax): np.float64(v), note="0-d")
case(soft.logsumexp, normal(2, 0), axis=1, ref=lambda x: np.full(2, -np.inf), note="of none")
case(soft.logsumexp, normal(0, 2), axis=1, ref=lambda x: np.zeros(0), note="no lanes")
case(soft.logsumexp, normal(), axis=0, ref=lambda x: x.copy(), note="0-d")

for op_, ref_ in ((red.argmax, np.argmax), (red.argmin, np.argmin)):
    case(op_, normal(2, 3), ref=ref_, smooth=False)
    case(op_, np.array([[1, 3, 3], [0, 0, 2]]), axis=1, ref=lambda x, f=ref_: f(x, axis=1), smooth=False, note="ties")
    case(op_, normal(2, 3), axis=0, keepdims=True, ref=lambda x, f=ref_: f(x, axis=0, keepdims=True), smooth=False)
    case(op_, normal(2, 3), keepdims=True, ref=lambda x, f=ref_: f(x, keepdims=True), smooth=False, note="all kept")
    case(op_, normal(), axis=0, ref=ref_, smooth=False, note="0-d")
    case(op_, _gaps[0], axis=-1, ref=lambda x, f=ref_: f(x, axis=-1), smooth=False, note="nan")
for op_, ref_ in ((red.any, np.any), (red.all, np.all), (red.count_nonzero, np.count_nonzero)):
    case(op_, CONDITION, ref=ref_, smooth=False)
    case(op_, CONDITION, axis=(1,), keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), smooth=False)
    case(op_, np.array([[0.0, -0.0], [np.nan, 2.0]]), axis=1, ref=lambda x, f=ref_: f(x, axis=1), smooth=False)
    case(op_, np.zeros((0, 2), bool), axis=0, ref=lambda x, f=ref_: f(x, axis=0), smooth=False, note="of none")

_steps = distinct(2, 3) + 0.02  # no two are equally far from 0
for ord_ in (None, 2, 1, 3, 2.5, -1, np.inf, -np.inf):
    case(norms.norm, _steps, ord=ord_, axis=1, ref=lambda x, o=ord_: np.linalg.norm(x, o, 1), note=f"{ord_}")
    case(norms.norm, _steps[0], ord=ord_, ref=lambda x, o=ord_: np.linalg.norm(x, o), note=f"all {ord_}")
for ord_ in (0, 0.5):
    case(norms.norm, _steps, ord=ord_, axis=0, ref=lambda x, o=ord_: np.linalg.norm(x, o, 0), note=f"{ord_}")
for ord_ in (None, "fro", 1, -1, np.inf, -np.inf):
    case(
        norms.norm,
        normal(2, 3, 2),
        ord=ord_,
        axis=(-1, 0),
        keepdims=True,
        ref=lambda x, o=ord_: np.linalg.norm(x, o, (-1, 0), keepdims=True),
        note=f"matrix {ord_}",
    )
    case(norms.norm, normal(2, 3), ord=ord_, ref=lambda x, o=ord_: np.linalg.norm(x, o), note=f"one matrix {ord_}")
case(norms.norm, distinct(2, 2, 2), ref=np.linalg.norm, note="all entries")
case(norms.norm, np.array(-0.6), ref=np.linalg.norm, note="0-d")
case(norms.present, distinct(3), ref=np.ones_like)
