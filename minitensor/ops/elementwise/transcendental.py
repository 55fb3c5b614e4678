"""Exponentials and logarithms, and what is made of them: the logistic function and its inverse, logaddexp, xlogy."""

from __future__ import annotations

import math

from minitensor.backend import Array, is_array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.choice import where
from minitensor.ops.elementwise.comparison import greater, less, logical_and, logical_or

__all__ = [
    "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logit", "sigmoid", "xlogy",
]  # fmt: skip


@op("floating", "complex", autocast="float32", public="exp", onnx="Exp")
def exp(x: Array) -> Array:
    """y = eˣ

    Any shape; integers and bools give the default float. Too large an x gives inf.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.exp([0.0, 1.0])
    Tensor float32 (2,): [1. 2.7183]
    """
    return namespace(x).exp(x)


exp.vjp(x=lambda g, y: g * y)


@op("floating", "complex", public="exp2")
def exp2(x: Array) -> Array:
    """y = 2ˣ

    Any shape; integers and bools give the default float. Too large an x gives inf.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.exp2([-1.0, 3.0])
    Tensor float32 (2,): [0.5 8. ]
    """
    return namespace(x).exp2(x)


exp2.vjp(x=lambda g, y: g * (y * math.log(2)))


@op("floating", "complex", public="expm1")
def expm1(x: Array) -> Array:
    """y = eˣ - 1, exact for small x

    Any shape; integers and bools give the default float.
    Differs from NumPy: integers give float32.

    >>> import minitensor as mt
    >>> mt.expm1([1e-10, 1.0])
    Tensor float32 (2,): [1.0000e-10 1.7183e+00]
    """
    return namespace(x).expm1(x)


expm1.vjp(x=lambda g, y: g * (y + 1))


@op("floating", "complex", autocast="float32", public="log", onnx="Log")
def log(x: Array) -> Array:
    """y = ln x

    Any shape; integers and bools give the default float. ln 0 = -inf with the gradient inf, below 0 it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.log([1.0, 10.0])
    Tensor float32 (2,): [0. 2.3026]
    """
    return namespace(x).log(x)


log.vjp(x=lambda g, x: g / x)


@op("floating", "complex", public="log2")
def log2(x: Array) -> Array:
    """y = log₂ x

    Any shape; integers and bools give the default float. -inf at 0 with the gradient inf, below 0 it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.log2([0.5, 8.0])
    Tensor float32 (2,): [-1. 3.]
    """
    return namespace(x).log2(x)


log2.vjp(x=lambda g, x: g / (x * math.log(2)))


@op("floating", "complex", public="log10")
def log10(x: Array) -> Array:
    """y = log₁₀ x

    Any shape; integers and bools give the default float. -inf at 0 with the gradient inf, below 0 it is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.log10([0.1, 1000.0])
    Tensor float32 (2,): [-1. 3.]
    """
    return namespace(x).log10(x)


log10.vjp(x=lambda g, x: g / (x * math.log(10)))


@op("floating", "complex", autocast="float32", public="log1p")
def log1p(x: Array) -> Array:
    """y = ln(1 + x), exact for small x

    Any shape; integers and bools give the default float. -inf at -1 with the gradient inf, below it NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: NumPy's warning where it is not finite.

    >>> import minitensor as mt
    >>> mt.log1p([1e-10, 1.0])
    Tensor float32 (2,): [1.0000e-10 6.9315e-01]
    """
    return namespace(x).log1p(x)


log1p.vjp(x=lambda g, x: g / (1 + x))


# -- made of them ----------------------------------------------------------------------------------------------------


@op("floating", public="sigmoid", onnx="Sigmoid")
def sigmoid(x: Array) -> Array:
    """y = σ(x) = 1 / (1 + e⁻ˣ)

    Any shape; integers and bools give the default float. Computed from e^-|x|, so that nothing overflows and small
    results keep all their digits.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.sigmoid([-100.0, 0.0, 100.0])
    Tensor float32 (3,): [3.8e-44 5.0e-01 1.0e+00]
    """
    xp = namespace(x)
    t = xp.exp(-xp.abs(x))
    y = xp.maximum(t, (x >= 0).astype(x.dtype))  # 1, or t where x < 0
    t += 1
    y /= t
    return y


