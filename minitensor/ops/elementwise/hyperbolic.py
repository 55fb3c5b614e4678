"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.powers import rsqrt

__all__ = ["acosh", "asinh", "atanh", "cosh", "sinh", "tanh"]


@op("floating", "complex", public="sinh", onnx="Sinh")
def sinh(x: Array) -> Array:
    """y = sinh x = (eˣ - e⁻ˣ) / 2

    Any shape; integers and bools give the default float. Too large an x gives ±inf.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.sinh([0.0, 1.0])
    Tensor float32 (2,): [0. 1.1752]
    """
    return namespace(x).sinh(x)


@op("floating", "complex", public="cosh", onnx="Cosh")
def cosh(x: Array) -> Array:
    """y = cosh x = (eˣ + e⁻ˣ) / 2

    Any shape; integers and bools give the default float. Too large an x gives inf.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.cosh([0.0, 1.0])
    Tensor float32 (2,): [1. 1.5431]
    """
    return namespace(x).cosh(x)


sinh.vjp(x=lambda g, x: g * cosh(x))
cosh.vjp(x=lambda g, x: g * sinh(x))


@op("floating", "complex", public="tanh", onnx="Tanh")
def tanh(x: Array) -> Array:
    """y = tanh x = sinh x / cosh x; the gradient is 1 - y²

    Any shape; integers and bools give the default float. ±1 at ±inf.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.tanh([-1.0, 0.0, 1.0])
    Tensor float32 (3,): [-0.7616 0. 0.7616]
    """
    return namespace(x).tanh(x)


tanh.vjp(x=lambda g, y: g * (1 - y * y))


@op("floating", "complex", public="asinh arcsinh", onnx="Asinh")
def asinh(x: Array) -> Array:
    """y = ln(x + √(x² + 1)), the inverse of sinh; the gradient is 1 / √(x² + 1)

    Any shape; integers and bools give the default float. Also called arcsinh.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.asinh([0.0, 1.0])
    Tensor float32 (2,): [0. 0.8814]
    """
    return namespace(x).arcsinh(x)


asinh.vjp(x=lambda g, x: g * rsqrt(x * x + 1))


@op("floating", "complex", public="acosh arccosh", onnx="Acosh")
def acosh(x: Array) -> Array:
    """y = ln(x + √(x² - 1)) >= 0, the inverse of cosh; the gradient is 1 / √(x² - 1), inf at 1

    Any shape; integers and bools give the default float. NaN below 1. Also called arccosh.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning below 1.

    >>> import minitensor as mt
    >>> mt.acosh([1.0, 2.0])
    Tensor float32 (2,): [0. 1.317]
    """
    return namespace(x).arccosh(x)


def _acosh_rule(g: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return g * rsqrt(x * x - 1)
    return g * (rsqrt(x - 1) * rsqrt(x + 1))  # √(x² - 1) has the wrong sign left of the imaginary axis


acosh.vjp(x=_acosh_rule)


@op("floating", "complex", public="atanh arctanh", onnx="Atanh")
def atanh(x: Array) -> Array:
    """y = ln((1 + x) / (1 - x)) / 2, the inverse of tanh; the gradient is 1 / (1 - x²)

    Any shape; integers and bools give the default float. ±inf at ±1, with the gradient inf; NaN beyond. Also called
    arctanh.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.atanh([0.0, 0.5])
    Tensor float32 (2,): [0. 0.5493]
    """
    return namespace(x).arctanh(x)


atanh.vjp(x=lambda g, x: g / (1 - x * x))
