"""GELU, y = x Φ(x), and its closed form near it, y = x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2.

The tail of the normal distribution is its density times a function that hardly changes,

    1 - Φ(x) = e^(-x²/2) R(1/(1 + x/4)), x >= 0

with a polynomial R, so that Φ and the density of the derivative, Φ(x) + x e^(-x²/2)/√(2π), come from one exponential.
"""

import math
from typing import Any

import numpy as np

from minitensor.kernels.compiled.bits import polynomial, select
from minitensor.kernels.compiled.compiler import Number, PerDtype, inlined
from minitensor.kernels.compiled.elementary import exp, tanh
from minitensor.kernels.compiled.elementwise import mapped
from minitensor.ops.nn.activation import gelu

Array = np.ndarray
RATE = PerDtype(0.3, 0.25)
TAIL = PerDtype(  # R, fitted to the smallest largest relative error: 6e-8 and 1e-15
    (
        0.03837827973, -0.1691660639, 0.2286599848, -0.07650637308, 0.1425354583, 0.09468354772, 0.1219203369,
        0.1194876895, 7.168851058e-06,
    ),
    (
        0.00036191524152847184, -0.00660360578563478, 0.047444599223484804, -0.19060628933136942, 0.4897507656922634,
        -0.8588258972945148, 1.0676069372275956, -0.9751453342581827, 0.6873953887742049, -0.3835148498729519,
        0.15802247015165058, -0.05997269374103248, 0.022817568143206377, 0.020003284687555623, 0.04382270074220853,
        0.06342767456245064, 0.08104263951986951, 0.09350156069345834, 0.0997355962910507, 0.09973556932259413,
        1.0563928213761233e-11,
    ),
)  # fmt: skip
DENSITY = math.sqrt(0.5 / math.pi)
SLOPE, CUBE = math.sqrt(2 / math.pi), 0.044715


@inlined
def distribution(x: Number, bell: Number) -> Number:
    """Φ(x), with bell = e^(-x²/2)"""
    tail = bell * polynomial(1.0 / (1.0 + RATE * abs(x)), TAIL)
    return select(x < 0.0, tail, 1.0 - tail)


@inlined
def exact(x: Number) -> Number:
    """y = x Φ(x)"""
    return x * distribution(x, exp(-0.5 * (x * x)))


@inlined
def exact_gradient(g: Number, x: Number) -> Number:
    """dx = g (Φ(x) + x φ(x))"""
    bell = exp(-0.5 * (x * x))
    return g * (distribution(x, bell) + x * (DENSITY * bell))


@inlined
def closed(x: Number) -> Number:
    """y = x (1 + tanh u)/2, u = √(2/π) (x + 0.044715 x³)"""
    return 0.5 * x * (1.0 + tanh(SLOPE * (x + CUBE * x * x * x)))


@inlined
def closed_gradient(g: Number, x: Number) -> Number:
    """dx = g (1 + tanh u + x (1 - tanh² u) u')/2"""
    t = tanh(SLOPE * (x + CUBE * x * x * x))
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (SLOPE * (1.0 + 3.0 * CUBE * x * x)))


exact_gelu, closed_gelu = mapped(exact, exact_gradient), mapped(closed, closed_gradient)


@gelu.fused("compiled")
def gelu_compiled(x: Array, *, needs: tuple[bool, ...], approximate: str = "none") -> Any:
    """Run either GELU; keeps x."""
    if approximate not in ("none", "tanh"):
        return NotImplemented  # the plain Python says what is wrong
    return (exact_gelu if approximate == "none" else closed_gelu)(x, needs)
