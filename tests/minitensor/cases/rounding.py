"""Cases: rounding, signs, remainders."""

from __future__ import annotations

import numpy as np

from minitensor.ops.elementwise import rounding as rd
from tests.minitensor.cases.case import case, distinct

for name_ in ("floor", "ceil", "trunc", "sign", "round"):
    op_, ref_ = getattr(rd, name_), getattr(np, name_)
    case(op_, distinct(2, 3) * 7, ref=ref_)
    case(op_, np.array(2.3), ref=ref_)
    case(op_, np.zeros((0, 2)), ref=ref_, note="empty")
    case(op_, np.array([-2, 0, 3]), ref=np.sign if op_ is rd.sign else np.copy, smooth=False, note="whole")
case(rd.nothing, distinct(2, 3), ref=np.zeros_like, smooth=False)
case(rd.sign, np.array([True, False]), ref=np.copy, smooth=False, note="bools")
case(rd.round, np.array([0.5, 1.5, -2.5]), ref=np.round, smooth=False, note="halves")
case(rd.round, distinct(2, 3) * 7, decimals=1, ref=lambda x: np.round(x, 1), smooth=False, note="decimals")
case(rd.round, np.array([125.0, 135.0]), decimals=-1, ref=lambda x: np.round(x, -1), smooth=False, note="tens")
for op_, ref_ in ((rd.remainder, np.remainder), (rd.fmod, np.fmod)):
    case(op_, np.array([[5.3, -5.3, 1.1]]), np.array([[2.0], [-3.5]]), ref=ref_)
    case(op_, np.array([5.3, -5.3]), 2.0, ref=ref_)
    case(op_, 5.3, np.array([2.0, -3.5]), ref=ref_)
    case(op_, np.zeros((0, 2)), np.array([2.0, -3.5]), ref=ref_)
    case(op_, np.array([7, -7]), np.array([3]), ref=ref_, smooth=False, note="whole")
case(rd.floor_divide, np.array([5.3, -5.3]), np.array([[2.0], [-3.5]]), ref=np.floor_divide, smooth=False)
case(rd.trunc_divide, np.array([5.3, -5.3]), np.array([[2.0], [-3.5]]), ref=lambda a, b: np.trunc(a / b), smooth=False)
case(rd.floor_divide, np.array([7, -7]), 2, ref=np.floor_divide, smooth=False)
