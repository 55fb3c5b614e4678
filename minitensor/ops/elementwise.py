"""Elementwise ops: y = f(x) at each entry, and the arithmetic of two or three broadcast operands.

A rule that says `g * y` gets the incoming gradient and the result; the engine keeps alive just what a rule names and
sums a gradient back over broadcast axes, so no rule mentions either.
"""

from __future__ import annotations

from typing import Any

from minitensor.backend import namespace
from minitensor.op import op

__all__ = [
    "abs", "add", "astype", "clip", "cos", "divide", "equal", "erf", "exp", "greater", "greater_equal", "isfinite",
    "less", "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum",
    "multiply", "negative", "not_equal", "power", "relu", "sigmoid", "sign", "sin", "sqrt", "square", "subtract",
    "tanh", "where",
]  # fmt: skip

Array = Any
TWO_OVER_SQRT_PI = 1.1283791670955126


# -- arithmetic ------------------------------------------------------------------------------------------------------


@op(broadcasts=True)
def add(a: Array, b: Array) -> Array:
    """y = a + b"""
    return a + b


add.vjp(a=lambda g: g, b=lambda g: g)


@op(broadcasts=True)
def subtract(a: Array, b: Array) -> Array:
    """y = a - b"""
    return a - b


subtract.vjp(a=lambda g: g, b=lambda g: -g)


@op(broadcasts=True)
def multiply(a: Array, b: Array) -> Array:
    """y = a b"""
    return a * b


