"""Cases: trigonometric and hyperbolic functions."""

from __future__ import annotations

import numpy as np

from minitensor.ops.elementwise import hyperbolic as hy
from minitensor.ops.elementwise import trigonometric as tg
from tests.minitensor.cases.case import case, distinct, normal, positive

for op_, ref_, x_ in (
    (tg.sin, np.sin, normal(2, 3)),
    (tg.cos, np.cos, normal(2, 3)),
    (tg.tan, np.tan, normal(2, 3) * 0.5),
    (tg.asin, np.arcsin, np.array([[-0.9, 0.1, 0.5]])),
    (tg.acos, np.arccos, np.array([[-0.9, 0.1, 0.5]])),
    (tg.atan, np.arctan, normal(2, 3)),
    (hy.sinh, np.sinh, normal(2, 3)),
    (hy.cosh, np.cosh, normal(2, 3)),
    (hy.tanh, np.tanh, normal(2, 3)),
    (hy.asinh, np.arcsinh, normal(2, 3)),
    (hy.acosh, np.arccosh, 1 + positive(2, 3)),
    (hy.atanh, np.arctanh, np.array([[-0.9, 0.1, 0.5]])),
):
    case(op_, x_, ref=ref_)
    case(op_, x_.ravel()[:1].reshape(()), ref=ref_)
    case(op_, np.zeros((0, 2)), ref=ref_, note="empty")
case(tg.atan2, distinct(2, 3), distinct(2, 3) + 0.03, ref=np.arctan2)
case(tg.atan2, distinct(2, 1, 3), distinct(4, 1) + 0.03, ref=np.arctan2)
case(tg.atan2, distinct(3), 0.02, ref=np.arctan2)
case(tg.atan2, 0.02, distinct(3), ref=np.arctan2)
case(tg.atan2, distinct(0, 3), distinct(1, 3), ref=np.arctan2)
