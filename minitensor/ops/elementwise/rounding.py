"""Whole numbers near x, and division that stops at them. The derivative of a step is 0 wherever there is one."""

from __future__ import annotations

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.op import Op, op

__all__ = ["ceil", "floor", "floor_divide", "fmod", "nothing", "remainder", "round", "sign", "trunc", "trunc_divide"]


@op("complex")
def nothing(x: Array) -> Array:
    """y = 0 in the shape and dtype of x: the gradient of what is constant almost everywhere"""
    return namespace(x).zeros_like(x)


def _numbers(name: str, x: Array) -> None:
    if x.dtype.kind == "b":
        raise TypeError(f"{name}: bools are refused: convert x with .astype('int64') first")


@op(public="sign", onnx="Sign Identity")
def sign(x: Array) -> Array:
    """y = -1, 0 or 1, as x is below, at or above 0

    Any shape and dtype, the same out. NaN stays NaN. The gradient is 0, everywhere.
    Differs from NumPy: bools are taken, and stay what they are. Differs from PyTorch: the sign of NaN is not 0.

    >>> import minitensor as mt
    >>> mt.sign([-2.0, 0.0, 3.0])
    Tensor float32 (3,): [-1. 0. 1.]
    """
    return x.copy() if x.dtype.kind == "b" else namespace(x).sign(x)


def _step(name: str, meaning: str, example: str) -> Op[[Array]]:
    """Declare a rounding that takes no settings."""

    def function(x: Array) -> Array:
        _numbers(name, x)
        return getattr(namespace(x), name)(x) if x.dtype.kind in "fV" else x.copy()

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""y = {meaning}

    Any shape, the same dtype out: floats stay floats, integers are returned as they are. NaN and infinities stay. The
    gradient is 0, at the steps too. Raises TypeError for bools.

    >>> import minitensor as mt
    >>> mt.{name}([-1.5, -0.5, 0.5, 1.5])
    Tensor float32 (4,): {example}
    """
    return op(public=name)(function)


floor = _step("floor", "the largest whole number that is at most x", "[-2. -1. 0. 1.]")
ceil = _step("ceil", "the smallest whole number that is at least x", "[-1. -0. 1. 2.]")
trunc = _step("trunc", "x without what follows the decimal point", "[-1. -0. 0. 1.]")


@op(public="round")
def round(x: Array, decimals: int = 0) -> Array:
    """y = x rounded to a number of decimals, a half to the even neighbor: 0.5 to 0, 1.5 to 2

    Any shape, the same dtype out; negative decimals round to tens, hundreds, ... With decimals it is
    round(x · 10ᵈ) / 10ᵈ in x's dtype, so what is no half in binary may look like one. The gradient is 0. Raises
    TypeError for bools.
    Differs from PyTorch: integers may be rounded to tens.

    >>> import minitensor as mt
    >>> mt.round([0.5, 1.5, -2.5]), mt.round([0.25, 3.14159], decimals=1)
    (Tensor float32 (3,): [ 0. 2. -2.], Tensor float32 (2,): [0.2 3.1])
    """
    _numbers("round", x)
    if x.dtype.kind in "iu" and decimals >= 0:
        return x.copy()
    return namespace(x).round(x, decimals)


for _flat in (sign, floor, ceil, trunc, round):
    _flat.vjp(x=lambda g: nothing(g))


# -- division that stops at whole numbers ----------------------------------------------------------------------------


def _divisor(name: str, a: Array, b: Array) -> None:
    """Refuse bools, and integers over 0 (on a GPU only the number 0: to look for others would wait for it)."""
    kinds = {x.dtype.kind for x in (a, b) if is_array(x)}
    if kinds == {"b"}:
        raise TypeError(f"{name}: bools are refused: convert them with .astype('int64') first")
    if not kinds & set("fV") and not isinstance(a, float) and not isinstance(b, float):
        zero = not b.all() if is_array(b) and namespace(b) is np else not is_array(b) and b == 0
        if zero and getattr(a, "size", 1):
            raise ZeroDivisionError(f"{name}: an integer over 0 is no number: make one of them a float")


@op("broadcasts", public="floor_divide")
def floor_divide(a: Array, b: Array) -> Array:
    """y = ⌊a / b⌋, which is what // means; without a gradient

    Shapes broadcast, dtypes meet; floats give whole floats. Over 0 a float gives an infinity, 0 / 0 NaN. Raises
    ZeroDivisionError for integers over 0 (on a GPU, where b is the number 0), TypeError for bools, ValueError if the
    shapes do not broadcast.
    Differs from NumPy: integers over 0 are refused, not 0.

    >>> import minitensor as mt
    >>> mt.floor_divide([7, -7], 2)
    Tensor int64 (2,): [ 3 -4]
    """
    _divisor("floor_divide", a, b)
    return namespace(a, b).floor_divide(a, b)


@op("broadcasts", public="remainder mod")
def remainder(a: Array, b: Array) -> Array:
    """y = a - b ⌊a / b⌋, which is what % means: it has the sign of b

    Shapes broadcast, dtypes meet. The gradients are 1 and -⌊a / b⌋. A float over 0 gives NaN. Raises ZeroDivisionError
    for integers over 0 (on a GPU, where b is the number 0), TypeError for bools, ValueError if the shapes do not
    broadcast.
    Differs from NumPy: integers over 0 are refused, not 0.

    >>> import minitensor as mt
    >>> mt.remainder([7, -7], 3), mt.remainder(5.5, -2.0)
    (Tensor int64 (2,): [1 2], Tensor float32 (): -0.5)
    """
    _divisor("remainder", a, b)
    return namespace(a, b).remainder(a, b)


remainder.vjp(a=lambda g: g, b=lambda g, a, b: -g * floor_divide(a, b))


@op("broadcasts", public="fmod")
def fmod(a: Array, b: Array) -> Array:
    """y = a - b trunc(a / b), the remainder of C: it has the sign of a

    Shapes broadcast, dtypes meet. The gradients are 1 and -trunc(a / b). A float over 0 gives NaN. Raises
    ZeroDivisionError for integers over 0 (on a GPU, where b is the number 0), TypeError for bools, ValueError if the
    shapes do not broadcast.
    Differs from NumPy: integers over 0 are refused, not 0.

    >>> import minitensor as mt
    >>> mt.fmod([7, -7], 3)
    Tensor int64 (2,): [ 1 -1]
    """
    _divisor("fmod", a, b)
    return namespace(a, b).fmod(a, b)


@op("broadcasts")
def trunc_divide(a: Array, b: Array) -> Array:
    """y = trunc(a / b); without a gradient"""
    return namespace(a, b).trunc(a / b)


fmod.vjp(a=lambda g: g, b=lambda g, a, b: -g * trunc_divide(a, b))
