"""ln Γ and its derivatives, from Stirling's series far out, recurrences near 0 and reflections below it."""

from __future__ import annotations

import math
from types import ModuleType

from minitensor.backend import Array, namespace
from minitensor.op import op

__all__ = ["digamma", "lgamma", "polygamma"]

FAR = 10  # from here on Stirling's series is exact
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B₂, B₄, ...


def _below(xp: ModuleType, x: Array) -> tuple[Array, Array, Array]:
    """Return where x < 1/2, its mirror image 1 - x there, and πx reduced to [-π, π]."""
    left = x < 0.5
    return left, xp.where(left, 1 - x, x), math.pi * (x - 2 * xp.round(0.5 * x))


def _is_pole(xp: ModuleType, x: Array) -> Array:
    return (x <= 0) & (x == xp.floor(x)) & ~xp.isinf(x)


@op("floating", public="lgamma")
def lgamma(x: Array) -> Array:
    """y = ln |Γ(x)|; Γ(n) = (n - 1)! for whole numbers, and the gradient is `digamma`

    Any shape; integers and bools give the default float. inf at 0, -1, -2, ... and at ±inf. Computed in float64 for
    every dtype, to 1e-14 (near its zeros 1 and 2 in absolute terms). Reference: Abramowitz & Stegun 6.1.17, 6.1.41.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.lgamma([1.0, 5.0, 0.5])
    Tensor float32 (3,): [0. 3.1781 0.5724]
    """
    xp, z = namespace(x), x.astype("float64")
    pole = _is_pole(xp, z)
    left, z, angle = _below(xp, xp.where(pole | xp.isinf(z), 0.5, z))
    product, near = xp.ones_like(z), z
    for _ in range(FAR):  # Γ(z + 1) = z Γ(z)
        product = xp.where(z < FAR, product * z, product)
        z = xp.where(z < FAR, z + 1, z)
    series = sum(b / (2 * k * (2 * k - 1)) * z ** (1 - 2 * k) for k, b in enumerate(BERNOULLI, 1))
    y = (z - 0.5) * xp.log(z) - z + 0.5 * math.log(2 * math.pi) + series - xp.log(product)
    y = xp.where((near == 1) | (near == 2), 0.0, y)
    y = xp.where(left, math.log(math.pi) - xp.log(xp.abs(xp.sin(xp.where(left, angle, 1.0)))) - y, y)
    return xp.where(pole | xp.isinf(x), math.inf, y).astype(x.dtype)


@op("floating", public="digamma")
def digamma(x: Array) -> Array:
    """y = ψ(x) = d/dx ln Γ(x); the gradient is `polygamma(1, x)`

    Any shape; integers and bools give the default float. -inf at 0, inf at -0, NaN at -1, -2, ... and at -inf.
    Computed in float64 for every dtype. Reference: Abramowitz & Stegun 6.3.5, 6.3.7, 6.3.18.
    Differs from NumPy: not there.

    >>> import minitensor as mt
    >>> mt.digamma([1.0, 2.0])
    Tensor float32 (2,): [-0.5772 0.4228]
    """
    xp, z = namespace(x), x.astype("float64")
    odd = _is_pole(xp, z) | xp.isinf(z)
    left, z, angle = _below(xp, xp.where(odd, 0.25, z))
    y = xp.zeros_like(z)
    for _ in range(FAR):  # ψ(z + 1) = ψ(z) + 1/z
        y = xp.where(z < FAR, y - 1 / z, y)
        z = xp.where(z < FAR, z + 1, z)
    y = y + xp.log(z) - 0.5 / z - sum(b / (2 * k) * z ** (-2 * k) for k, b in enumerate(BERNOULLI, 1))
    y = xp.where(left, y - math.pi / xp.tan(xp.where(left, angle, 1.0)), y)
    at_zero = xp.where(xp.signbit(x), math.inf, -math.inf)
    y = xp.where(odd, xp.where(x == 0, at_zero, xp.where(x > 0, math.inf, math.nan)), y)
    return y.astype(x.dtype)


def _cotangent(n: int) -> list[float]:
    """Return the coefficients of dⁿ/du cot u as a polynomial in cot u, lowest first: c' = -(1 + c²)."""
    p = [0.0, 1.0]
    for _ in range(n):
        d = [k * a for k, a in enumerate(p)][1:]
        p = [-(a + b) for a, b in zip([*d, 0.0, 0.0], [0.0, 0.0, *d], strict=True)]
    return p


@op("floating")
def polygamma(x: Array, n: int) -> Array:
    """y = ψ⁽ⁿ⁾(x), the n-th derivative of digamma; the gradient is `polygamma(n + 1, x)`

    Called polygamma(n, x). Any shape; integers and bools give the default float. ±inf at 0, -1, -2, ..., 0 at inf, NaN
    at -inf. Computed in float64 for every dtype. Raises ValueError for a negative n. Reference: Abramowitz & Stegun
    6.4.6, 6.4.7, 6.4.11.
    Differs from NumPy: not there. Differs from PyTorch: for n > 1 PyTorch is not finite left of 0.

    >>> import minitensor as mt
    >>> mt.polygamma(1, [1.0, 2.0])
    Tensor float32 (2,): [1.6449 0.6449]
    """
    if n < 1:
        if n == 0:
            return digamma(x)
        raise ValueError(f"polygamma: n counts derivatives, so it is at least 0; got {n}")
    xp, z, sign = namespace(x), x.astype("float64"), (-1) ** (n + 1)
    pole = _is_pole(xp, z)
    left, z, angle = _below(xp, xp.where(pole | xp.isinf(z), 0.25, z))
    far = FAR + 2 * n
    y = xp.zeros_like(z)  # of Σ (z + k)^(-n-1), which times n! it is, but for the sign
    for _ in range(far):
        y = xp.where(z < far, y + z ** (-n - 1), y)
        z = xp.where(z < far, z + 1, z)
    y = y + z ** (-n) / n + 0.5 * z ** (-n - 1)
    for k, b in enumerate(BERNOULLI, 1):
        y = y + b * (math.comb(2 * k + n - 1, n) / (2 * k)) * z ** (-n - 2 * k)
    y = sign * math.factorial(n) * y
    cot = 1 / xp.tan(xp.where(left, angle, 1.0))
    turned = math.pi ** (n + 1) * sum(a * cot**k for k, a in enumerate(_cotangent(n)))
    y = xp.where(left, (-1) ** n * y - turned, y)
    y = xp.where(xp.isinf(x), xp.where(x > 0, 0.0, math.nan), xp.where(pole, sign * math.inf, y))
    return y.astype(x.dtype)


lgamma.vjp(x=lambda g, x: g * digamma(x))
digamma.vjp(x=lambda g, x: g * polygamma(x, n=1))
polygamma.vjp(x=lambda g, x, n: g * polygamma(x, n=n + 1))
