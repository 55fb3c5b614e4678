"""Indexing, basic and advanced, as NumPy does it, and its adjoint: adding entries back where they were read."""

from __future__ import annotations

from operator import index as integer
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array, device_of, is_array, namespace, plain
from minitensor.composite import composite
from minitensor.errors import DeviceError
from minitensor.graph import Variable, describe
from minitensor.notices import copied
from minitensor.op import op
from minitensor.ops.indexing.gather import add_into, inside, integers, read_along, read_rows
from minitensor.ops.shaping.shape import axes_of, broadcast_arrays, broadcast_to, common_shape, ravel, reshape

__all__ = [
    "add_at", "argwhere", "getitem", "is_mask", "masked_select", "one_hot", "plain_index", "same_lanes", "take",
    "take_along_axis",
]  # fmt: skip


def plain_index(index: Array, x: Array) -> Array:
    """Return an index into x as plain values: Tensors unwrapped, lists made arrays, arrays copied.

    Raises IndexError for what is no index, and for a mask that does not fit; DeviceError for one on another device.
    """
    if type(index) is int or index is None or index is Ellipsis:
        return index
    items = index if isinstance(index, tuple) else (index,)
    array = x.data if isinstance(x, Variable) else x
    plain = [_plain(i, array) for i in items]
    if any([is_array(i) for i in plain]):
        _masks_fit(plain, array.shape)
    return tuple(plain) if isinstance(index, tuple) else plain[0]


def _plain(i: Array, x: Array) -> Array:
    if i is None or i is Ellipsis or type(i) is int or isinstance(i, (bool, np.bool_)):
        return bool(i) if isinstance(i, np.bool_) else i
    if isinstance(i, slice):
        return slice(*[None if v is None else integer(v) for v in (i.start, i.stop, i.step)])
    i = i.data if isinstance(i, Variable) else i
    if is_array(i):
        i = plain(i)
        if i.dtype.kind not in "iub":
            raise IndexError(f"an index array is of integers or bools; got {describe(i)}: use .astype('int64')")
        if device_of(i) != device_of(x):
            raise DeviceError(
                f"the index is on {device_of(i)}, the array on {device_of(x)}: move it with .to({device_of(x)!r})"
            )
        return copied(i)
    if isinstance(i, (list, tuple, range)):
        return _listed(i, x)
    if hasattr(i, "__index__"):
        return integer(i)
    raise IndexError(f"an index is made of integers, slices, ..., None and arrays of integers or bools; got {i!r}")


def _listed(i: Array, x: Array) -> Array:
    """Return a list that stands for an index array as that array, on x's device."""

    def unwrapped(v: Array) -> Array:
        if isinstance(v, Variable):
            return v.data.tolist()
        return [unwrapped(u) for u in v] if isinstance(v, (list, tuple)) else v

    try:
        array = np.asarray(unwrapped(i))
    except ValueError:
        raise IndexError(f"a list in an index is of integers or bools in even rows; got {i!r}"[:200]) from None
    if array.size and array.dtype.kind not in "iub":
        raise IndexError(f"a list in an index is of integers or bools; got {i!r}"[:200])
    return namespace(x).asarray(array if array.size else array.astype(np.int64))  # [] would be float64


def _masks_fit(items: list[Any], shape: tuple[int, ...]) -> None:
    """Refuse a mask whose shape is not that of the axes it stands for."""
    used = [0 if i is None or i is Ellipsis or isinstance(i, bool) else i.ndim if _is_mask(i) else 1 for i in items]
    axis = 0
    for i, n in zip(items, used, strict=True):
        if i is Ellipsis:
            axis = len(shape) - sum(used) + axis
        elif _is_mask(i) and tuple(i.shape) != shape[axis : axis + n]:
            raise IndexError(
                f"a mask has the shape of the axes it stands for; got {tuple(i.shape)} for {shape[axis : axis + n]}, "
                f"from axis {axis} of {shape}"
            )
        axis += n


def _is_mask(i: Array) -> bool:
    return is_array(i) and i.dtype.kind == "b"


