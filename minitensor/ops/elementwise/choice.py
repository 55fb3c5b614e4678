"""Choices between entries: where, the larger and the smaller, bounds. The gradient goes where the value came from."""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.graph import describe
from minitensor.op import op
from minitensor.ops.elementwise.comparison import equal, greater, greater_equal, isfinite, less, less_equal, logical_not
from minitensor.ops.elementwise.comparison import logical_and as both
from minitensor.ops.elementwise.comparison import logical_or as either
from minitensor.ops.elementwise.selection import select
from minitensor.promotion import refuse_complex

__all__ = ["clip", "fmax", "fmin", "maximum", "minimum", "nan_to_num", "relu", "where"]

LARGEST_BFLOAT16 = 3.3895313892515355e38  # NumPy does not know


@op("broadcasts", "complex")
def where(condition: Array, a: Array, b: Array) -> Array:
    """y = a where the condition holds, else b

    All three broadcast, a and b meet in one dtype. The operand that was not taken gets the gradient 0, whatever its
    value, NaN too; but what leads to it may still multiply that 0 by an infinite slope, and 0 · inf is NaN: in
    where(x > 0, sqrt(x), 0) put the choice inside, sqrt(where(x > 0, x, 1)). Raises TypeError unless the condition is
    of bools, ValueError if the shapes do not broadcast. `where(condition)` alone is `nonzero(condition)`.
    Differs from NumPy: numbers are no condition, two float numbers give float32.

    >>> import minitensor as mt
    >>> mt.where([True, False], [1.0, 2.0], 0.0)
    Tensor float32 (2,): [1. 0.]
    """
    if is_array(condition) and condition.dtype.kind != "b":
        raise TypeError(
            f"where: the condition is of bools; got {describe(condition)}: say what you ask, such as x != 0"
        )
    return select(condition, a, b)


where.vjp(a=lambda g, condition: where(condition, g, 0.0), b=lambda g, condition: where(condition, 0.0, g))


# -- the larger and the smaller --------------------------------------------------------------------------------------


@op("broadcasts", public="maximum", onnx="Max Or")
def maximum(a: Array, b: Array) -> Array:
    """y = max(a, b), entry by entry

    Shapes broadcast, dtypes meet. NaN wins, and then both operands get the whole gradient; a tie shares it in halves.
    Raises ValueError if the shapes do not broadcast.

    >>> import minitensor as mt
    >>> mt.maximum([1.0, 5.0], [3.0, 4.0])
    Tensor float32 (2,): [3. 5.]
    """
    return namespace(a, b).maximum(a, b)


def _share(g: Array, a: Array, b: Array, behind: Array) -> Array:
    """Give the gradient to an operand unless it is behind; half of it where both tie."""
    return where(equal(a, b), 0.5 * g, where(behind, 0.0, g))


maximum.vjp(a=lambda g, a, b: _share(g, a, b, less(a, b)), b=lambda g, a, b: _share(g, a, b, greater(a, b)))


@op("broadcasts", public="minimum", onnx="Min And")
def minimum(a: Array, b: Array) -> Array:
    """y = min(a, b), entry by entry

    Shapes broadcast, dtypes meet. NaN wins, and then both operands get the whole gradient; a tie shares it in halves.
    Raises ValueError if the shapes do not broadcast.

    >>> import minitensor as mt
    >>> mt.minimum([1.0, 5.0], [3.0, 4.0])
    Tensor float32 (2,): [1. 4.]
    """
    return namespace(a, b).minimum(a, b)


minimum.vjp(a=lambda g, a, b: _share(g, a, b, greater(a, b)), b=lambda g, a, b: _share(g, a, b, less(a, b)))


@op("broadcasts", public="fmax")
def fmax(a: Array, b: Array) -> Array:
    """y = max(a, b), entry by entry, where a number wins over NaN

    Shapes broadcast, dtypes meet. The gradient goes to the operand that was taken; a tie, and two NaN, to a.
    Raises ValueError if the shapes do not broadcast.

    >>> import minitensor as mt
    >>> mt.fmax([1.0, float("nan")], [3.0, 4.0])
    Tensor float32 (2,): [3. 4.]
    """
    return namespace(a, b).fmax(a, b)


fmax.vjp(
    a=lambda g, a, b, y: where(both(equal(y, b), logical_not(greater_equal(a, b))), 0.0, g),
    b=lambda g, a, b, y: where(both(equal(y, b), logical_not(greater_equal(a, b))), g, 0.0),
)


