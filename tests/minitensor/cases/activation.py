"""Cases: activations, smooth, with kinks, and gated."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.nn import activation, gated, piecewise
from tests.minitensor.cases.case import case, distinct, normal


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _elu(x: Any, alpha: float = 1.0, rate: float = 1.0, slope: float = 1.0) -> Any:
    return np.where(x > 0, slope * x, alpha * (np.exp(rate * np.minimum(x, 0)) - 1))


case(activation.silu, normal(2, 3), ref=lambda x: x * _sigmoid(x))
case(activation.softplus, normal(2, 3), ref=lambda x: np.log1p(np.exp(x)))
case(activation.softplus, normal(5), beta=2.0, threshold=1.0, note="settings",
     ref=lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * x)) / 2))  # fmt: skip
case(activation.logsigmoid, 3 * normal(2, 3), ref=lambda x: np.log(_sigmoid(x)))
case(activation.mish, normal(2, 3), ref=lambda x: x * np.tanh(np.log1p(np.exp(x))))
case(activation.exponential_linear, distinct(2, 3), alpha=0.7, rate=1.3, slope=1.1,
     ref=lambda x: _elu(x, 0.7, 1.3, 1.1))  # fmt: skip
case(activation.elu, distinct(2, 3), ref=_elu)
case(activation.elu, distinct(5), alpha=1.5, ref=lambda x: _elu(x, 1.5), note="alpha")
case(activation.celu, distinct(5), alpha=1.5, ref=lambda x: _elu(x, 1.5, 1 / 1.5))
case(activation.selu, distinct(5), ref=lambda x: _elu(x, 1.7580993408473766, 1, 1.0507009873554805))
case(activation.softsign, distinct(2, 3), ref=lambda x: x / (1 + np.abs(x)))
case(activation.tanhshrink, normal(2, 3), ref=lambda x: x - np.tanh(x))
for shape_ in ((), (0,), (2, 0)):
    case(activation.softplus, normal(*shape_), ref=lambda x: np.log1p(np.exp(x)), note=f"shape{shape_}")
    case(activation.elu, normal(*shape_), ref=_elu, note=f"shape{shape_}")

case(piecewise.leaky_relu, distinct(2, 3), ref=lambda x: np.where(x > 0, x, 0.01 * x))
case(piecewise.leaky_relu, distinct(5), negative_slope=-0.3, ref=lambda x: np.where(x > 0, x, -0.3 * x), note="slope")
case(piecewise.prelu, distinct(2, 3), normal(3), ref=lambda x, w: np.where(x > 0, x, w * x))
case(piecewise.prelu, distinct(2, 3, 2), normal(3), ref=lambda x, w: np.where(x > 0, x, w[:, None] * x))
case(piecewise.prelu, distinct(2, 3), normal(1), ref=lambda x, w: np.where(x > 0, x, w * x))
case(piecewise.prelu, distinct(4), normal(), ref=lambda x, w: np.where(x > 0, x, w * x))
case(piecewise.prelu, np.asarray(-0.4), normal(1), ref=lambda x, w: w[0] * x, note="number")
case(piecewise.threshold, distinct(2, 3), threshold=0.1, value=7.0, ref=lambda x: np.where(x > 0.1, x, 7))
case(piecewise.hardtanh, 4 * distinct(2, 3), ref=lambda x: np.clip(x, -1, 1))
case(piecewise.hardtanh, 4 * distinct(5), min_val=-0.3, max_val=0.6, ref=lambda x: np.clip(x, -0.3, 0.6), note="bounds")
case(piecewise.relu6, 20 * distinct(2, 5), ref=lambda x: np.clip(x, 0, 6))
case(piecewise.hardsigmoid, 9 * distinct(2, 5), ref=lambda x: np.clip(x + 3, 0, 6) / 6)
case(piecewise.hardswish, 9 * distinct(2, 5), ref=lambda x: x * np.clip(x + 3, 0, 6) / 6)
case(piecewise.softshrink, 2 * distinct(2, 5), ref=lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0))
case(piecewise.softshrink, distinct(5), lambd=0.0, ref=lambda x: x, note="zero")
case(piecewise.hardshrink, 2 * distinct(2, 5), ref=lambda x: np.where(np.abs(x) > 0.5, x, 0))
case(piecewise.hardtanh, np.array([-3, 0, 2]), ref=lambda x: np.clip(x, -1, 1), smooth=False, note="integers")

case(gated.glu, normal(2, 4), ref=lambda x: x[:, :2] * _sigmoid(x[:, 2:]))
case(gated.glu, normal(4, 3), dim=0, ref=lambda x: x[:2] * _sigmoid(x[2:]), note="dim0")
case(gated.swiglu, normal(2, 4), ref=lambda x: x[:, :2] * _sigmoid(x[:, :2]) * x[:, 2:])
case(gated.swiglu, normal(2, 4, 3), dim=-2, ref=lambda x: x[:, :2] * _sigmoid(x[:, :2]) * x[:, 2:], note="dim-2")
