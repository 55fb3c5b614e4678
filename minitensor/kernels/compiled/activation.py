"""The smooth activations. What each computes is said at its declaration; the gradient is that of x, or of y if said."""

from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import Number, inlined
from minitensor.kernels.compiled.elementary import exp, expm1, log1p
from minitensor.kernels.compiled.elementary import sigmoid as logistic
from minitensor.kernels.compiled.elementary import tanh as hyperbolic
from minitensor.kernels.compiled.elementwise import attach
from minitensor.ops.elementwise import sigmoid, tanh
from minitensor.ops.nn.activation import exponential_linear, logsigmoid, mish, silu, softplus


@inlined
def sigmoid_gradient(g: Number, y: Number) -> Number:
    """dx = g y (1 - y)"""
    return g * (y * (1.0 - y))


@inlined
def tanh_gradient(g: Number, y: Number) -> Number:
    """dx = g (1 - y²)"""
    return g * (1.0 - y * y)


@inlined
def silu_value(x: Number) -> Number:
    """y = x σ(x)"""
    return x * logistic(x)


@inlined
def silu_gradient(g: Number, x: Number) -> Number:
    """dx = g σ(x) (1 + x (1 - σ(x)))"""
    s = logistic(x)
    return g * (s * (1.0 + x * (1.0 - s)))


@inlined
def softplus_value(x: Number, beta: Number, threshold: Number) -> Number:
    """y = ln(1 + e^(βx)) / β, or x where βx > threshold"""
    z = beta * x
    return select(z > threshold, x, (select(z > 0.0, z, 0.0) + log1p(exp(-abs(z)))) / beta)


@inlined
def softplus_gradient(g: Number, x: Number, beta: Number, threshold: Number) -> Number:
    """dx = g σ(βx), or g where βx > threshold"""
    z = beta * x
    return g * select(z > threshold, 1.0, logistic(z))


@inlined
def logsigmoid_value(x: Number) -> Number:
    """y = ln σ(x) = min(x, 0) - ln(1 + e^(-|x|))"""
    return select(x < 0.0, x, 0.0) - log1p(exp(-abs(x)))


@inlined
def logsigmoid_gradient(g: Number, x: Number) -> Number:
    """dx = g σ(-x)"""
    return g * logistic(-x)


@inlined
def tanh_of_softplus(x: Number) -> Number:
    """tanh(ln(1 + eˣ)) = w / (w + 2), w = eˣ (eˣ + 2), which is 1 from 20 on"""
    e = exp(select(x > 20.0, 20.0, x))
    w = e * (e + 2.0)
    return w / (w + 2.0)


@inlined
def mish_value(x: Number) -> Number:
    """y = x tanh(softplus(x))"""
    return x * tanh_of_softplus(x)


@inlined
def mish_gradient(g: Number, x: Number) -> Number:
    """dx = g (t + x (1 - t²) σ(x)), t = tanh(softplus(x))"""
    t = tanh_of_softplus(x)
    return g * (t + x * ((1.0 - t * t) * logistic(x)))


@inlined
def exponential_value(x: Number, alpha: Number, rate: Number, slope: Number) -> Number:
    """y = slope x for x > 0, else alpha (e^(rate x) - 1)"""
    return select(x > 0.0, slope * x, alpha * expm1(rate * select(x > 0.0, 0.0, x)))


@inlined
def exponential_gradient(g: Number, x: Number, alpha: Number, rate: Number, slope: Number) -> Number:
    """dx = slope g for x > 0, else alpha rate e^(rate x) g"""
    return g * select(x <= 0.0, (alpha * rate) * exp(rate * select(x < 0.0, x, 0.0)), slope)


attach(sigmoid, logistic, sigmoid_gradient, keeps="y")
attach(tanh, hyperbolic, tanh_gradient, keeps="y")
attach(silu, silu_value, silu_gradient)
attach(softplus, softplus_value, softplus_gradient)
attach(logsigmoid, logsigmoid_value, logsigmoid_gradient)
attach(mish, mish_value, mish_gradient)
attach(exponential_linear, exponential_value, exponential_gradient)
