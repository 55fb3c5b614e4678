"""Scaled dot-product attention, some examples at a time: their scores stay in the processor's cache between products.

    P = softmax(s q kᵀ + mask)      y = P v
    dv = Pᵀ g      dP = g vᵀ      dS = s P (dP - Σ P dP)      dq = dS k      dk = dSᵀ q

Scaling, mask, exponentials and division are one visit of a row, in place; P is kept.
"""

import math
from collections.abc import Iterator
from math import inf

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import Loop, compiled, real
from minitensor.kernels.compiled.elementary import exp
from minitensor.kernels.compiled.layout import BLOCK, packed, share
from minitensor.kernels.compiled.softmax import largest
from minitensor.ops.nn.attention import scaled_dot_product_attention
from minitensor.threads import get_num_threads

Array = np.ndarray
ENTRIES = 1 << 18  # of the scores at a time


@compiled(sums=True)
def weigh(p: Array, mask: Array, factor: float) -> None:
    """P = softmax(s p) of rows in place, 0 where the mask (rows or fewer, n) is False, and in rows of -inf alone"""
    rows, n = p.shape
    for i in range(rows):
        if mask.size:
            k = i % len(mask)
            for j in range(n):
                p[i, j] = select(mask[k, j], factor * p[i, j], -inf)
        else:
            for j in range(n):
                p[i, j] *= factor
        m = largest(p, i)
        m = select(m == -inf, 0.0, m)
        z = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part, total = p[i, start : start + BLOCK], 0.0
            for j in range(part.size):
                e = exp(part[j] - m)
                part[j] = e
                total += e
            z += total
        scale = 0.0 if z == 0.0 else real(1.0 / z)
        for j in range(n):
            p[i, j] *= scale


@compiled(sums=True)
def weigh_back(d: Array, p: Array, mask: Array, factor: float) -> None:
    """dS = s P (dP - Σ P dP) of rows, in the place of dP; 0 where the mask is False, whatever stands there"""
    rows, n = p.shape
    for i in range(rows):
        total = np.float64(0.0)
        for start in range(0, n, BLOCK):
            part = 0.0
            for j in range(start, min(start + BLOCK, n)):
                part += p[i, j] * d[i, j]
            total += part
        mean = real(total)
        for j in range(n):
            d[i, j] = p[i, j] * (d[i, j] - mean) * factor
        if mask.size:
            k = i % len(mask)
            for j in range(n):
                d[i, j] = select(mask[k, j], d[i, j], 0.0)


def _cuts(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of the first axis with ENTRIES for each thread, or one example."""
    step = max(1, get_num_threads() * ENTRIES // math.prod(shape[1:]))
    return (slice(i, i + step) for i in range(0, shape[0], step))


def _hidden(mask: Array | None, shape: tuple[int, ...]) -> Array | None:
    """Return a mask as one matrix for all heads, or in the shape of the scores; None if it does not broadcast to it."""
    if mask is None:
        return np.empty((0, 0), bool)
    try:
        if np.broadcast_shapes(mask.shape, shape) != shape:
            return None
    except ValueError:
        return None
    if math.prod(mask.shape[:-2]) == 1:
        return packed(np.broadcast_to(mask.reshape(mask.shape[-2:]), shape[-2:]))
    return packed(np.broadcast_to(mask, shape))


def _visit(loop: Loop, hides: Array, cut: slice, factor: float, *arrays: Array) -> None:
    """Run a loop on rows of scores; where threads share them, the mask begins with each one's part."""
    n = arrays[0].shape[-1]
    some = hides[cut].reshape(-1, n) if hides.ndim > 2 else hides
    share(loop, tuple(a.reshape(-1, n) for a in arrays), some, factor, rows=len(some) or 1)


@scaled_dot_product_attention.fused("compiled")
def attention_compiled(
    q: Array, k: Array, v: Array, mask: Array | None, *, needs: tuple[bool, ...], scale: float | None = None
) -> Outcome:
    """Run attention; keeps the weights P."""
    fits = q.ndim == k.ndim == v.ndim >= 3 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2] and q.dtype.char in "fd"
    fits = fits and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    if not fits or (mask is not None and (mask.dtype.kind != "b" or needs[3])) or 0 in (*q.shape, *k.shape, *v.shape):
        return NotImplemented
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    p, y = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype), np.empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    hides = _hidden(mask, p.shape)
    if hides is None:
        return NotImplemented
    for cut in _cuts(p.shape):
        np.matmul(q[cut], k[cut].swapaxes(-1, -2), out=p[cut])
        _visit(weigh, hides, cut, factor, p[cut])
        np.matmul(p[cut], v[cut], out=y[cut])

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dq, dk, dv = (np.empty(x.shape, x.dtype) if need else None for x, need in zip((q, k, v), needs, strict=False))
        for cut in _cuts(p.shape):
            if dv is not None:
                np.matmul(p[cut].swapaxes(-1, -2), g[cut], out=dv[cut])
            if dq is None and dk is None:
                continue
            ds = np.matmul(g[cut], v[cut].swapaxes(-1, -2))
            _visit(weigh_back, hides, cut, factor, ds, p[cut])
            if dq is not None:
                np.matmul(ds, k[cut], out=dq[cut])
            if dk is not None:
                np.matmul(ds.swapaxes(-1, -2), q[cut], out=dk[cut])
        return dq, dk, dv, None

    return y, pullback if any(needs) else None