sigmoid.vjp(x=lambda g, y: g * (y * (1 - y)))


@op("broadcasts", "floating", public="logaddexp")
def logaddexp(a: Array, b: Array) -> Array:
    """y = ln(eᵃ + eᵇ), which overflows for no a and b; the gradients are σ(a - b) and σ(b - a)

    Shapes broadcast, dtypes meet. -inf with -inf gives -inf, inf with inf gives inf; there the gradients are NaN.
    Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers give float32. Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.logaddexp([0.0, 1000.0], [0.0, 1000.0])
    Tensor float32 (2,): [6.9315e-01 1.0007e+03]
    """
    return namespace(a, b).logaddexp(a, b)


logaddexp.vjp(a=lambda g, a, b: g * sigmoid(a - b), b=lambda g, a, b: g * sigmoid(b - a))


@op("broadcasts", "floating", public="logaddexp2")
def logaddexp2(a: Array, b: Array) -> Array:
    """y = log₂(2ᵃ + 2ᵇ), which overflows for no a and b

    Shapes broadcast, dtypes meet. -inf with -inf gives -inf, inf with inf gives inf; there the gradients are NaN.
    Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: integers give float32. Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.logaddexp2([0.0, 3.0], [0.0, 3.0])
    Tensor float32 (2,): [1. 4.]
    """
    return namespace(a, b).logaddexp2(a, b)


logaddexp2.vjp(
    a=lambda g, a, b: g * sigmoid(math.log(2) * (a - b)), b=lambda g, a, b: g * sigmoid(math.log(2) * (b - a))
)


@op("broadcasts", "floating", public="xlogy")
def xlogy(a: Array, b: Array) -> Array:
    """y = a ln b, and 0 where a = 0, whatever number b is

    Shapes broadcast, dtypes meet. At a = 0 the gradient with respect to a is ln b, but 0 for b <= 0; with respect to b
    it is a / b, so 0/0 = NaN at b = 0. NaN in b gives NaN. Raises ValueError if the shapes do not broadcast.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.xlogy([0.0, 2.0], [0.0, 1.0])
    Tensor float32 (2,): [0. 0.]
    """
    xp = namespace(a, b)
    b = b if is_array(b) else xp.full_like(a, b)
    return a * xp.log(xp.where((a == 0) & (b == b), 1.0, b))  # 1 in place of any number, but not of NaN


def _xlogy_first(g: Array, a: Array, b: Array) -> Array:
    return g * log(where(logical_and(a == 0, b <= 0), 1.0, b))


xlogy.vjp(a=_xlogy_first, b=lambda g, a, b: g * (a / b))


@op("floating", public="logit")
def logit(x: Array, eps: float | None = None) -> Array:
    """y = ln(x / (1 - x)), the inverse of sigmoid; `eps` first brings x into [eps, 1 - eps]

    Any shape; integers and bools give the default float. -inf at 0, inf at 1, NaN beyond, and so is the gradient; with
    eps the gradient beyond the bounds is 0.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.logit([0.5, 0.9]), mt.logit([0.0], eps=0.1)
    (Tensor float32 (2,): [0. 2.1972], Tensor float32 (1,): [-2.1972])
    """
    xp = namespace(x)
    p = x if eps is None else xp.maximum(xp.minimum(x, 1 - eps), eps)
    return xp.log(p / (1 - p))


def _logit_rule(g: Array, x: Array, eps: float | None) -> Array:
    low, high, beyond = (0.0, 1.0, math.nan) if eps is None else (eps, 1 - eps, 0.0)
    slope = 1 / (x * (1 - x) + 0.0)  # + 0.0 makes -0 a 0, whose inverse is inf
    return where(logical_or(less(x, low), greater(x, high)), beyond, g * slope)


logit.vjp(x=_logit_rule)