multiply.vjp(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op(broadcasts=True, floating=True)
def divide(a: Array, b: Array) -> Array:
    """y = a / b; integers give the default float."""
    return a / b


divide.vjp(a=lambda g, b: g / b, b=lambda g, a, b: -g * a / (b * b))


@op
def negative(x: Array) -> Array:
    """y = -x"""
    return -x


negative.vjp(x=lambda g: -g)


@op(broadcasts=True)
def power(a: Array, b: Array) -> Array:
    """y = aᵇ; at a = 0 both gradients follow their limits: b a^(b-1), and 0 for an exponent b >= 0."""
    return a**b


def _power_base(g: Any, a: Any, b: Any) -> Any:
    # b = 0 makes the factor 0, whatever a^(b-1) is (0 · inf at a = 0); an exponent of 1 in its place is harmless
    return (
        g * (b * a ** where(equal(b, 0), 0.0, b - 1))
        if not isinstance(b, (int, float))
        else g * (b * a ** (b - 1) if b else a * 0)
    )


def _power_exponent(g: Any, a: Any, b: Any, y: Any) -> Any:
    if isinstance(a, (int, float)):
        a = 0 * b + a  # an array: a NumPy scalar would bring float64 along, and does not belong on a GPU
    return g * (y * log(where(logical_and(equal(a, 0), b >= 0), 1.0, a)))


power.vjp(a=_power_base, b=_power_exponent)


@op
def square(x: Array) -> Array:
    """y = x²"""
    return x * x


square.vjp(x=lambda g, x: g * (2 * x))


# -- functions of one argument ---------------------------------------------------------------------------------------


@op(verbatim=True)
def astype(x: Array, *, dtype: Any) -> Array:
    """y = x in another dtype; the gradient comes back in x's."""
    return x.astype(dtype)


astype.vjp(x=lambda g: g)


@op(floating=True)
def exp(x: Array) -> Array:
    """y = eˣ"""
    return namespace(x).exp(x)


exp.vjp(x=lambda g, y: g * y)


@op(floating=True)
def log(x: Array) -> Array:
    """y = ln x"""
    return namespace(x).log(x)


log.vjp(x=lambda g, x: g / x)


@op(floating=True)
def log1p(x: Array) -> Array:
    """y = ln(1 + x), exact for small x"""
    return namespace(x).log1p(x)


log1p.vjp(x=lambda g, x: g / (1 + x))


@op(floating=True)
def sqrt(x: Array) -> Array:
    """y = √x; the gradient at 0 is inf, as it is."""
    return namespace(x).sqrt(x)


sqrt.vjp(x=lambda g, y: g / (2 * y))


@op(floating=True)
def sin(x: Array) -> Array:
    """y = sin x, x in radians"""
    return namespace(x).sin(x)


@op(floating=True)
def cos(x: Array) -> Array:
    """y = cos x, x in radians"""
    return namespace(x).cos(x)


sin.vjp(x=lambda g, x: g * cos(x))
cos.vjp(x=lambda g, x: -g * sin(x))


@op(floating=True)
def tanh(x: Array) -> Array:
    """y = tanh x"""
    return namespace(x).tanh(x)


tanh.vjp(x=lambda g, y: g * (1 - y * y))


@op(floating=True)
def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + e⁻ˣ), computed as (1 + tanh(x/2)) / 2, which overflows for no x"""
    return 0.5 * namespace(x).tanh(0.5 * x) + 0.5


sigmoid.vjp(x=lambda g, y: g * (y * (1 - y)))


@op
def relu(x: Array) -> Array:
    """y = max(x, 0); the gradient at 0 is 0."""
    return namespace(x).maximum(x, 0)


relu.vjp(x=lambda g, y: g * (y > 0))


@op(floating=True)
def erf(x: Array) -> Array:
    """y = 2/√π ∫₀ˣ e^(-t²) dt, to 4e-7 in float32 and 1e-15 in float64.

    Series Σ (-1)ⁿ x^(2n+1) / (n! (2n+1)) in the form 2/√π e^(-x²) x Σ (2x²)ⁿ / (2n+1)!! for small |x| (all terms are
    positive, so nothing cancels), the continued fraction of erfc beyond (Abramowitz & Stegun 7.1.6 and 7.1.14).
    """
    xp = namespace(x)
    # where the two meet: e^(-x²) loses x² rounding errors, so a low edge is exact, and a high one needs fewer fractions
    edge, terms, fractions = (2.4, 45, 60) if x.dtype.itemsize == 8 else (1.5, 20, 14)
    t = xp.minimum(xp.abs(x), 6.0)
    small = xp.minimum(t, edge)
    square_ = 2 * small * small
    term = small
    total = small
    for n in range(1, terms + 1):
        term = term * (square_ / (2 * n + 1))
        total = total + term
    inner = TWO_OVER_SQRT_PI * xp.exp(-small * small) * total
    large = xp.maximum(t, edge)
    fraction = large
    for n in range(fractions, 0, -1):
        fraction = large + (0.5 * n) / fraction
    outer = 1 - 0.5 * TWO_OVER_SQRT_PI * xp.exp(-large * large) / fraction
    return xp.where(xp.isnan(x), x, xp.sign(x) * xp.where(t < edge, inner, outer))


erf.vjp(x=lambda g, x: g * (TWO_OVER_SQRT_PI * exp(-(x * x))))


@op
def abs(x: Array) -> Array:
    """y = |x|; the gradient at 0 is 0."""
    return namespace(x).abs(x)


abs.vjp(x=lambda g, x: g * sign(x))


# -- choices ---------------------------------------------------------------------------------------------------------


def _share(g: Any, ahead: Any, tied: Any) -> Any:
    """Give the gradient to the operand that won, half of it to each of two that tie."""
    return g * (astype(ahead, dtype=g.dtype) + 0.5 * astype(tied, dtype=g.dtype))


@op(broadcasts=True)
def maximum(a: Array, b: Array) -> Array:
    """y = max(a, b); a tie shares the gradient in halves."""
    return namespace(a, b).maximum(a, b)


maximum.vjp(a=lambda g, a, b: _share(g, a > b, equal(a, b)), b=lambda g, a, b: _share(g, b > a, equal(a, b)))


@op(broadcasts=True)
def minimum(a: Array, b: Array) -> Array:
    """y = min(a, b); a tie shares the gradient in halves."""
    return namespace(a, b).minimum(a, b)


minimum.vjp(a=lambda g, a, b: _share(g, a < b, equal(a, b)), b=lambda g, a, b: _share(g, b < a, equal(a, b)))


@op(broadcasts=True)
def where(condition: Array, a: Array, b: Array) -> Array:
    """y = a where the condition holds, else b"""
    return namespace(condition, a, b).where(condition, a, b)


where.vjp(a=lambda g, condition: where(condition, g, 0.0), b=lambda g, condition: where(condition, 0.0, g))


@op
def clip(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    """y = x brought into [min, max]; the gradient is 1 inside and at the bounds, 0 beyond."""
    return namespace(x).clip(x, min, max)


clip.vjp(x=lambda g, x, y: g * astype(equal(x, y), dtype=g.dtype))


# -- without a gradient ----------------------------------------------------------------------------------------------


def _plain(name: str, meaning: str, binary: bool = True) -> Any:
    """Declare an op that has no gradient: its result is bool, or constant almost everywhere."""
    if binary:

        def function(a: Array, b: Array) -> Array:
            return getattr(namespace(a, b), name)(a, b)
    else:

        def function(x: Array) -> Array:  # type: ignore[misc]
            return getattr(namespace(x), name)(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"y = {meaning}; without a gradient"
    return op(function)


equal: Any = _plain("equal", "a == b")
not_equal: Any = _plain("not_equal", "a != b")
less: Any = _plain("less", "a < b")
less_equal: Any = _plain("less_equal", "a <= b")
greater: Any = _plain("greater", "a > b")
greater_equal: Any = _plain("greater_equal", "a >= b")
logical_and: Any = _plain("logical_and", "a and b")
logical_or: Any = _plain("logical_or", "a or b")
logical_not: Any = _plain("logical_not", "not x", binary=False)
isfinite: Any = _plain("isfinite", "whether x is a finite number", binary=False)
sign: Any = _plain("sign", "-1, 0 or 1", binary=False)
