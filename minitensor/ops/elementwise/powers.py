"""Powers and roots: any power, squares, square roots, reciprocals, the length of (a, b)."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.choice import where
from minitensor.ops.elementwise.comparison import equal, logical_and
from minitensor.ops.elementwise.complex_numbers import imag, real
from minitensor.ops.elementwise.rounding import nothing
from minitensor.ops.elementwise.transcendental import log

__all__ = ["hypot", "power", "reciprocal", "rsqrt", "sqrt", "square"]

WHOLE = 16  # the largest exponent that is multiplied out


@op("broadcasts", "complex", autocast="float32", public="power pow", onnx="Pow")
def power(a: Array, b: Array) -> Array:
    """y = aᵇ, which is what ** means; the gradients are b aᵇ⁻¹ and aᵇ ln a

    Shapes broadcast, dtypes meet; integers stay integers and wrap around. 0⁰ = 1. At a = 0 both gradients follow their
    limits: that of b is 0 for b >= 0, and b = 0 has none in a. Raises ValueError for integers with a negative integer
    exponent (on a GPU, where it is a number), TypeError for two bools.
    Differs from PyTorch: integers with a Tensor of negative exponents are refused too;
    the gradient of a complex 0¹ is 1, there NaN.

    >>> import minitensor as mt
    >>> mt.power([1, 2, 3], 2), mt.power(2.0, [0.5, -1.0])
    (Tensor int64 (3,): [1 4 9], Tensor float32 (2,): [1.4142 0.5 ])
    """
    kinds = {x.dtype.kind for x in (a, b) if is_array(x)}
    if kinds and kinds <= set("biu") and not isinstance(a, float) and not isinstance(b, float):
        if kinds == {"b"} and all(is_array(x) or isinstance(x, bool) for x in (a, b)):
            raise TypeError("power: a bool has no powers: convert one of them with .astype('int64') first")
        if (b < 0) if not is_array(b) else namespace(b) is np and b.dtype.kind == "i" and bool((b < 0).any()):
            raise ValueError("power: an integer to a negative power is no integer: make one of them a float")
    whole = type(b) in (int, float) and abs(b) <= WHOLE and b == int(b)
    if whole and (b > 2 or b < -1) and is_array(a) and a.dtype.kind == "f":  # NumPy knows 2 and -1
        return _product(a if b > 0 else 1 / a, int(abs(b)))
    return a**b


def _product(a: Array, n: int) -> Array:
    """aⁿ by squaring: NumPy takes a logarithm and an exponential, fifty times as long."""
    y = None
    while n:
        if n % 2:
            y = a if y is None else y * a
        n //= 2
        if n:
            a = a * a
    return y


class _Power(type(power)):  # type: ignore[misc]
    """The op, which looks at the exponent before it takes an unsigned base's dtype: there -1 would be 255."""

    def __call__(self, *args: Any, **settings: Any) -> Array:
        if len(args) == 2 and type(args[1]) is int and args[1] < 0:
            if getattr(getattr(args[0], "dtype", None), "kind", "") == "u":
                raise ValueError("power: an integer to a negative power is no integer: make one of them a float")
        return super().__call__(*args, **settings)

    def __repr__(self) -> str:
        return f"op {self.name}({', '.join(self.arguments)})"


power.__class__ = _Power


def _power_base(g: Array, a: Array, b: Array) -> Array:
    if isinstance(b, (int, float, complex)):
        return g * (b * power(a, b - 1)) if b else nothing(g)
    # b = 0 makes the factor 0, whatever a^(b-1) is (0 · inf at a = 0); an exponent of 0 in its place is harmless
    return g * (b * a ** where(equal(b, 0), 0.0, b - 1))


def _power_exponent(g: Array, a: Array, b: Array, y: Array) -> Array:
    if isinstance(a, (int, float, complex)):
        return _number_exponent(g, a, b, y)
    return g * (y * log(where(logical_and(equal(a, 0), _not_below(b)), 1.0, a)))


