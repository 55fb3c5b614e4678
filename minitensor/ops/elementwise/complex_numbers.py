"""Complex numbers: their parts, their conjugates, their angles.

A rule is the plain derivative, without a conjugate (the engine's business, see `engine.py`), and a real argument takes
the real part of what it says. So Re z has the rule g, Im z = Re(-i z) has -i g, and a + ib has g and i g.
"""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise.choice import where
from minitensor.ops.elementwise.comparison import equal
from minitensor.ops.elementwise.rounding import nothing
from minitensor.ops.shaping.join import stack
from minitensor.ops.shaping.shape import common_shape
from minitensor.promotion import complex_of

__all__ = ["angle", "complex", "conj", "conjugate", "imag", "real", "view_as_complex", "view_as_real"]


@op("view", "complex")
def conjugate(x: Array) -> Array:
    """y = a - ib for x = a + ib"""
    return x.conj()


@composite("moves", public="conj conjugate")
def conj(x: Array) -> Array:
    """y = x̄ = a - ib for x = a + ib; real numbers are returned as they are

    Any shape, the same dtype out. `mt.conjugate` is another name for it. The gradient is the conjugate of what arrives.
    Differs from NumPy: real numbers are not copied.

    >>> import minitensor as mt
    >>> mt.conj([1 + 2j])
    Tensor complex64 (1,): [1.-2.j]
    """
    return conjugate(x) if x.dtype.kind == "c" else x


conjugate.vjp(x=lambda g: conj(g))


@op("view", "complex", public="real")
def real(x: Array) -> Array:
    """y = Re x, a for x = a + ib; real numbers are returned as they are

    Any shape, complex64 gives float32, complex128 float64. A view.

    >>> import minitensor as mt
    >>> mt.real([1 + 2j])
    Tensor float32 (1,): [1.]
    """
    return x.real if x.dtype.kind == "c" else x


@op("view", "complex", public="imag")
def imag(x: Array) -> Array:
    """y = Im x, b for x = a + ib; 0 for real numbers

    Any shape, complex64 gives float32, complex128 float64. A view of complex numbers.
    Differs from PyTorch: real numbers are taken.

    >>> import minitensor as mt
    >>> mt.imag([1 + 2j])
    Tensor float32 (1,): [2.]
    """
    return x.imag if x.dtype.kind == "c" else namespace(x).zeros_like(x)


real.vjp(x=lambda g: g)
imag.vjp(x=lambda g: g * -1j)


@op("floating", "complex", public="angle")
def angle(x: Array) -> Array:
    """y = arg x, the angle in [-π, π] for which x = |x| e^(iy); 0 or π for real numbers

    Any shape; complex64 gives float32, integers and bools the default float. Im(ln x) has the gradient Im(dx / x); at 0
    both are 0. NaN stays NaN.
    Differs from NumPy: in radians only (no `deg`), of -0.0 it is 0.

    >>> import minitensor as mt
    >>> mt.angle([1j, -1.0])
    Tensor float32 (2,): [1.5708 3.1416]
    """
    xp = namespace(x)
    return xp.angle(x) if x.dtype.kind == "c" else xp.where(x < 0, math.pi, xp.where(x == x, 0.0, x)).astype(x.dtype)


def _angle_rule(g: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return nothing(g)
    origin = equal(x, 0)
    return where(origin, 0.0, g * -1j / where(origin, 1.0, x))


angle.vjp(x=_angle_rule)


@op("broadcasts", "floating", public="complex")
def complex(real: Array, imag: Array) -> Array:
    """y = a + ib, of a real part and an imaginary part

    Shapes broadcast, dtypes meet: float32 gives complex64, float64 complex128; integers and half precision complex64.
    Unlike a + 1j * b it keeps infinities and NaN in their part. Raises TypeError for complex parts, ValueError if the
    shapes do not broadcast.
    Differs from NumPy: not there. Differs from PyTorch: integers and two dtypes are taken.

    >>> import minitensor as mt
    >>> mt.complex([1.0, 2.0], [3.0, 4.0])
    Tensor complex64 (2,): [1.+3.j 2.+4.j]
    """
    parts = [x for x in (real, imag) if hasattr(x, "dtype")]
    y = namespace(*parts).empty(common_shape("complex", [x.shape for x in parts]), complex_of(parts[0].dtype))
    y.real, y.imag = real, imag
    return y


complex.vjp(real=lambda g: g, imag=lambda g: g * 1j)


@composite("complex", public="view_as_real")
def view_as_real(x: Array) -> Array:
    """y[..., 0] = Re x, y[..., 1] = Im x

    (...) complex -> (..., 2) float. Raises TypeError for real numbers.
    Differs from NumPy: not there. Differs from PyTorch: a copy, not a view.

    >>> import minitensor as mt
    >>> mt.view_as_real([1 + 2j])
    Tensor float32 (1, 2): [[1. 2.]]
    """
    if x.dtype.kind != "c":
        raise TypeError(f"view_as_real takes complex numbers; got {x.dtype}: mt.complex(x, 0) makes them")
    return stack(real(x), imag(x), axis=-1)


@composite(public="view_as_complex")
def view_as_complex(x: Array) -> Array:
    """y = x[..., 0] + i x[..., 1]

    (..., 2) float -> (...) complex. Raises TypeError for integers and complex numbers, ValueError for a last axis that
    is not of length 2.
    Differs from NumPy: not there. Differs from PyTorch: a copy, not a view.

    >>> import minitensor as mt
    >>> mt.view_as_complex([[1.0, 2.0]])
    Tensor complex64 (1,): [1.+2.j]
    """
    if x.dtype.kind not in "fV":
        raise TypeError(f"view_as_complex takes floats; got {x.dtype}")
    if not x.shape or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: the last axis has length 2, for the two parts; got shape {tuple(x.shape)}")
    return complex(x[..., 0], x[..., 1])
