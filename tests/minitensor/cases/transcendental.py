"""Cases: exponentials, logarithms, powers, the error function, the gamma function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops.elementwise import error_function, gamma, powers
from minitensor.ops.elementwise import transcendental as tc
from tests.minitensor.cases.case import case, distinct, normal, positive

inner = np.array([[-0.95, -0.4, 0.0], [0.2, 0.7, 0.999]])
for op_, ref_, x_ in (
    (tc.exp, np.exp, normal(2, 3)),
    (tc.exp2, np.exp2, normal(2, 3)),
    (tc.expm1, np.expm1, normal(2, 3)),
    (tc.log, np.log, positive(2, 3)),
    (tc.log2, np.log2, positive(2, 3)),
    (tc.log10, np.log10, positive(2, 3)),
    (tc.log1p, np.log1p, positive(2, 3)),
    (tc.sigmoid, lambda x: 1 / (1 + np.exp(-x)), normal(2, 3)),
    (tc.logit, lambda x: np.log(x / (1 - x)), np.array([[0.2, 0.5, 0.9]])),
    (powers.square, np.square, normal(2, 3)),
    (powers.sqrt, np.sqrt, positive(2, 3)),
    (powers.rsqrt, lambda x: 1 / np.sqrt(x), positive(2, 3)),
    (powers.reciprocal, lambda x: 1 / x, positive(2, 3)),
    (error_function.erf, np.vectorize(math.erf), np.array([-3.0, -2.3, -0.7, 1e-3, 1.1, 2.5, 5.0])),
    (error_function.erfc, np.vectorize(math.erfc), np.array([-3.0, -1.6, -0.7, 1e-3, 1.1, 2.5, 5.0])),
    (error_function.erfinv, np.copy, inner * 0),
    (gamma.lgamma, np.vectorize(math.lgamma), np.array([0.1, 1.0, 2.5, 9.0, 30.0, -0.6, -4.3])),
    (gamma.digamma, lambda x: np.full((1, 2), -0.5772156649015329) + np.array([0, 1]), np.array([[1.0, 2.0]])),
):
    case(op_, x_, ref=ref_)
    if op_ is not gamma.digamma:
        case(op_, x_.ravel()[:1].reshape(()), ref=ref_)
        case(op_, x_[:0], ref=lambda x: np.zeros(x.shape), note="empty")
case(tc.logit, np.array([0.05, 0.5]), eps=0.1, ref=lambda x: np.log(np.clip(x, 0.1, 0.9) / (1 - np.clip(x, 0.1, 0.9))))


def _inverse(x: Any) -> Any:
    """The inverse of erf, by halving an interval."""
    low, high = -6.0, 6.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return low


case(error_function.erfinv, inner[1], ref=np.vectorize(_inverse), note="inverse")
case(gamma.polygamma, np.array([1.0, 2.0]), n=1, ref=lambda x: math.pi**2 / 6 - np.array([0, 1]))
case(gamma.polygamma, np.array([[0.5]]), n=3, ref=lambda x: np.full((1, 1), math.pi**4), note="3")
case(gamma.polygamma, np.array([-0.5]), n=2, ref=lambda x: np.array([-0.8287966442343199]), note="left of 0")
for op_, ref_ in ((tc.logaddexp, np.logaddexp), (tc.logaddexp2, np.logaddexp2), (powers.hypot, np.hypot)):
    case(op_, distinct(2, 3), distinct(2, 3) + 0.03, ref=ref_)
    case(op_, distinct(2, 1, 3), distinct(4, 1) + 0.03, ref=ref_)
    case(op_, distinct(3), 0.02, ref=ref_)
    case(op_, 0.02, distinct(3), ref=ref_)
    case(op_, distinct(0, 3), distinct(1, 3), ref=ref_)
case(tc.xlogy, normal(2, 3), positive(3), ref=lambda a, b: a * np.log(b))
case(tc.xlogy, 1.5, positive(3), ref=lambda a, b: a * np.log(b))
case(tc.xlogy, normal(2, 3), 2.0, ref=lambda a, b: a * np.log(b))
case(tc.xlogy, np.zeros(2), np.array([0.0, 2.0]), ref=lambda a, b: np.zeros(2), smooth=False, note="zero")
case(tc.xlogy, 0.0, np.array([0.0, 2.0]), ref=lambda a, b: np.zeros(2), smooth=False, note="number zero")
case(powers.power, positive(2, 3), normal(3), ref=np.power)
case(powers.power, positive(2, 3), -1.5, ref=np.power)
case(powers.power, normal(2, 3), 3, ref=np.power)
case(powers.power, normal(2, 3), 1, ref=np.power)
case(powers.power, normal(2, 3), 0, ref=np.power)
case(powers.power, 2.0, normal(2, 3), ref=np.power)
case(powers.power, np.array([2, -3]), np.array([3, 2]), ref=np.power, smooth=False, note="whole")
