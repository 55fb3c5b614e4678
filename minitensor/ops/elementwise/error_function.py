"""The error function, its complement and its inverse, from series and continued fractions alone."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.op import op
from minitensor.ops.elementwise.selection import select
from minitensor.ops.elementwise.transcendental import exp

__all__ = ["erf", "erfc", "erfinv"]

TWO_OVER_SQRT_PI = 1.1283791670955126


def _gauss(xp: ModuleType, t: Array) -> Array:
    """Return e^(-t²) to full precision: t² alone would lose as many digits as it is large."""
    near = xp.floor(16 * t) / 16
    return xp.exp(-near * near) * xp.exp(-(t - near) * (t + near))


def _series(xp: ModuleType, t: Array, terms: int) -> Array:
    """Return erf t = 2/√π e^(-t²) t Σ (2t²)ⁿ / (2n+1)!!, all terms positive (Abramowitz & Stegun 7.1.6)."""
    ratio, term, total = 2 * t * t, t, t
    for n in range(1, terms + 1):
        term = term * (ratio / (2 * n + 1))
        total = total + term
    return TWO_OVER_SQRT_PI * xp.exp(-t * t) * total


def _fraction(xp: ModuleType, t: Array, fractions: int) -> Array:
    """Return e^(t²) erfc t as a continued fraction, for t well above 0 (Abramowitz & Stegun 7.1.14)."""
    fraction = t
    for n in range(fractions, 0, -1):
        fraction = t + (0.5 * n) / fraction
    return 0.5 * TWO_OVER_SQRT_PI / fraction


@op("floating", public="erf", onnx="Erf")
def erf(x: Array) -> Array:
    """y = 2/√π ∫₀ˣ e^(-t²) dt, to 4e-7 in float32 and 1e-15 in float64; the gradient is 2/√π e^(-x²)

    Any shape; integers and bools give the default float. ±1 at ±inf. A series of positive terms near 0, a continued
    fraction beyond. Reference: Abramowitz & Stegun 7.1.6 and 7.1.14.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.erf([-1.0, 0.0, 1.0])
    Tensor float32 (3,): [-0.8427 0. 0.8427]
    """
    xp = namespace(x)
    # where the two meet: e^(-x²) loses x² rounding errors, so a low edge is exact, and a high one needs fewer fractions
    edge, terms, fractions = (2.4, 45, 60) if x.dtype.itemsize == 8 else (1.5, 20, 14)
    t = xp.minimum(xp.abs(x), 6.0)
    inner = _series(xp, xp.minimum(t, edge), terms)
    large = xp.maximum(t, edge)
    outer = 1 - xp.exp(-large * large) * _fraction(xp, large, fractions)
    return select(xp.isnan(x), x, xp.sign(x) * select(t < edge, inner, outer))


erf.vjp(x=lambda g, x: g * (TWO_OVER_SQRT_PI * exp(-(x * x))))


def _complement(xp: ModuleType, x: Array) -> Array:
    """Return erfc x of float64, to a few rounding errors of the result."""
    edge = 1.5
    t = xp.minimum(xp.abs(x), 30.0)  # beyond, it is 0
    inner = _series(xp, xp.minimum(t, edge), 40)
    large = xp.maximum(t, edge)
    outer = _gauss(xp, large) * _fraction(xp, large, 130)
    y = select(t < edge, 1 - xp.sign(x) * inner, select(x > 0, outer, 2 - outer))
    return select(xp.isnan(x), x, y)


@op("floating", public="erfc")
def erfc(x: Array) -> Array:
    """y = 1 - erf(x) = 2/√π ∫ₓ^∞ e^(-t²) dt, exact where it is small; the gradient is -2/√π e^(-x²)

    Any shape; integers and bools give the default float. 2 at -inf, 0 at inf. Computed in float64 for every dtype.
    Reference: Abramowitz & Stegun 7.1.6 and 7.1.14.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.erfc([-1.0, 0.0, 5.0])
    Tensor float32 (3,): [1.8427e+00 1.0000e+00 1.5375e-12]
    """
    with np.errstate(under="ignore"):
        return _complement(namespace(x), x.astype("float64")).astype(x.dtype)


erfc.vjp(x=lambda g, x: g * (-TWO_OVER_SQRT_PI * exp(-(x * x))))


@op("floating", public="erfinv")
def erfinv(x: Array) -> Array:
    """y = the number whose error function is x; the gradient is √π/2 e^(y²)

    Any shape; integers and bools give the default float. ±inf at ±1, with the gradient inf; NaN beyond. Computed in
    float64 for every dtype: a closed form near it, then three steps of Halley's method. Reference: Winitzki 2008.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.erfinv([-0.5, 0.0, 0.999])
    Tensor float32 (3,): [-0.4769 0. 2.3268]
    """
    xp = namespace(x)
    t = xp.abs(x.astype("float64"))
    inside = t < 1
    p = xp.where(inside, t, 0.5)
    log_ = xp.log1p(-p) + xp.log1p(p)
    half = 2 / (math.pi * 0.147) + 0.5 * log_
    y = xp.sqrt(xp.sqrt(half * half - log_ / 0.147) - half)
    for _ in range(3):
        off = xp.where(p < 0.5, _series(xp, xp.minimum(y, 1.5), 40) - p, (1 - p) - _complement(xp, y))
        step = off / (TWO_OVER_SQRT_PI * xp.exp(-y * y))
        y = y - step / (1 + y * step)
    y = xp.where(inside, y, xp.where(t == 1, math.inf, math.nan))
    return (xp.sign(x) * y).astype(x.dtype)


erfinv.vjp(x=lambda g, y: g * (exp(y * y) / TWO_OVER_SQRT_PI))
