"""GELU in blocks that stay in the processor's cache, with tanh for the error function.

Φ(x) = (1 + erf(x/√2))/2 and tanh are both odd and saturate alike, so that

    erf(x/√2) = tanh(x P(x²)),   P(t) = artanh(erf(√(t/2)))/√t

with a P that is smooth: seven coefficients, fitted to the smallest largest error of x Φ(x) on |x| <= 5.6 (beyond, P
goes on as it is there and tanh is 1), leave 7e-8 of it. With float32's own rounding the value is right to 6e-7; float64
takes `erf` itself. The derivative, Φ(x) + x e^(-x²/2)/√(2π), is computed on the way and is all that is kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops.activation import gelu
from minitensor.ops.error_function import erf

Array = np.ndarray[Any, Any]

BLOCK = 32_768  # entries: three float32 buffers of them fit into a core's cache
END = 5.6**2
COEFFICIENTS = (  # of P, from t⁶ down
    1.8139277378424233e-09, -1.337832141841418e-07, 3.974070895938933e-06, -5.527338668886196e-05,
    -3.3026706526202484e-05, 0.036334149136872364, 0.7978842684038111,
)  # fmt: skip


def distribution(x: Array, out: Array, square: Array, ends: Array) -> None:
    """Write Φ(x) into `out`; `square` is x², and is overwritten; `ends` is END in x's shape (one number is slower)."""
    if x.dtype != np.float32:
        np.multiply(erf(x * math.sqrt(0.5)) + 1, 0.5, out=out)
        return
    t = np.minimum(square, ends, out=square)
    np.multiply(t, COEFFICIENTS[0], out=out)
    for c in COEFFICIENTS[1:-1]:
        out += c
        out *= t
    out += COEFFICIENTS[-1]
    out *= x
    np.tanh(out, out=out)
    out += 1
    out *= 0.5


@gelu.fused("cpu")
def gelu_cpu(x: Array, *, needs: tuple[bool, ...], approximate: str = "none") -> Any:
    """Run the exact GELU; keeps its derivative."""
    if approximate != "none" or not x.size:
        return NotImplemented
    flat = np.ascontiguousarray(x).reshape(-1)
    y = np.empty_like(flat)
    slope = np.empty_like(flat) if needs[0] else None
    phi, square = np.empty((2, min(BLOCK, flat.size)), x.dtype)
    ends = np.full_like(phi, END)
    density = math.sqrt(0.5 / math.pi)
    for start in range(0, flat.size, BLOCK):
        part = slice(start, start + BLOCK)
        v = flat[part]
        p, t = phi[: v.size], square[: v.size]
        np.multiply(v, v, out=t)
        if slope is not None:
            s = np.multiply(t, -0.5, out=slope[part])
            np.exp(s, out=s)
            s *= v
            s *= density
        distribution(v, p, t, ends[: v.size])
        np.multiply(v, p, out=y[part])
        if slope is not None:
            slope[part] += p
    pullback = None if slope is None else lambda g: (g * slope.reshape(x.shape),)
    return y.reshape(x.shape), pullback