def _repeats(index: Array) -> bool:
    """Whether an index can name a place twice: only an array of integers can."""
    return any(is_array(i) and i.dtype.kind != "b" for i in (index if isinstance(index, tuple) else (index,)))


@op("view")
def getitem(x: Array, *, index: Array) -> Array:
    """y = x[index]; a basic index (numbers, slices, None, ...) gives a view, arrays of integers or bools a copy

    Everything that NumPy takes: negative steps, lists, tuples of lists, masks of fewer axes, several arrays that
    broadcast (their axes come first unless the arrays stand side by side), Tensors on x's device. Places that are read
    twice add up their gradients. Raises IndexError for a place that is not there, a float or a mask that does not fit;
    DeviceError for an index elsewhere. On a GPU, an entry of an index array beyond the end wraps around.
    Differs from PyTorch: beside an index array a number counts as one; negative steps.

    >>> import minitensor as mt
    >>> x = mt.arange(6).reshape(2, 3)
    >>> x[::-1, [0, 2]]
    Tensor int64 (2, 2): [[3 5] [0 2]]
    """
    try:
        return x[index]
    except IndexError as error:
        raise IndexError(f"{error}; x has shape {tuple(x.shape)}") from None


@op("complex")
def add_at(x: Array, *, index: Array, shape: tuple[int, ...]) -> Array:
    """y = zeros of the shape, then y[index] += x, where repeated places add up: the adjoint of `getitem`"""
    xp = namespace(x)
    y = xp.zeros(shape, x.dtype)
    if not _repeats(index):
        y[index] = x
        return y
    if xp is not np:
        return add_into(y, index, x)
    at = np.arange(y.size).reshape(shape)[index]  # places in one row: there NumPy adds many times faster
    return add_into(y.reshape(-1), at.reshape(-1), x.reshape(-1)).reshape(shape)


getitem.vjp(x=lambda g, index, x_shape: add_at(g, index=index, shape=x_shape))
add_at.vjp(x=lambda g, index: getitem(g, index=index))


