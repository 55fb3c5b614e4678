"""Order: entries sorted, the first few of them, places in a sorted sequence. Indices have no gradient."""

from __future__ import annotations

import operator

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable, wrap
from minitensor.op import op
from minitensor.ops.indexing.index import take_along_axis
from minitensor.ops.reductions.axes import along
from minitensor.ops.shaping.shape import reshape

__all__ = ["argsort", "kthvalue", "searchsorted", "sort", "topk"]


@op(public="argsort")
def argsort(x: Array, axis: int | None = -1, descending: bool = False, stable: bool = True) -> Array:
    """y = the order of places in which the entries along one axis ascend, or descend; None lays them out in a row.

    int64, without a gradient. Equal entries keep their order, in both directions, whatever `stable` says. A NaN counts
    as the largest, so it is last, or first if descending.
    Differs from NumPy: `descending`, which is the array API's; no kind. Differs from PyTorch: stable.

    >>> import minitensor as mt
    >>> mt.argsort([2.0, 3.0, 1.0, 2.0], descending=True)
    Tensor int64 (4,): [1 0 3 2]
    """
    xp = namespace(x)
    shape, at, out = along("argsort", axis, x.shape)
    lanes = x.reshape(shape)
    if not descending:
        return xp.argsort(lanes, axis=at, kind="stable").reshape(out)
    order = xp.argsort(xp.flip(lanes, at), axis=at, kind="stable")  # ascending from behind is descending
    return (shape[at] - 1 - xp.flip(order, at)).reshape(out)


@composite("moves", public="sort")
def sort(x: Array, axis: int | None = -1, descending: bool = False, stable: bool = True) -> Array:
    """y = the entries in ascending or descending order along one axis; None lays them out in a row first.

    A NaN counts as the largest, so it is last, or first if descending. The gradient goes to where each entry stood.
    Differs from NumPy: `descending`, which is the array API's; no kind. Differs from PyTorch: the indices come from
    `argsort`; stable, whatever is asked.

    >>> import minitensor as mt
    >>> mt.sort([[2.0, 3.0, 1.0]])
    Tensor float32 (1, 3): [[1. 2. 3.]]
    """
    shape, at, out = along("sort", axis, x.shape)
    lanes = reshape(x, shape=shape)
    order = argsort(lanes, axis=at, descending=descending)
    return reshape(take_along_axis(lanes, order, axis=at), shape=out)


def _leading(x: Array, axis: int, descending: bool, k: int) -> Array:
    """Return the places of the first k in sorted order, without sorting the rest; None where ties or NaN need that."""
    array = x.data if isinstance(x, Variable) else x
    n = array.shape[axis]
    if namespace(array) is not np or not 0 < 4 * k < n or not array.size or array.dtype.kind != "f":
        return None
    last = np.moveaxis(-array if descending else array, axis, -1)
    chosen = last <= np.partition(last, k - 1, axis=-1)[..., k - 1, None]
    if np.any(np.count_nonzero(chosen, axis=-1) != k) or np.isnan(array).any():
        return None
    places = np.nonzero(chosen)[-1].reshape((*last.shape[:-1], k))
    order = np.argsort(np.take_along_axis(last, places, axis=-1), axis=-1, kind="stable")
    index = np.moveaxis(np.take_along_axis(places, order, axis=-1), -1, axis)
    return wrap(index) if isinstance(x, Variable) else index


def _first(name: str, x: Array, axis: int, descending: bool, start: int, stop: int) -> tuple[Array, Array, Array]:
    """Return entries from `start` to `stop` in sorted order, their places, and the shape of a number that came in."""
    if axis is None:
        raise TypeError(f"{name}: axis is one integer; reshape(-1) lays out all entries in a row")
    shape, at, out = along(name, axis, x.shape)
    lanes = reshape(x, shape=shape)
    index = None if start else _leading(lanes, at, descending, stop)
    if index is None:
        order = argsort(lanes, axis=at, descending=descending)
        index = order[(slice(None),) * at + (slice(start, stop),)]
    return take_along_axis(lanes, index, axis=at), index, at if out else None


def _rank(name: str, k: int, n: int, least: int) -> int:
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise TypeError(f"{name}: k is an integer; got {k!r}")
    k = operator.index(k)
    if not least <= k <= n:
        raise ValueError(f"{name}: k is from {least} to {n}, the length of the axis; got {k}")
    return k


@composite("moves", public="topk")
def topk(x: Array, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
    """(y, index): the k largest (or smallest) entries along one axis, the most extreme first, and where they stand.

    (..., n, ...) -> twice (..., k, ...). A NaN counts as the largest. Of equal entries the first are taken. The
    gradient goes to where each entry stood. k > n: ValueError. NumPy has no such function.
    Differs from PyTorch: dim is called axis; the result is in order, and equal entries too, whatever `sorted` says.

    >>> import minitensor as mt
    >>> mt.topk([2.0, 3.0, 1.0], 2)
    (Tensor float32 (2,): [3. 2.], Tensor int64 (2,): [1 0])
    """
    n = along("topk", axis, x.shape)[0][along("topk", axis, x.shape)[1]]
    y, index, at = _first("topk", x, axis, largest, 0, _rank("topk", k, n, 0))
    return (y, index) if at is not None or not k else (reshape(y, shape=()), reshape(index, shape=()))


@composite("moves", public="kthvalue")
def kthvalue(x: Array, k: int, axis: int = -1, keepdims: bool = False) -> tuple[Array, Array]:
    """(y, index): the k-th smallest entry along one axis, counted from 1, and where it stands.

    (..., n, ...) -> twice (..., ...), or (..., 1, ...). A NaN counts as the largest; equal entries keep their order.
    The gradient goes to where the entry stood. k outside 1 to n: ValueError. NumPy has no such function.
    Differs from PyTorch: dim is called axis, keepdim keepdims.

    >>> import minitensor as mt
    >>> mt.kthvalue([2.0, 3.0, 1.0], 2)
    (Tensor float32 (): 2., Tensor int64 (): 0)
    """
    shape, at, out = along("kthvalue", axis, x.shape)
    k = _rank("kthvalue", k, shape[at], 1)
    y, index, _ = _first("kthvalue", x, axis, False, k - 1, k)
    shape = () if not out else tuple([1 if i == at else n for i, n in enumerate(out) if keepdims or i != at])
    return reshape(y, shape=shape), reshape(index, shape=shape)


@op
def searchsorted(x: Array, v: Array, side: str = "left") -> Array:
    """y = where each v would go among the ascending x: x[y - 1] < v <= x[y], or with side "right" x[y - 1] <= v < x[y].

    (n,), (...) -> (...), int64, without a gradient. A NaN in v goes to the end. x that has not one axis: ValueError.
    Differs from NumPy: no sorter, use x[sorter]. Differs from PyTorch: one sequence only; side, no `right`.

    >>> import minitensor as mt
    >>> mt.searchsorted([1.0, 2.0, 2.0, 3.0], [2.0, 0.0, 9.0])
    Tensor int64 (3,): [1 0 4]
    """
    if x.ndim != 1:
        raise ValueError(f"searchsorted: the sorted sequence has one axis; this one has shape {x.shape}")
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side is 'left' or 'right'; got {side!r}")
    xp = namespace(x, v)
    return xp.searchsorted(x, xp.asarray(v), side=side)
