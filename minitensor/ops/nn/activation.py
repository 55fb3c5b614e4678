"""Smooth activations. Those with kinks stand in `piecewise.py`, those that gate one half by the other in `gated.py`."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import abs, erf, exp, sigmoid, tanh, where
from minitensor.ops.elementwise.selection import select

__all__ = [
    "celu", "elu", "exponential_linear", "gelu", "logsigmoid", "mish", "selu", "silu", "softplus", "softsign",
    "tanhshrink",
]  # fmt: skip

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@composite
def gelu(input: Array, approximate: str = "none") -> Array:
    """y = x Φ(x), Φ the distribution function of N(0, 1); approximate="tanh" is a closed form near it.

    Φ(x) = (1 + erf(x/√2))/2; the closed form is x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2. Any shape, the same out.
    Raises ValueError for another `approximate`. Reference: Hendrycks & Gimpel 2016.

    >>> import minitensor as mt
    >>> mt.nn.functional.gelu(mt.Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.1587 0. 0.8413]
    """
    if approximate == "tanh":
        return 0.5 * input * (1 + tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input * input * input)))
    if approximate != "none":
        raise ValueError(f"gelu: approximate is 'none' or 'tanh'; got {approximate!r}")
    return 0.5 * input * (1 + erf(input * math.sqrt(0.5)))


@composite
def silu(input: Array) -> Array:
    """y = x σ(x), σ the logistic function: SiLU, also called swish.

    Any shape, the same out; -inf gives NaN, as x σ(x) is evaluated as it stands. Reference: Elfwing et al. 2018.

    >>> import minitensor as mt
    >>> mt.nn.functional.silu(mt.Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.2689 0. 0.7311]
    """
    return input * sigmoid(input)


@op("floating", public="softplus")
def softplus(input: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """y = ln(1 + e^(βx)) / β, a smooth max(x, 0); y = x where βx > threshold.

    Any shape, the same out; nothing overflows. Beyond the threshold the gradient is 1; from it on the second one is 0.

    >>> import minitensor as mt
    >>> mt.nn.functional.softplus(mt.Tensor([-1.0, 0.0, 30.0]))
    Tensor float32 (3,): [ 0.3133 0.6931 30. ]
    """
    xp = namespace(input)
    z = beta * input
    return select(z > threshold, input, (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta)


def _softplus_rule(g: Array, input: Array, beta: float, threshold: float) -> Array:
    z = beta * input
    return g * where(z > threshold, 1.0, sigmoid(where(z >= threshold, threshold, z)))  # no curvature at the threshold


softplus.vjp(input=_softplus_rule)


@op("floating")
def logsigmoid(input: Array) -> Array:
    """y = ln σ(x) = min(x, 0) - ln(1 + e^(-|x|)), which overflows for no x.

    Any shape, the same out; ln σ(-inf) = -inf, ln σ(inf) = 0.

    >>> import minitensor as mt
    >>> mt.nn.functional.logsigmoid(mt.Tensor([-100.0, 0.0, 1.0]))
    Tensor float32 (3,): [-100. -0.6931 -0.3133]
    """
    xp = namespace(input)
    return xp.minimum(input, 0) - xp.log1p(xp.exp(-xp.abs(input)))


logsigmoid.vjp(input=lambda g, input: g * sigmoid(-input))


@composite
def mish(input: Array) -> Array:
    """y = x tanh(softplus(x)).

    Any shape, the same out. Reference: Misra 2019.

    >>> import minitensor as mt
    >>> mt.nn.functional.mish(mt.Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.3034 0. 0.8651]
    """
    return input * tanh(softplus(input))


@op("floating")
def exponential_linear(input: Array, alpha: float = 1.0, rate: float = 1.0, slope: float = 1.0) -> Array:
    """y = slope x for x > 0, alpha (e^(rate x) - 1) for x <= 0: ELU, CELU and SELU are settings of it.

    The gradient at 0 is the left one, alpha · rate, and the second gradient there is 0.
    """
    xp = namespace(input)
    return select(input > 0, slope * input, alpha * xp.expm1(rate * xp.minimum(input, 0)))


exponential_linear.vjp(
    input=lambda g, input, alpha, rate, slope: (
        g * where(input <= 0, (alpha * rate) * exp(rate * where(input < 0, input, 0.0)), slope)
    )
)


@composite
def elu(input: Array, alpha: float = 1.0) -> Array:
    """y = x for x > 0, alpha (eˣ - 1) for x <= 0.

    Any shape, the same out; the gradient at 0 is alpha, the left one. Reference: Clevert et al. 2016.

    >>> import minitensor as mt
    >>> mt.nn.functional.elu(mt.Tensor([-1.0, 0.0, 1.0]), alpha=2.0)
    Tensor float32 (3,): [-1.2642 0. 1. ]
    """
    return exponential_linear(input, alpha=alpha)


@composite
def celu(input: Array, alpha: float = 1.0) -> Array:
    """y = max(x, 0) + min(0, alpha (e^(x/alpha) - 1)): an ELU whose slope at 0 is 1 for every alpha.

    Any shape, the same out. Raises ValueError for alpha = 0. Reference: Barron 2017.

    >>> import minitensor as mt
    >>> mt.nn.functional.celu(mt.Tensor([-1.0, 0.0, 1.0]), alpha=2.0)
    Tensor float32 (3,): [-0.7869 0. 1. ]
    """
    if alpha == 0:
        raise ValueError("celu: alpha divides, so it cannot be 0")
    return exponential_linear(input, alpha=alpha, rate=1 / alpha)


@composite
def selu(input: Array) -> Array:
    """y = 1.0507 x for x > 0, 1.0507 · 1.6733 (eˣ - 1) for x <= 0: it keeps mean 0 and variance 1 from layer to layer.

    Any shape, the same out; the gradient at 0 is the left one, 1.7581. Reference: Klambauer et al. 2017.

    >>> import minitensor as mt
    >>> mt.nn.functional.selu(mt.Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-1.1113 0. 1.0507]
    """
    return exponential_linear(input, alpha=SELU_ALPHA * SELU_SCALE, slope=SELU_SCALE)


@composite
def softsign(input: Array) -> Array:
    """y = x / (1 + |x|).

    Any shape, the same out; ±inf gives NaN.

    >>> import minitensor as mt
    >>> mt.nn.functional.softsign(mt.Tensor([-1.0, 0.0, 3.0]))
    Tensor float32 (3,): [-0.5 0. 0.75]
    """
    return input / (1 + abs(input))


@composite
def tanhshrink(input: Array) -> Array:
    """y = x - tanh x.

    Any shape, the same out.

    >>> import minitensor as mt
    >>> mt.nn.functional.tanhshrink(mt.Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.2384 0. 0.2384]
    """
    return input - tanh(input)
