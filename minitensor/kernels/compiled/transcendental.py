"""Functions of one number that NumPy has no vectors of, or takes several passes for, with their gradients."""

from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import Number, inlined
from minitensor.kernels.compiled.elementary import erf as error_function
from minitensor.kernels.compiled.elementary import exp as power
from minitensor.kernels.compiled.elementary import expm1 as power_minus_1
from minitensor.kernels.compiled.elementary import log1p as logarithm
from minitensor.kernels.compiled.elementwise import attach
from minitensor.ops.elementwise import abs as magnitude
from minitensor.ops.elementwise import erf, exp, expm1, log1p

TWO_OVER_SQRT_PI = 1.1283791670955126


@inlined
def erf_gradient(g: Number, x: Number) -> Number:
    """dx = 2/√π e^(-x²) g"""
    return g * (TWO_OVER_SQRT_PI * power(-(x * x)))


@inlined
def exp_gradient(g: Number, y: Number) -> Number:
    """dx = g y"""
    return g * y


@inlined
def expm1_gradient(g: Number, y: Number) -> Number:
    """dx = g (y + 1)"""
    return g * (y + 1.0)


@inlined
def log1p_gradient(g: Number, x: Number) -> Number:
    """dx = g / (1 + x)"""
    return g / (1.0 + x)


@inlined
def magnitude_value(x: Number) -> Number:
    """y = |x|"""
    return abs(x)


@inlined
def magnitude_gradient(g: Number, x: Number) -> Number:
    """dx = g sign(x), 0 at 0 and at NaN"""
    return select(x > 0.0, g, select(x < 0.0, -g, 0.0))


attach(erf, error_function, erf_gradient)
attach(exp, power, exp_gradient, keeps="y")
attach(expm1, power_minus_1, expm1_gradient, keeps="y")
attach(log1p, logarithm, log1p_gradient)
attach(magnitude, magnitude_value, magnitude_gradient)
