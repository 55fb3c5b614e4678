"""Cases: reductions and scans."""

from __future__ import annotations

import numpy as np

from minitensor.ops import reduce as red
from tests.minitensor.cases.case import case, distinct, normal
from tests.minitensor.cases.elementwise import CONDITION

for op_, ref_ in ((red.sum, np.sum), (red.mean, np.mean), (red.max, np.max), (red.min, np.min)):
    case(op_, distinct(2, 3, 2), ref=ref_)
    for axis_ in (0, -1, (0, 2), (-1, 1)):
        case(op_, distinct(2, 3, 2), axis=axis_, ref=lambda x, f=ref_, a=axis_: f(x, axis=a), note=f"axis{axis_}")
    case(op_, distinct(2, 3), axis=1, keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), note="kept")
    case(op_, distinct(1), axis=0, ref=lambda x, f=ref_: f(x, axis=0), note="one")
    case(op_, distinct(), ref=ref_)
case(red.sum, normal(0, 3), ref=np.sum)
case(red.sum, normal(2, 0), axis=1, ref=lambda x: x.sum(axis=1))
for op_, ref_ in ((red.var, np.var), (red.std, np.std)):
    case(op_, normal(2, 4), ref=ref_)
    case(op_, normal(2, 4), axis=1, correction=1, ref=lambda x, f=ref_: f(x, axis=1, ddof=1), note="unbiased")
    case(op_, normal(2, 2, 2), axis=(0, 2), keepdims=True, ref=lambda x, f=ref_: f(x, axis=(0, 2), keepdims=True))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


for axis_ in (-1, 0, 1):
    shape_ = (2, 3, 2)
    case(red.softmax, normal(*shape_), axis=axis_, ref=lambda x, a=axis_: softmax(x, a), note=f"axis{axis_}")
    case(
        red.log_softmax,
        normal(*shape_),
        axis=axis_,
        ref=lambda x, a=axis_: np.log(softmax(x, a)),
        note=f"axis{axis_}",
    )
    case(red.cumsum, normal(*shape_), axis=axis_, ref=lambda x, a=axis_: np.cumsum(x, a), note=f"axis{axis_}")
for axis_ in (None, 1, (0, 2)):
    for kept_ in (False, True):
        case(
            red.logsumexp,
            normal(2, 3, 2),
            axis=axis_,
            keepdims=kept_,
            ref=lambda x, a=axis_, k=kept_: np.log(np.exp(x).sum(axis=a, keepdims=k)),
            note=f"axis{axis_}{kept_}",
        )
for op_, ref_ in ((red.argmax, np.argmax), (red.argmin, np.argmin)):
    case(op_, normal(2, 3), ref=ref_, smooth=False)
    case(op_, np.array([[1, 3, 3], [0, 0, 2]]), axis=1, ref=lambda x, f=ref_: f(x, axis=1), smooth=False, note="ties")
    case(op_, normal(2, 3), axis=0, keepdims=True, ref=lambda x, f=ref_: f(x, axis=0, keepdims=True), smooth=False)
for op_, ref_ in ((red.any, np.any), (red.all, np.all)):
    case(op_, CONDITION, ref=ref_, smooth=False)
    case(op_, CONDITION, axis=(1,), keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), smooth=False)
