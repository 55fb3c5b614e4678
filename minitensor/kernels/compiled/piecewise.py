"""The activations with kinks: what the gradient is at one is said at its declaration. NaN takes the last choice."""

from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import Number, inlined
from minitensor.kernels.compiled.elementwise import attach
from minitensor.ops.elementwise import relu
from minitensor.ops.nn.piecewise import hardsigmoid, hardswish, hardtanh, leaky_relu


@inlined
def relu_value(x: Number) -> Number:
    """y = max(x, 0)"""
    return select(x <= 0.0, 0.0, x)


@inlined
def relu_gradient(g: Number, y: Number) -> Number:
    """dx = g where y > 0"""
    return select(y <= 0.0, 0.0, g)


@inlined
def leaky_value(x: Number, slope: Number) -> Number:
    """y = x for x > 0, else slope x"""
    return select(x > 0.0, x, slope * x)


@inlined
def leaky_gradient(g: Number, x: Number, slope: Number) -> Number:
    """dx = g for x > 0, else slope g"""
    return select(x > 0.0, g, slope * g)


@inlined
def clipped(x: Number, low: Number, high: Number) -> Number:
    """y = x brought into [low, high]"""
    return select(x < low, low, select(x > high, high, x))


@inlined
def clipped_gradient(g: Number, x: Number, low: Number, high: Number) -> Number:
    """dx = g between the bounds, 0 at them and beyond"""
    return select((x <= low) | (x >= high), 0.0, g)


@inlined
def hardsigmoid_value(x: Number) -> Number:
    """y = min(max(x + 3, 0), 6) / 6"""
    return clipped(x + 3.0, 0.0, 6.0) / 6.0


@inlined
def hardsigmoid_gradient(g: Number, x: Number) -> Number:
    """dx = g/6 between -3 and 3"""
    return select((x > -3.0) & (x < 3.0), g / 6.0, 0.0)


@inlined
def hardswish_value(x: Number) -> Number:
    """y = x min(max(x + 3, 0), 6) / 6"""
    return x * clipped(x + 3.0, 0.0, 6.0) / 6.0


@inlined
def hardswish_gradient(g: Number, x: Number) -> Number:
    """dx = 0 up to -3, g (x/3 + 1/2) below 3, g from there on"""
    return select(x <= -3.0, 0.0, select(x < 3.0, g * (x / 3.0 + 0.5), g))


attach(relu, relu_value, relu_gradient, keeps="y")
attach(leaky_relu, leaky_value, leaky_gradient)
attach(hardtanh, clipped, clipped_gradient, takes=lambda low, high: low <= high)
attach(hardsigmoid, hardsigmoid_value, hardsigmoid_gradient)
attach(hardswish, hardswish_value, hardswish_gradient)
