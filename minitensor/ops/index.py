"""Indexing, basic and advanced, and its adjoint: adding entries back where they were read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minitensor.backend import device_of, is_array, namespace
from minitensor.composite import composite
from minitensor.errors import DeviceError
from minitensor.graph import Variable
from minitensor.op import op

__all__ = ["getitem", "one_hot", "plain_index", "scatter", "take", "take_along_axis"]

Array = Any


def plain_index(index: Any, x: Any) -> Any:
    """Return an index into x as plain values: Tensors unwrapped, lists made arrays, arrays copied."""
    if isinstance(index, tuple):
        return tuple(plain_index(i, x) for i in index)
    index, x = (v.data if isinstance(v, Variable) else v for v in (index, x))
    if isinstance(index, list):
        array = np.asarray(index)
        return namespace(x).asarray(array if array.size else array.astype(np.int64))  # [] would be float64
    if not is_array(index):
        return index
    if device_of(index) != device_of(x):
        raise DeviceError(
            f"the index is on {device_of(index)}, the array on {device_of(x)}: move it with .to({device_of(x)!r})"
        )
    return index.copy()


def _is_basic(index: Any) -> bool:
    return all(
        i is None or i is Ellipsis or isinstance(i, (int, slice))
        for i in (index if isinstance(index, tuple) else (index,))
    )


@op(view=True)
def getitem(x: Array, *, index: Any) -> Array:
    """y = x[index]; a basic index (numbers, slices, None, ...) gives a view, arrays of integers or bools a copy"""
    return x[index]


@op
def scatter(x: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
    """y = zeros of the shape, then y[index] += x, where repeated places add up: the adjoint of `getitem`"""
    xp = namespace(x)
    y = xp.zeros(shape, x.dtype)
    if _is_basic(index):
        y[index] = x
    else:
        xp.add.at(y, index, x)
    return y


getitem.vjp(x=lambda g, index, x_shape: scatter(g, index=index, shape=x_shape))
scatter.vjp(x=lambda g, index: getitem(g, index=index))


@composite
def take(x: Array, indices: Array, *, axis: int = 0) -> Array:
    """y = the slices of x at integer `indices` along an axis: the lookup of an embedding"""
    return getitem(x, index=(slice(None),) * normalize_axis_index(axis, len(x.shape)) + (plain_index(indices, x),))


def _lanes(xp: Any, indices: Array, axis: int) -> tuple[Array, ...]:
    """Return the index arrays with which `x[...]` reads `indices` along `axis` and every place of the other axes."""
    n = len(indices.shape)
    axis = normalize_axis_index(axis, n)
    return tuple(
        indices if i == axis else xp.arange(length).reshape([length if i == j else 1 for j in range(n)])
        for i, length in enumerate(indices.shape)
    )


@op
def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    """y[..., j, ...] = x[..., indices[..., j, ...], ...] along an axis: what `argmax` points at"""
    return x[_lanes(namespace(x), indices, axis)]


@op
def _put_along_axis(x: Array, indices: Array, *, axis: int, length: int) -> Array:
    """y = zeros, `length` long on the axis, with y[..., indices[..., j, ...], ...] += x[..., j, ...]"""
    xp = namespace(x)
    y = xp.zeros([length if i == axis % x.ndim else n for i, n in enumerate(x.shape)], x.dtype)
    lanes = _lanes(xp, indices, axis)
    if indices.shape[axis] == 1:  # no place twice
        y[lanes] = x
    else:
        xp.add.at(y, lanes, x)
    return y


take_along_axis.vjp(x=lambda g, indices, axis, x_shape: _put_along_axis(g, indices, axis=axis, length=x_shape[axis]))
_put_along_axis.vjp(x=lambda g, indices, axis: take_along_axis(g, indices, axis=axis))


@op
def one_hot(x: Array, *, classes: int, dtype: Any = "float32") -> Array:
    """y[..., k] = 1 where x = k, else 0, for integers x in [0, classes); without a gradient"""
    xp = namespace(x)
    return (x[..., None] == xp.arange(classes)).astype(dtype)