@composite("moves")
def take(x: Array, indices: Array, axis: int | None = None) -> Array:
    """y = the slices of x at integer places along an axis; None reads x as one row

    (..., n, ...) with indices (i, j, ...) -> (..., i, j, ..., ...). Negative places count from the end, repeated ones
    add up their gradients: with axis=0 it is the lookup of an embedding. Raises TypeError unless the indices are
    integers, IndexError for one outside [-n, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: always mode="raise". Differs from PyTorch: its take has no axis.

    >>> import minitensor as mt
    >>> mt.take([[1, 2], [3, 4]], [1, 1, 0], axis=0)
    Tensor int64 (3, 2): [[3 4] [3 4] [1 2]]
    """
    indices = integers("take", indices, x)
    if axis is None or not x.shape:
        x, axis = ravel(x), axis or 0
    (axis,) = axes_of("take", axis, len(x.shape))
    y = read_rows(x, ravel(indices), axis=axis)
    return reshape(y, shape=(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@composite("moves")
def take_along_axis(x: Array, indices: Array, axis: int | None = -1) -> Array:
    """y[..., j, ...] = x[..., indices[..., j, ...], ...] along an axis: what `argmax` and `argsort` point at

    x (..., n, ...) and indices (..., k, ...) broadcast on the other axes -> (..., k, ...); None reads x as one row.
    Negative places count from the end, repeated ones add up their gradients. Raises TypeError unless the indices are
    integers, ValueError if the shapes do not fit, IndexError outside [-n, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: a number has axis 0. Differs from PyTorch: likewise; there it is take_along_dim; its gather does
    not broadcast.

    >>> import minitensor as mt
    >>> mt.take_along_axis([[1, 3, 2], [6, 5, 4]], [[1], [0]], axis=1)
    Tensor int64 (2, 1): [[3] [6]]
    """
    indices = integers("take_along_axis", indices, x)
    shape = indices.shape
    x, indices, axis = same_lanes("take_along_axis", x, indices, axis)
    inside("take_along_axis", indices, x.shape[axis], axis, negative=True)
    y = read_along(x, indices, axis=axis)
    return y if shape else reshape(y, shape=())


def same_lanes(name: str, x: Array, indices: Array, axis: int | None) -> tuple[Array, Array, int]:
    """Broadcast x and indices against each other on every axis but one."""
    if axis is None:
        x, axis = ravel(x), 0
    if len(x.shape) != len(indices.shape):
        raise ValueError(f"{name}: indices have as many axes as x; got shapes {indices.shape} and {x.shape}")
    if not x.shape:  # one lane of one entry
        x, indices = ravel(x), ravel(indices)
    (axis,) = axes_of(name, axis, len(x.shape))
    without = [(*s[:axis], *s[axis + 1 :]) for s in (x.shape, indices.shape)]
    if without[0] != without[1]:
        common = common_shape(name, without)
        shapes = [(*common[:axis], s[axis], *common[axis:]) for s in (x.shape, indices.shape)]
        x, indices = broadcast_to(x, shape=shapes[0]), broadcast_to(indices, shape=shapes[1])
    return x, indices, axis


def is_mask(name: str, mask: Array, x: Array) -> Array:
    """Return a mask as it is if it is a bool array or Tensor; a list becomes an array on x's device."""
    array = mask.data if isinstance(mask, Variable) else mask
    if not is_array(array):
        array = mask = namespace(x.data if isinstance(x, Variable) else x).asarray(np.asarray(array))
    if array.dtype.kind != "b":
        raise TypeError(f"{name}: a mask is of bools; got {describe(array)}")
    return mask


@composite("moves")
def masked_select(x: Array, mask: Array) -> Array:
    """y = the entries of x where the mask is true, row by row, in one axis

    x and mask broadcast -> (number of true ones,). Raises TypeError unless the mask is of bools, ValueError if the
    shapes do not broadcast.
    Differs from NumPy: there it is x[mask], which does not broadcast.

    >>> import minitensor as mt
    >>> mt.masked_select([[1, 2], [3, 4]], [True, False])
    Tensor int64 (2,): [1 3]
    """
    x, mask = broadcast_arrays(x, is_mask("masked_select", mask, x))
    return getitem(x, index=plain_index(mask, x))


@op("complex", public="argwhere")
def argwhere(x: Array) -> Array:
    """y[k] = the index of the k-th entry that is not 0, row by row; without a gradient

    (...) -> (number of them, number of axes), int64. NaN is not 0. On a GPU it waits for the device.

    >>> import minitensor as mt
    >>> mt.argwhere([[0.0, 2.0], [3.0, 0.0]])
    Tensor int64 (2, 2): [[0 1] [1 0]]
    """
    xp = namespace(x)
    return xp.stack(x.nonzero(), axis=-1) if x.ndim else xp.zeros((int(bool(x)), 0), "int64")


@op(public="one_hot")
def one_hot(x: Array, classes: int, dtype: DTypeLike = "float32") -> Array:
    """y[..., k] = 1 where x = k, else 0, for integers x in [0, classes); without a gradient

    (...) -> (..., classes). Raises TypeError for a float x, IndexError for a number outside [0, classes) (on the CPU;
    on a GPU its row has no 1).
    Differs from NumPy: not there. Differs from PyTorch: floats, and classes are given; `mt.nn.functional.one_hot`
    gives integers and may count them.

    >>> import minitensor as mt
    >>> mt.one_hot([1, 0], 3)
    Tensor float32 (2, 3): [[0. 1. 0.] [1. 0. 0.]]
    """
    if x.dtype.kind not in "iub":
        raise TypeError(f"one_hot takes integers; got {describe(x)}")
    if namespace(x) is np and x.size and not 0 <= (low := int(x.min())) <= (high := int(x.max())) < classes:
        raise IndexError(f"one_hot: a class is 0 to {classes - 1}; got {low if low < 0 else high}")
    return (x[..., None] == namespace(x).arange(classes)).astype(dtype)
