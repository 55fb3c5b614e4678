"""Sine, cosine, tangent and their inverses. Angles are in radians."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.choice import where
from minitensor.ops.elementwise.comparison import equal
from minitensor.ops.elementwise.powers import rsqrt

__all__ = ["acos", "asin", "atan", "atan2", "cos", "sin", "tan"]


@op("floating", "complex", public="sin", onnx="Sin")
def sin(x: Array) -> Array:
    """y = sin x

    Any shape; integers and bools give the default float. At ±inf it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning at ±inf.

    >>> import minitensor as mt
    >>> mt.sin([0.0, 1.0])
    Tensor float32 (2,): [0. 0.8415]
    """
    return namespace(x).sin(x)


@op("floating", "complex", public="cos", onnx="Cos")
def cos(x: Array) -> Array:
    """y = cos x

    Any shape; integers and bools give the default float. At ±inf it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning at ±inf.

    >>> import minitensor as mt
    >>> mt.cos([0.0, 1.0])
    Tensor float32 (2,): [1. 0.5403]
    """
    return namespace(x).cos(x)


sin.vjp(x=lambda g, x: g * cos(x))
cos.vjp(x=lambda g, x: -g * sin(x))


@op("floating", "complex", public="tan", onnx="Tan")
def tan(x: Array) -> Array:
    """y = tan x; the gradient is 1 + y²

    Any shape; integers and bools give the default float. At ±inf it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning at ±inf.

    >>> import minitensor as mt
    >>> mt.tan([0.0, 1.0])
    Tensor float32 (2,): [0. 1.5574]
    """
    return namespace(x).tan(x)


tan.vjp(x=lambda g, y: g * (1 + y * y))


@op("floating", "complex", public="asin arcsin", onnx="Asin")
def asin(x: Array) -> Array:
    """y = the angle in [-π/2, π/2] whose sine is x; the gradient is 1 / √(1 - x²), inf at ±1

    Any shape; integers and bools give the default float. Beyond [-1, 1] it is NaN. Also called arcsin.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning beyond [-1, 1].

    >>> import minitensor as mt
    >>> mt.asin([0.5, 1.0])
    Tensor float32 (2,): [0.5236 1.5708]
    """
    return namespace(x).arcsin(x)


asin.vjp(x=lambda g, x: g * rsqrt(1 - x * x))


@op("floating", "complex", public="acos arccos", onnx="Acos")
def acos(x: Array) -> Array:
    """y = the angle in [0, π] whose cosine is x; the gradient is -1 / √(1 - x²), -inf at ±1

    Any shape; integers and bools give the default float. Beyond [-1, 1] it is NaN. Also called arccos.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning beyond [-1, 1].

    >>> import minitensor as mt
    >>> mt.acos([0.5, 1.0])
    Tensor float32 (2,): [1.0472 0. ]
    """
    return namespace(x).arccos(x)


acos.vjp(x=lambda g, x: -g * rsqrt(1 - x * x))


@op("floating", "complex", public="atan arctan", onnx="Atan")
def atan(x: Array) -> Array:
    """y = the angle in [-π/2, π/2] whose tangent is x; the gradient is 1 / (1 + x²)

    Any shape; integers and bools give the default float. At ±inf it is ±π/2. Also called arctan.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.atan([0.0, 1.0])
    Tensor float32 (2,): [0. 0.7854]
    """
    return namespace(x).arctan(x)


atan.vjp(x=lambda g, x: g / (1 + x * x))


@op("broadcasts", "floating", public="atan2 arctan2")
def atan2(a: Array, b: Array) -> Array:
    """y = the angle in [-π, π] of the point with abscissa b and ordinate a; the gradients are b / r² and -a / r²

    Shapes broadcast, dtypes meet. The signs of zeros and infinities name the quadrant; at (0, 0) both gradients are 0.
    Raises ValueError if the shapes do not broadcast. Also called arctan2.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.atan2([1.0, 0.0], [1.0, -1.0])
    Tensor float32 (2,): [0.7854 3.1416]
    """
    return namespace(a, b).arctan2(a, b)


def _over_square(g: Array, a: Array, b: Array, x: Array) -> Array:
    square = a * a + b * b
    origin = equal(square, 0)
    return g * where(origin, 0.0, x / where(origin, 1.0, square))


atan2.vjp(a=lambda g, a, b: _over_square(g, a, b, b), b=lambda g, a, b: _over_square(g, a, b, -a))
