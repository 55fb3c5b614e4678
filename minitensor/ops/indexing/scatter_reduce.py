"""Writing several entries at one place by their sum, product, mean, largest or smallest."""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.ops.elementwise import astype, where
from minitensor.ops.elementwise.rounding import floor_divide
from minitensor.ops.indexing.gather import add_along, lane_index, read_rows
from minitensor.ops.indexing.scatter import _cut, _like, _places, _write, untouched
from minitensor.ops.reductions.reduce import max, min, prod
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.shape import broadcast_to, expand_dims, ravel, reshape

__all__ = ["scatter_reduce"]

BEST = {"prod": prod, "amax": max, "amin": min}


def _raw(x: Array) -> Array:
    return x.data if isinstance(x, Variable) else x


def _neutral(reduce: str, dtype: np.dtype) -> Array:
    """Return what changes no product, no maximum, no minimum."""
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if reduce == "amax" else np.iinfo(dtype).max
    return -math.inf if reduce == "amax" else math.inf


@composite
def scatter_reduce(x: Array, index: Array, src: Array, dim: int, reduce: str, include_self: bool = True) -> Array:
    """y = x, and where src entries are sent: their "sum", "prod", "mean", "amax" or "amin", and x's entry with them

    `mt.scatter_reduce(x, dim, index, src, reduce)`: src[i, j, ...] goes to y[..., index[i, j, ...], ...], the index
    standing in for axis `dim`; without include_self x's entry counts only where nothing is sent. Equal largest entries
    share the gradient; a product's is that of the others. The mean of integers is rounded down. Shapes and errors as
    for `scatter`; ValueError for another word. Differs from NumPy: there it is add.at, maximum.at, ...
    Differs from PyTorch: without include_self an equal entry of x takes no share of the gradient; a second gradient of
    products with zeros; a largest entry -inf leaves part of its gradient.

    >>> import minitensor as mt
    >>> mt.scatter_reduce(mt.Tensor([1.0, 2.0]), 0, [0, 0], mt.Tensor([3.0, 5.0]), "mean")
    Tensor float32 (2,): [3. 2.]
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ValueError(f"scatter_reduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin'; got {reduce!r}")
    index, axis = lane_index("scatter_reduce", x, index, dim)
    src = _like("scatter_reduce", src, x, strict=True)
    src = _cut("scatter_reduce", src, index) if src.shape or not index.shape else broadcast_to(src, shape=index.shape)
    at, shape = _places(x, index, axis).reshape(-1), tuple(x.shape)
    if not at.size:
        return astype(x, dtype=x.dtype)
    if reduce in BEST:
        return _best(x, src, at, reduce, include_self)
    base = x if include_self else where(untouched(at, shape=shape), x, 0)
    total = base + add_along(src, index, axis=axis, shape=shape)
    if reduce == "sum":
        return astype(total, dtype=x.dtype)
    if x.dtype.kind == "b":
        raise TypeError("scatter_reduce: bools have no mean: use .astype('float32')")
    xp = namespace(_raw(x))
    count = xp.bincount(at, minlength=math.prod(shape)).reshape(shape) + int(include_self)
    count = xp.maximum(count, 1).astype(x.dtype)
    return floor_divide(total, count) if x.dtype.kind in "iu" else total / count


def _best(x: Array, src: Array, at: Array, reduce: str, include_self: bool) -> Array:
    """Return y with what is sent to one place laid out in one row, and the rows reduced."""
    xp, k = namespace(_raw(x)), at.size
    order = at.argsort(kind="stable") if xp is np else at.argsort()
    ordered = at[order]
    rank = xp.arange(k) - xp.searchsorted(ordered, ordered, side="left")  # how many of this place came before
    first = rank == 0
    table = xp.full((int(first.sum()), int(rank.max()) + 1), k)  # (places, most); k names the neutral entry
    table[xp.cumsum(first) - 1, rank] = order
    neutral = xp.full((1,), _neutral(reduce, x.dtype), x.dtype)
    rows = reshape(read_rows(concatenate(ravel(src), neutral), table.reshape(-1), axis=0), shape=table.shape)
    places = ordered[first]
    if include_self:
        rows = concatenate(expand_dims(read_rows(ravel(x), places, axis=0), axis=1), rows, axis=1)
    return _write(x, astype(BEST[reduce](rows, axis=1), dtype=x.dtype), places)