@op("broadcasts", public="fmin")
def fmin(a: Array, b: Array) -> Array:
    """y = min(a, b), entry by entry, where a number wins over NaN

    Shapes broadcast, dtypes meet. The gradient goes to the operand that was taken; a tie, and two NaN, to a.
    Raises ValueError if the shapes do not broadcast.

    >>> import minitensor as mt
    >>> mt.fmin([5.0, float("nan")], [3.0, 4.0])
    Tensor float32 (2,): [3. 4.]
    """
    return namespace(a, b).fmin(a, b)


fmin.vjp(
    a=lambda g, a, b, y: where(both(equal(y, b), logical_not(less_equal(a, b))), 0.0, g),
    b=lambda g, a, b, y: where(both(equal(y, b), logical_not(less_equal(a, b))), g, 0.0),
)


# -- bounds ----------------------------------------------------------------------------------------------------------


@op("broadcasts", public="clip")
def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """y = min(max(x, lower), upper), the bounds called `min` and `max`: numbers, arrays or Tensors; None is no bound

    All broadcast and meet in one dtype: integers with a float bound give floats. The gradient is x's inside and at the
    bounds, and beyond a bound that bound's. NaN in x or a bound gives NaN, and a lower bound above the upper one the
    upper one. Raises ValueError without a bound, or if the shapes do not broadcast.
    Differs from NumPy: a call without bounds is refused, a_min and a_max are called min and max only. Differs from
    PyTorch: there it is clamp.

    >>> import minitensor as mt
    >>> mt.clip([-2.0, 0.5, 3.0], -1, 1)
    Tensor float32 (3,): [-1. 0.5 1. ]
    """
    if min is None and max is None:
        raise ValueError("clip: give a lower bound (min), an upper one (max), or both")
    xp = namespace(x, min, max)
    y = x if min is None else xp.maximum(x, min)
    return y if max is None else xp.minimum(y, max)


def _inside(g: Array, x: Array, min: Array, max: Array) -> Array:
    kept = True if min is None else greater_equal(x, min)
    return where(kept if max is None else both(kept, less_equal(x, max)), g, 0.0)


def _below(g: Array, x: Array, min: Array, max: Array) -> Array:
    return where(less(x, min) if max is None else both(less(x, min), less(min, max)), g, 0.0)


def _above(g: Array, x: Array, min: Array, max: Array) -> Array:
    return where(greater(x, max) if min is None else either(greater(x, max), less(max, min)), g, 0.0)


clip.vjp(x=_inside, min=_below, max=_above)


@op(public="relu")
def relu(x: Array) -> Array:
    """y = max(x, 0)

    Any shape, integers too. The gradient at 0 is 0; NaN stays NaN, and lets the gradient through. Raises TypeError for
    bools.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.relu([-1.0, 0.0, 2.0])
    Tensor float32 (3,): [0. 0. 2.]
    """
    if x.dtype.kind == "b":
        raise TypeError("relu: bools are refused: convert x with .astype('float32') first")
    xp = namespace(x)
    return xp.clip(x, 0, math.inf) if x.dtype.kind == "f" else xp.maximum(x, 0)  # three times as fast in NumPy


relu.vjp(x=lambda g, y: where(less_equal(y, 0), 0.0, g))


@op("verbatim", public="nan_to_num")
def nan_to_num(x: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
    """y = x with numbers in place of NaN, inf and -inf; None stands for the largest and the lowest of the dtype

    Any shape and dtype; bools and integers come back as they are. The gradient is 0 at what was replaced.
    Differs from NumPy: no `copy`, the result is always new.

    >>> import minitensor as mt
    >>> mt.nan_to_num([1.0, float("nan"), float("-inf")], neginf=-9.0)
    Tensor float32 (3,): [ 1. 0. -9.]
    """
    if x.dtype.kind == "c" or any(isinstance(v, complex) for v in (nan, posinf, neginf)):
        refuse_complex("nan_to_num", x.dtype if x.dtype.kind == "c" else "a complex number in place of others")
    if x.dtype.kind not in "fV":
        return x.copy()
    xp = namespace(x)
    top = LARGEST_BFLOAT16 if x.dtype.kind == "V" else float(np.finfo(x.dtype).max)
    high, low = top if posinf is None else posinf, -top if neginf is None else neginf
    y = xp.where(xp.isinf(x), xp.where(x > 0, high, low), xp.where(xp.isnan(x), nan, x))
    return y.astype(x.dtype)


nan_to_num.vjp(x=lambda g, x: where(isfinite(x), g, 0.0))
