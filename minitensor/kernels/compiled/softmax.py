"""Softmax, its logarithm, and the softmax of attention, along the last axis: rows (r, n), each in three passes.

e^(x - m) is shifted by the largest entry m of its row. With p = e^(x - m) / Z, Z = Σ e^(x - m), the gradients are

    softmax    dx = p (g - Σ g p)        log_softmax    dx = g - p Σ g

Sums are of BLOCK terms, and those sums in float64, so that a row of a million entries adds up.
"""

from math import inf
from typing import Any

import numpy as np

from minitensor.kernels.compiled.bits import ordered, select, unordered
from minitensor.kernels.compiled.compiler import Loop, compiled, inlined, real
from minitensor.kernels.compiled.elementary import exp
from minitensor.kernels.compiled.layout import BLOCK, packed, share
from minitensor.ops.nn.attention import masked_softmax
from minitensor.ops.nn.softmax import log_softmax, softmax

Array = np.ndarray


@inlined
def largest(x: Array, i: int) -> Any:
    """Return the largest entry of row i; where there is a NaN, any number."""
    y = ordered(x[i, 0])
    for j in range(x.shape[1]):
        y = max(y, ordered(x[i, j]))
    return unordered(y)


@compiled(sums=True)
def softmax_forward(x: Array, y: Array, hides: bool) -> None:
    """y = e^(x - m) / Z; a row of -inf alone is NaN, or 0 where -inf hides"""
    rows, n = x.shape
    for i in range(rows):
        m = largest(x, i)
        m = select(hides and m == -inf, 0.0, m)
        z = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, n)):
                e = exp(x[i, j] - m)
                y[i, j] = e
                part += e
            z += part
        scale = 0.0 if hides and z == 0.0 else real(1.0 / z)
        for j in range(n):
            y[i, j] *= scale


@compiled(sums=True)
def softmax_backward(g: Array, y: Array, dx: Array) -> None:
    """dx = y (g - Σ g y)"""
    rows, n = g.shape
    for i in range(rows):
        total = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, n)):
                part += g[i, j] * y[i, j]
            total += part
        mean = real(total)
        for j in range(n):
            dx[i, j] = y[i, j] * (g[i, j] - mean)


@compiled(sums=True)
def log_softmax_forward(x: Array, y: Array) -> None:
    """y = (x - m) - ln Z"""
    rows, n = x.shape
    for i in range(rows):
        m = largest(x, i)
        z = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, n)):
                part += exp(x[i, j] - m)
            z += part
        level = real(np.log(z))
        for j in range(n):
            y[i, j] = (x[i, j] - m) - level


@compiled(sums=True)
def log_softmax_backward(g: Array, y: Array, dx: Array) -> None:
    """dx = g - eʸ Σ g"""
    rows, n = g.shape
    for i in range(rows):
        total = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, n)):
                part += g[i, j]
            total += part
        level = real(total)
        for j in range(n):
            dx[i, j] = g[i, j] - exp(y[i, j]) * level


def along_rows(x: Array, needs: tuple[bool, ...], forward: Loop, backward: Loop, *settings: bool) -> Any:
    """Run the loops on the last axis; keeps y."""
    if not x.ndim or not x.size or x.dtype.char not in "fd":
        return NotImplemented
    shape, n = x.shape, x.shape[-1]
    rows = packed(x).reshape(-1, n)
    y = np.empty_like(rows)
    share(forward, (rows, y), *settings)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dx = np.empty_like(y)
        share(backward, (packed(g).reshape(-1, n), y, dx))
        return (dx.reshape(shape),)

    return y.reshape(shape), pullback if needs[0] else None


def last(x: Array, axis: Any) -> bool:
    """Whether this is the last axis."""
    return type(axis) is int and axis in (-1, x.ndim - 1)


@softmax.fused("compiled")
def softmax_compiled(x: Array, *, needs: tuple[bool, ...], axis: Any = -1) -> Any:
    """Run softmax along the last axis."""
    return along_rows(x, needs, softmax_forward, softmax_backward, False) if last(x, axis) else NotImplemented


@masked_softmax.fused("compiled")
def masked_softmax_compiled(x: Array, *, needs: tuple[bool, ...]) -> Any:
    """Run masked_softmax."""
    return along_rows(x, needs, softmax_forward, softmax_backward, True)


@log_softmax.fused("compiled")
def log_softmax_compiled(x: Array, *, needs: tuple[bool, ...], axis: Any = -1) -> Any:
    """Run log_softmax along the last axis."""
    return along_rows(x, needs, log_softmax_forward, log_softmax_backward) if last(x, axis) else NotImplemented
