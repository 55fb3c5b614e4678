"""GELU in blocks that stay in the processor's cache, with tanh for the error function.

Φ(x) = (1 + erf(x/√2))/2 and tanh are both odd and saturate alike, so that

    erf(x/√2) = tanh(x P(x²)),   P(t) = artanh(erf(√(t/2)))/√t

with a P that is smooth: seven coefficients, fitted to the smallest largest error of x Φ(x) on |x| <= 6.2 (beyond, P
grows without end, and tanh is 1), leave 7e-8 of it. With float32's own rounding the value is right to 6e-7; float64
takes `erf` itself. The derivative, Φ(x) + x e^(-x²/2)/√(2π), is computed on the way and is all that is kept.
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.declaration import Outcome
from minitensor.ops.elementwise.error_function import erf
from minitensor.ops.nn.activation import gelu

Array = np.ndarray

BLOCK = 65_536  # entries
COEFFICIENTS = (  # of P, from t⁶ down
    1.8056234147026716e-09, -1.3344672382603242e-07, 3.9691145831219565e-06, -5.524019621353626e-05,
    -3.312986692680028e-05, 0.036334283344896676, 0.7978842161705206,
)  # fmt: skip
DENSITY = math.sqrt(0.5 / math.pi)


def distribution(x: Array, square: Array, out: Array) -> None:
    """Write Φ(x) into `out`; `square` is x²."""
    if x.dtype != np.float32:
        np.multiply(erf(x * math.sqrt(0.5)) + 1, 0.5, out=out)
        return
    np.multiply(square, COEFFICIENTS[0], out=out)
    for c in COEFFICIENTS[1:-1]:
        out += c
        out *= square
    out += COEFFICIENTS[-1]
    out *= x
    np.tanh(out, out=out)
    out += 1
    out *= 0.5


@gelu.fused("cpu")
def gelu_cpu(x: Array, *, needs: tuple[bool, ...], approximate: str = "none") -> Outcome:
    """Run the exact GELU; keeps its derivative."""
    if approximate != "none" or not x.size:
        return NotImplemented
    flat = np.ascontiguousarray(x).reshape(-1)
    y = np.empty_like(flat)
    slope = np.empty_like(flat) if needs[0] else None
    phi, square = np.empty((2, min(BLOCK, flat.size)), x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # P of large numbers is infinite, as it should be
        for start in range(0, flat.size, BLOCK):
            part = slice(start, start + BLOCK)
            v = flat[part]
            p, t = phi[: v.size], square[: v.size]
            np.multiply(v, v, out=t)
            distribution(v, t, out=p)
            np.multiply(v, p, out=y[part])
            if slope is not None:
                t *= -0.5
                np.exp(t, out=t)
                t *= v
                t *= DENSITY
                np.add(p, t, out=slope[part])
    pullback = None if slope is None else lambda g: (g * slope.reshape(x.shape),)
    return y.reshape(x.shape), pullback
