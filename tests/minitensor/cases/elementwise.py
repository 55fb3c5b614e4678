"""Cases: arithmetic and choices, entry by entry."""

from __future__ import annotations

import math

import numpy as np

from minitensor.composite import identity
from minitensor.ops import elementwise
from minitensor.ops.nn import activation, collective
from tests.minitensor.cases.case import case, distinct, normal, positive

for op_, ref_ in (
    (elementwise.add, np.add), (elementwise.subtract, np.subtract), (elementwise.multiply, np.multiply),
    (elementwise.maximum, np.maximum), (elementwise.minimum, np.minimum),
):  # fmt: skip
    case(op_, distinct(2, 3), distinct(2, 3) + 0.03, ref=ref_)
    case(op_, distinct(2, 1, 3), distinct(4, 1) + 0.03, ref=ref_)
    case(op_, distinct(3), 0.02, ref=ref_)
    case(op_, 0.02, distinct(3), ref=ref_)
    case(op_, distinct(0, 3), distinct(1, 3), ref=ref_)
case(elementwise.divide, normal(2, 3), positive(3), ref=np.divide)
case(elementwise.divide, 2.0, positive(2, 3), ref=np.divide)
case(elementwise.divide, normal(2, 3), 2, ref=np.divide)
case(elementwise.power, positive(2, 3), normal(3), ref=np.power)
case(elementwise.power, positive(2, 3), -1.5, ref=np.power)
case(elementwise.power, normal(2, 3), 3, ref=np.power)
case(elementwise.power, normal(2, 3), 1, ref=np.power)
case(elementwise.power, normal(2, 3), 0, ref=np.power)
case(elementwise.power, 2.0, normal(2, 3), ref=np.power)
for op_, ref_, x_ in (
    (elementwise.negative, np.negative, normal(2, 3)),
    (elementwise.relu, lambda x: np.maximum(x, 0), distinct(2, 3)),
    (elementwise.abs, np.abs, distinct(2, 3)),
    (identity, np.positive, normal(2, 3)),
    (activation.gelu, np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2)))), normal(2, 3)),
):
    case(op_, x_, ref=ref_)
    case(op_, x_.ravel()[:1].reshape(()), ref=ref_)
case(
    activation.gelu,
    normal(2, 3),
    approximate="tanh",
    ref=lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    note="tanh",
)
CONDITION = np.array([[True, False, True], [False, False, True]])
case(elementwise.where, CONDITION, normal(2, 3), normal(3), ref=np.where)
case(elementwise.where, CONDITION[0], normal(4, 1, 1), 0.5, ref=np.where)
case(elementwise.clip, distinct(2, 3), min=-0.2, max=0.1, ref=lambda x: np.clip(x, -0.2, 0.1))
case(elementwise.clip, distinct(2, 3), min=0.1, ref=lambda x: np.maximum(x, 0.1), note="min")
case(elementwise.clip, distinct(2, 3), max=0.1, ref=lambda x: np.minimum(x, 0.1), note="max")
for min_, max_ in ((normal(2, 3) - 1, normal(3) + 1), (normal(2, 1), None), (None, normal(3)), (-0.2, normal(2, 1, 1))):
    case(
        elementwise.clip,
        distinct(2, 3) * 3,
        min_,
        max_,
        ref=lambda x, low, high: np.minimum(
            np.maximum(x, -np.inf if low is None else low), np.inf if high is None else high
        ),
    )
case(elementwise.clip, np.array([-3, 5]), 0, 3, ref=lambda x, low, high: np.clip(x, low, high), smooth=False)
for op_, ref_ in ((elementwise.fmax, np.fmax), (elementwise.fmin, np.fmin), (elementwise.copysign, np.copysign)):
    case(op_, distinct(2, 3), distinct(2, 3) + 0.03, ref=ref_)
    case(op_, distinct(2, 1, 3), distinct(4, 1) + 0.03, ref=ref_)
    case(op_, distinct(3), 0.02, ref=ref_)
    case(op_, 0.02, distinct(3), ref=ref_)
    case(op_, distinct(0, 3), distinct(1, 3), ref=ref_)
case(elementwise.lerp, normal(2, 3), normal(3), normal(2, 1), ref=lambda a, b, w: a + w * (b - a))
case(elementwise.lerp, normal(2, 3), 1.5, 0.3, ref=lambda a, b, w: a + w * (b - a))
case(elementwise.nan_to_num, normal(2, 3), ref=np.copy)
case(elementwise.nan_to_num, np.array([3, 4]), ref=np.copy, smooth=False)
case(
    elementwise.nan_to_num,
    np.array([np.nan, 1.0, np.inf, -np.inf]),
    nan=2.0,
    posinf=3.0,
    neginf=4.0,
    ref=lambda x: np.array([2.0, 1.0, 3.0, 4.0]),
    smooth=False,
    note="replaced",
)
case(elementwise.heaviside, np.array([-1.0, 0.0, 2.0, np.nan]), np.array([0.5]), ref=np.heaviside, smooth=False)
case(elementwise.astype, normal(2, 3), dtype="float64", ref=np.copy)
case(elementwise.astype, normal(2, 3), dtype="float32", ref=lambda x: x.astype("float32"), smooth=False, note="32")
case(elementwise.astype, normal(2, 3) * 9, dtype="int64", ref=lambda x: x.astype("int64"), smooth=False, note="int")

case(collective.all_sum, normal(2, 3), ref=lambda x: x)
