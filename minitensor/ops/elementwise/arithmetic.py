"""Arithmetic: sums, products, quotients, absolute values and casts of broadcast operands.

A rule that says `g * y` gets the incoming gradient and the result; the engine keeps alive just what a rule names and
sums a gradient back over broadcast axes, so no rule mentions either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.choice import where
from minitensor.ops.elementwise.comparison import equal, greater, less
from minitensor.ops.elementwise.complex_numbers import conj
from minitensor.ops.elementwise.rounding import nothing
from minitensor.ops.elementwise.selection import select

__all__ = ["abs", "add", "astype", "copysign", "divide", "heaviside", "lerp", "multiply", "negative", "subtract"]


@op("broadcasts", "complex", public="add", onnx="Add Or")
def add(a: Array, b: Array) -> Array:
    """y = a + b, which is what + means

    Shapes broadcast, dtypes meet; integers wrap around, bools give bools: a or b. Raises ValueError if the shapes do
    not broadcast.

    >>> import minitensor as mt
    >>> mt.add([[1.0], [2.0]], [10.0, 20.0])
    Tensor float32 (2, 2): [[11. 21.] [12. 22.]]
    """
    return a + b


add.vjp(a=lambda g: g, b=lambda g: g)


@op("broadcasts", "numbers", "complex", public="subtract", onnx="Sub")
def subtract(a: Array, b: Array) -> Array:
    """y = a - b, which is what - means

    Shapes broadcast, dtypes meet; integers wrap around. Raises TypeError for a bool operand, ValueError if the shapes
    do not broadcast.
    Differs from NumPy: a bool with a number is refused too.

    >>> import minitensor as mt
    >>> mt.subtract([5.0, 6.0], 1.0)
    Tensor float32 (2,): [4. 5.]
    """
    return a - b


subtract.vjp(a=lambda g: g, b=lambda g: -g)


@op("broadcasts", "complex", public="multiply", onnx="Mul And")
def multiply(a: Array, b: Array) -> Array:
    """y = a b, which is what * means

    Shapes broadcast, dtypes meet; integers wrap around, bools give bools: a and b. Raises ValueError if the shapes do
    not broadcast.

    >>> import minitensor as mt
    >>> mt.multiply([1.0, 2.0], [3.0, 4.0])
    Tensor float32 (2,): [3. 8.]
    """
    return a * b


multiply.vjp(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op("broadcasts", "floating", "complex", public="divide true_divide", onnx="Div")
def divide(a: Array, b: Array) -> Array:
    """y = a / b, which is what / means

    Shapes broadcast, dtypes meet; integers and bools give the default float. a / 0 is ±inf, 0 / 0 NaN. Raises
    ValueError if the shapes do not broadcast.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where b is 0.

    >>> import minitensor as mt
    >>> mt.divide([1, 2], 4)
    Tensor float32 (2,): [0.25 0.5 ]
    """
    return a / b


divide.vjp(a=lambda g, b: g / b, b=lambda g, a, b: -g * ((a / b) / b))  # b² would overflow before a / b does


@op("complex", public="negative", onnx="Neg")
def negative(x: Array) -> Array:
    """y = -x

    Any shape, the same dtype out; unsigned integers wrap around. Raises TypeError for bools.

    >>> import minitensor as mt
    >>> mt.negative([1.0, -2.0])
    Tensor float32 (2,): [-1. 2.]
    """
    if x.dtype.kind == "b":
        raise TypeError("negative: bools are refused: use logical_not(x) or ~x to turn them")
    return -x


negative.vjp(x=lambda g: -g)


@op("complex", public="abs absolute", onnx="Abs")
def abs(x: Array) -> Array:
    """y = |x|, √(a² + b²) of a + ib

    Any shape, the same dtype out, floats for complex numbers. The gradient is x / |x|, at 0 it is 0, and at a real NaN.
    Raises TypeError for bools.
    Differs from NumPy: bools are refused.

    >>> import minitensor as mt
    >>> mt.abs([-2.0, 0.0, 3.0])
    Tensor float32 (3,): [2. 0. 3.]
    """
    if x.dtype.kind == "b":
        raise TypeError("abs: bools are refused: convert x with .astype('int64') first")
    return namespace(x).abs(x)


def _abs_rule(g: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return where(greater(x, 0), g, where(less(x, 0), -g, 0.0))
    origin = equal(x, 0)
    return g * where(origin, 0.0, conj(x) / where(origin, 1.0, abs(x)))


abs.vjp(x=_abs_rule)


@op("broadcasts", "floating", public="copysign")
def copysign(a: Array, b: Array) -> Array:
    """y = |a| with the sign of b, that of -0 too

    Shapes broadcast, dtypes meet; integers and bools give the default float. The gradient is y / a, 0 at a = 0 and NaN
    at ±inf; of b it is 0. Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.copysign([1.0, -2.0], [-0.0, 3.0])
    Tensor float32 (2,): [-1. 2.]
    """
    return namespace(a, b).copysign(a, b)


copysign.vjp(
    a=lambda g, a, y: g * where(equal(a, 0), 0.0, y / where(equal(a, 0), 1.0, a)),
    b=lambda g: nothing(g),
)


@op("broadcasts", public="heaviside")
def heaviside(x: Array, values: Array) -> Array:
    """y = 0 below 0, 1 above, and `values` at 0; without a gradient

    Shapes broadcast, dtypes meet. NaN stays NaN. Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers and bools stay what they are. Differs from PyTorch: two dtypes may meet; NaN is not 0.

    >>> import minitensor as mt
    >>> mt.heaviside([-1.0, 0.0, 2.0], 0.5)
    Tensor float32 (3,): [0. 0.5 1. ]
    """
    xp = namespace(x, values)
    y = xp.where(xp.equal(x, 0), values, xp.where(xp.isnan(x), x, xp.greater(x, 0)))
    return y.astype(next(v.dtype for v in (x, values) if hasattr(v, "dtype")), copy=False)


@op("broadcasts", "floating", "complex", public="lerp")
def lerp(a: Array, b: Array, weight: Array) -> Array:
    """y = a + weight (b - a), the way from a to b: exactly a at weight 0, b at 1

    All three broadcast and meet in one dtype; weights beyond [0, 1] go on. Gradients: 1 - weight, weight, b - a. Raises
    ValueError if the shapes do not broadcast.
    Differs from NumPy: not there. Differs from PyTorch: integers and two dtypes are taken.

    >>> import minitensor as mt
    >>> mt.lerp([0.0, 10.0], [1.0, 20.0], 0.5)
    Tensor float32 (2,): [ 0.5 15. ]
    """
    xp = namespace(a, b, weight)
    return select(xp.abs(weight) < 0.5, a + weight * (b - a), b - (b - a) * (1 - weight))


lerp.vjp(a=lambda g, weight: g * (1 - weight), b=lambda g, weight: g * weight, weight=lambda g, a, b: g * (b - a))


@op("verbatim")
def astype(x: Array, *, dtype: DTypeLike) -> Array:
    """y = x in another dtype; the gradient comes back in x's, and a cast to integers has none"""
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        raise TypeError(f"astype: {np.dtype(dtype)} would drop the imaginary parts of {x.dtype}: take .real or .abs()")
    return x.astype(dtype)


astype.vjp(x=lambda g: g)
