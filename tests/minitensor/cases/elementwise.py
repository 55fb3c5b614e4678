"""Cases: elementwise."""

from __future__ import annotations

import math

import numpy as np

from minitensor.composite import identity
from minitensor.ops import activation, elementwise
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
    (elementwise.square, np.square, normal(2, 3)),
    (elementwise.exp, np.exp, normal(2, 3)),
    (elementwise.log, np.log, positive(2, 3)),
    (elementwise.log1p, np.log1p, positive(2, 3)),
    (elementwise.sqrt, np.sqrt, positive(2, 3)),
    (elementwise.sin, np.sin, normal(2, 3)),
    (elementwise.cos, np.cos, normal(2, 3)),
    (elementwise.tanh, np.tanh, normal(2, 3)),
    (elementwise.sigmoid, lambda x: 1 / (1 + np.exp(-x)), normal(2, 3)),
    (elementwise.relu, lambda x: np.maximum(x, 0), distinct(2, 3)),
    (elementwise.erf, np.vectorize(math.erf), np.array([-3.0, -2.3, -0.7, 1e-3, 1.1, 2.5, 5.0])),
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
case(elementwise.astype, normal(2, 3), dtype="float64", ref=np.copy)
case(elementwise.astype, normal(2, 3), dtype="float32", ref=lambda x: x.astype("float32"), smooth=False, note="32")
case(elementwise.astype, normal(2, 3) * 9, dtype="int64", ref=lambda x: x.astype("int64"), smooth=False, note="int")
for name_ in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    case(
        getattr(elementwise, name_),
        np.array([[1.0, 2.0, 3.0]]),
        np.array([[1.0], [2.0]]),
        ref=getattr(np, name_),
        smooth=False,
    )
    case(getattr(elementwise, name_), np.array([1, 2, 3]), 2, ref=getattr(np, name_), smooth=False)
for name_ in ("logical_and", "logical_or"):
    case(getattr(elementwise, name_), CONDITION, ~CONDITION[0], ref=getattr(np, name_), smooth=False)
case(elementwise.logical_not, CONDITION, ref=np.logical_not, smooth=False)
case(elementwise.isfinite, np.array([1.0, np.inf, np.nan]), ref=np.isfinite, smooth=False)
case(elementwise.sign, np.array([-2.0, 0.0, 3.0]), ref=np.sign, smooth=False)