def _number_exponent(g: Array, a: Array, b: Array, y: Array) -> Array:
    if not a:
        return where(_not_below(b), 0.0, g * (y * -math.inf))
    if y.dtype.kind == "c":
        return g * (y * cmath.log(a))
    return g * (y * (math.log(a) if a > 0 else math.nan))


def _not_below(b: Array) -> Array:
    """b >= 0, which of complex numbers only real ones can be"""
    if not isinstance(b, complex) and getattr(b, "dtype", np.dtype(float)).kind != "c":
        return b >= 0
    return logical_and(equal(imag(b), 0), real(b) >= 0) if hasattr(b, "dtype") else b.imag == 0 and b.real >= 0


power.vjp(a=_power_base, b=_power_exponent)


@op("complex", autocast="float32", public="square")
def square(x: Array) -> Array:
    """y = x²

    Any shape, the same dtype out; integers wrap around, bools give int64.
    Differs from NumPy: bools give int64, not int8.

    >>> import minitensor as mt
    >>> mt.square([-3.0, 2.0])
    Tensor float32 (2,): [9. 4.]
    """
    return x * x if x.dtype.kind != "b" else x.astype("int64")


square.vjp(x=lambda g, x: g * (2 * x))


@op("floating", "complex", public="sqrt", onnx="Sqrt")
def sqrt(x: Array) -> Array:
    """y = √x

    Any shape; integers and bools give the default float. The gradient at 0 is inf, as it is; below 0 all is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning below 0.

    >>> import minitensor as mt
    >>> mt.sqrt([4.0, 2.0])
    Tensor float32 (2,): [2. 1.4142]
    """
    return namespace(x).sqrt(x)


sqrt.vjp(x=lambda g, y: g / (2 * y))


@op("floating", "complex", public="rsqrt")
def rsqrt(x: Array) -> Array:
    """y = 1 / √x

    Any shape; integers and bools give the default float. inf at 0, with the gradient -inf; NaN below.
    Differs from NumPy: not there. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.rsqrt([4.0, 0.25])
    Tensor float32 (2,): [0.5 2. ]
    """
    return 1 / namespace(x).sqrt(x)


rsqrt.vjp(x=lambda g, y: g * (-0.5 * (y * y * y)))


@op("floating", "complex", public="reciprocal", onnx="Reciprocal")
def reciprocal(x: Array) -> Array:
    """y = 1 / x

    Any shape; integers and bools give the default float. 1 / 0 = inf, 1 / -0 = -inf, with the gradient -inf.
    Differs from NumPy: integers are divided as floats, not to 0. Differs from PyTorch: NumPy's warning at 0.

    >>> import minitensor as mt
    >>> mt.reciprocal([4, -2])
    Tensor float32 (2,): [ 0.25 -0.5 ]
    """
    return 1 / x


reciprocal.vjp(x=lambda g, y: -g * (y * y))


@op("broadcasts", "floating", public="hypot")
def hypot(a: Array, b: Array) -> Array:
    """y = √(a² + b²), without overflow on the way; the gradients are a / y and b / y

    Shapes broadcast, dtypes meet. At (0, 0) the gradients are 0, at infinity NaN. An infinite operand gives inf,
    whatever the other is. Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers give float32. Differs from PyTorch: integers are taken; there the gradients at
    (0, 0) are NaN.

    >>> import minitensor as mt
    >>> mt.hypot([3.0, 1e30], [4.0, 1e30])
    Tensor float32 (2,): [5.0000e+00 1.4142e+30]
    """
    return namespace(a, b).hypot(a, b)


def _cosine(g: Array, x: Array, y: Array) -> Array:
    origin = equal(y, 0)
    return g * where(origin, 0.0, x / where(origin, 1.0, y))


hypot.vjp(a=lambda g, a, y: _cosine(g, a, y), b=lambda g, b, y: _cosine(g, b, y))
