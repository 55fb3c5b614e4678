"""Cases: comparisons, logic, kinds of numbers, bits."""

from __future__ import annotations

import numpy as np

from minitensor.ops.elementwise import bitwise, comparison
from tests.minitensor.cases.case import case
from tests.minitensor.cases.elementwise import CONDITION

ODD = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0])
for name_ in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    op_, ref_ = getattr(comparison, name_), getattr(np, name_)
    case(op_, np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [2.0]]), ref=ref_, smooth=False)
    case(op_, np.array([1, 2, 3]), 2, ref=ref_, smooth=False)
    case(op_, 2, np.array([1, 2, 3]), ref=ref_, smooth=False)
    case(op_, np.zeros((0, 3)), np.ones(3), ref=ref_, smooth=False)
    case(op_, ODD, ODD[:1], ref=ref_, smooth=False, note="nan")
for name_ in ("logical_and", "logical_or", "logical_xor"):
    case(getattr(comparison, name_), CONDITION, ~CONDITION[0], ref=getattr(np, name_), smooth=False)
    case(getattr(comparison, name_), ODD, np.array([0.0, 1.0, 1.0, 0.0, 0.0]), ref=getattr(np, name_), smooth=False)
case(comparison.logical_not, CONDITION, ref=np.logical_not, smooth=False)
for name_ in ("isfinite", "isinf", "isnan", "isposinf", "isneginf", "signbit", "logical_not"):
    case(getattr(comparison, name_), ODD, ref=getattr(np, name_), smooth=False)
    case(getattr(comparison, name_), np.array(1.0), ref=getattr(np, name_), smooth=False)
for name_ in ("isfinite", "isinf", "isnan"):
    case(getattr(comparison, name_), np.array([1, 0]), ref=getattr(np, name_), smooth=False, note="whole")
case(comparison.signbit, np.array([1, -1]), ref=lambda x: x < 0, smooth=False, note="whole")
close = np.array([np.nan, np.inf, 1.0, 1.0 + 1e-7, 1e-9])
case(comparison.isclose, ODD, close, ref=np.isclose, smooth=False)
case(
    comparison.isclose,
    ODD,
    ODD.copy(),
    equal_nan=True,
    rtol=0.1,
    ref=lambda a, b: np.ones(5, bool),
    smooth=False,
    note="nan",
)
_bits, _shifts = np.array([6, 5, -1]), np.array([3, 1, 2])
for op_, ref_ in (
    (bitwise.bitwise_and, np.bitwise_and),
    (bitwise.bitwise_or, np.bitwise_or),
    (bitwise.bitwise_xor, np.bitwise_xor),
    (bitwise.bitwise_left_shift, np.left_shift),
    (bitwise.bitwise_right_shift, np.right_shift),
):
    case(op_, _bits, _shifts, ref=ref_, smooth=False)
    case(op_, _bits, 2, ref=ref_, smooth=False)
    case(op_, _bits[:, None], _shifts, ref=ref_, smooth=False)
for op_, ref_ in (
    (bitwise.bitwise_and, np.bitwise_and),
    (bitwise.bitwise_or, np.bitwise_or),
    (bitwise.bitwise_xor, np.bitwise_xor),
):
    case(op_, CONDITION, ~CONDITION[0], ref=ref_, smooth=False, note="bools")
case(bitwise.bitwise_not, _bits, ref=np.bitwise_not, smooth=False)
case(bitwise.bitwise_not, CONDITION, ref=np.bitwise_not, smooth=False)
