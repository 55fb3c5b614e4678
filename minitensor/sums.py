"""Sums that stay exact when there are very many terms.

NumPy adds in pairs along the axis whose entries are neighbors in memory, and one by one along all others: of a million
rows in float32, each of the later ones is rounded to the size of the sum so far (1.3 % off in the example of `total`).
Here rows are added in float32 only in blocks of a few dozen, at the speed of `x.sum`, and those sums in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array

__all__ = ["FEW", "WIDER", "total"]

BLOCK = 32  # terms that are added one by one in float32
FEW = 256  # terms of which NumPy's own sum is right to some 1e-7
WIDE = 512  # neighbors in memory that are added to as many others at once
WIDER = {"f": np.dtype(np.float64), "F": np.dtype(np.complex128)}  # by the character of the dtype


def total(x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Array:
    """Return x.sum(axis=axes, keepdims=keepdims) with the error of a few roundings, however many terms there are.

    axes counts from 0. Only what NumPy would add one by one is done otherwise: float32 and complex64, along axes whose
    entries are not neighbors.

    >>> x = np.full((1_000_000, 2), 100.0, np.float32)
    >>> total(x, (0,)) / 1_000_000, x.sum(axis=0) / 1_000_000
    (array([100., 100.], dtype=float32), array([98.68435, 98.68435], dtype=float32))
    """
    if type(x) is not np.ndarray or x.size <= FEW or x.dtype.char not in WIDER or _one_by_one(x, axes) <= FEW:
        return x.sum(axis=axes, keepdims=keepdims)
    y = _blocked(x, axes, WIDER[x.dtype.char]).astype(x.dtype, copy=False)
    return y.reshape([1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else y


def _one_by_one(x: Array, axes: tuple[int, ...]) -> int:
    """Return how many terms NumPy adds up one after the other: it adds in pairs along neighbors in memory."""
    shape, terms = x.shape, 1
    for i in axes:
        terms *= shape[i]
    if terms <= FEW:
        return terms
    if len(axes) == len(shape) and x.flags.forc:
        return 1
    near = min([i for i, n in enumerate(shape) if n > 1], key=lambda i: abs(x.strides[i]))
    return terms // shape[near] if near in axes else terms


def _blocked(x: Array, axes: tuple[int, ...], wider: DTypeLike) -> Array:
    """Add up blocks of the longest axis in x's dtype, `across` neighbors at once; then their sums, wider."""
    a = max(axes, key=lambda i: (x.shape[i], -abs(x.strides[i])))
    n, step = x.shape[a], abs(x.strides[a])
    if step == x.itemsize:  # neighbors: NumPy's pairs are exact
        return x.sum(axis=a, keepdims=True).sum(axis=axes, dtype=wider)
    inner = math.prod([m for m, s in zip(x.shape, x.strides, strict=True) if abs(s) < step])  # entries nearer than a's
    across, length = max(1, min(WIDE // inner, n // BLOCK)), min(BLOCK, n)
    whole = n // (length * across) * length * across
    before = (slice(None),) * a
    blocks = x[(*before, slice(0, whole))].reshape(*x.shape[:a], -1, length, across, *x.shape[a + 1 :])
    y = blocks.sum(axis=a + 1)
    rest = (*[i + (i > a) for i in axes], a + 1)  # the axes of y that are still to be summed
    dtype = wider if math.prod([y.shape[i] for i in rest]) > BLOCK else None
    y = y.sum(axis=rest, dtype=dtype)
    return y + x[(*before, slice(whole, None))].sum(axis=axes, dtype=dtype) if whole < n else y
