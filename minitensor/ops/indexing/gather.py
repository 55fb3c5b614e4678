"""Reading at integer places along an axis, and the adjoints: adding entries back where they were read.

Indices are checked on the CPU. On a GPU that would wait for the device: there an index beyond the end wraps around.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from minitensor.backend import Array, device_of, is_array, is_half, namespace
from minitensor.composite import composite
from minitensor.errors import DeviceError
from minitensor.graph import Variable, describe
from minitensor.op import op
from minitensor.ops.shaping.shape import axes_of

__all__ = [
    "add_along", "add_into", "add_rows", "gather", "index_select", "inside", "integers", "lane_index", "lanes",
    "read_along", "read_rows",
]  # fmt: skip

LONG = 32  # entries of a row
FEW = 16  # runs, that are summed one by one


def integers(name: str, indices: Array, x: Array) -> Array:
    """Return indices into x as they are if they are an integer array or Tensor on x's device; lists become one."""
    array, at = (v.data if isinstance(v, Variable) else v for v in (indices, x))
    if not is_array(array):
        plain = np.asarray([v.data.item() if isinstance(v, Variable) else v for v in array] if _flat(array) else array)
        array = indices = namespace(at).asarray(plain if plain.size else plain.astype(np.int64))  # [] would be float64
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: indices are integers; got {describe(array)}")
    if array.dtype == np.uint64:
        array = indices = array.astype(np.int64)
    if device_of(array) != device_of(at):
        here, there = device_of(array), device_of(at)
        raise DeviceError(f"{name}: the indices are on {here}, the array on {there}: move them with .to({there!r})")
    return indices


def _flat(values: Array) -> bool:
    return isinstance(values, (list, tuple)) and any(isinstance(v, Variable) for v in values)


def inside(name: str, indices: Array, n: int, axis: int, negative: bool = False) -> None:
    """Refuse indices beyond the ends of an axis of length n (on the CPU, where looking costs little)."""
    array = indices.data if isinstance(indices, Variable) else indices
    if namespace(array) is not np or not array.size:
        return
    low, high = int(array.min()), int(array.max())
    if high >= n or low < (-n if negative else 0):
        bounds = f"from {-n if negative else 0} to {n - 1}" if n else "of which there is none"
        wrong = high if high >= n else low
        raise IndexError(f"{name}: index {wrong} is out of bounds for axis {axis} of length {n}: indices are {bounds}")


def add_into(y: Array, index: Array, x: Array) -> Array:
    """Return y after y[index] += x, where repeated places add up; halves add up in float32."""
    xp = namespace(y)
    if xp is np and not is_half(y.dtype):
        xp.add.at(y, index, x)
        return y
    kind = y.dtype.kind  # the GPU adds atomically in these dtypes only; whole numbers wrap around alike in uint64
    if kind == "c":
        return add_into(y.real.copy(), index, x.real) + 1j * add_into(y.imag.copy(), index, x.imag)
    wide = y.astype("uint64" if kind in "iu" else "float32" if is_half(y.dtype) else y.dtype)
    xp.add.at(wide, index, x.astype(wide.dtype))
    return wide.astype(y.dtype)


# -- whole slices along an axis ----------------------------------------------------------------------------------------


@op("complex")
def read_rows(x: Array, index: Array, axis: int) -> Array:
    """y[..., k, ...] = x[..., index[k], ...] along one axis: slices at the places of a vector"""
    try:
        return x.take(index, axis=axis)
    except IndexError:
        inside("take", index, x.shape[axis], axis, negative=True)
        raise


@op("complex")
def add_rows(x: Array, index: Array, axis: int, length: int) -> Array:
    """y = zeros, `length` long on the axis, then y[..., index[k], ...] += x[..., k, ...]: the adjoint of read_rows"""
    xp = namespace(x)
    before = (slice(None),) * (axis % x.ndim)
    y = xp.zeros((*x.shape[: len(before)], length, *x.shape[len(before) + 1 :]), x.dtype)
    if xp is not np:
        return add_into(y, (*before, index), x)
    if x.size:  # equal places brought together
        index = index.astype(np.int64) % length
        order = index.argsort(kind="stable")
        ordered = index[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        total = _run_sums(np.moveaxis(x, axis, 0).take(order, axis=0), starts)
        y[(*before, ordered[starts])] = np.moveaxis(total, 0, axis)
    return y


def _run_sums(rows: Array, starts: Array) -> Array:
    """Return the sums of runs of rows, as np.add.reduceat, which is slow for long rows: all second ones at once, ..."""
    if rows[0].size < LONG:
        return np.add.reduceat(rows, starts, axis=0)
    ends = np.append(starts[1:], len(rows))
    total, lengths, k = rows[starts], ends - starts, 1
    left = np.flatnonzero(lengths > 1)
    while len(left) > FEW:
        total[left] += rows[starts[left] + k]
        k += 1
        left = left[lengths[left] > k]
    for i in left:
        total[i] += rows[starts[i] + k : ends[i]].sum(axis=0)
    return total


read_rows.vjp(x=lambda g, index, axis, x_shape: add_rows(g, index, axis=axis, length=x_shape[axis]))
add_rows.vjp(x=lambda g, index, axis: read_rows(g, index, axis=axis))


@composite("moves")
def index_select(x: Array, index: Array, dim: int) -> Array:
    """y[..., k, ...] = x[..., index[k], ...] along an axis: the slices at the places of a vector

    `mt.index_select(x, dim, index)`: (..., n, ...) with index (k,) -> (..., k, ...). Repeated places are read again,
    and their gradients add up. Raises TypeError unless the index is of integers, ValueError unless it is a vector,
    IndexError for a place outside [0, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: there it is take.

    >>> import minitensor as mt
    >>> mt.index_select(mt.Tensor([[1, 2], [3, 4]]), 1, [1, 1])
    Tensor int64 (2, 2): [[2 2] [4 4]]
    """
    index = integers("index_select", index, x)
    if len(index.shape) > 1:
        raise ValueError(f"index_select: the index is a vector; got shape {index.shape}")
    (axis,) = axes_of("index_select", dim, len(x.shape) or 1)
    row, vector = x if x.shape else x.reshape((1,)), index if index.shape else index.reshape((1,))
    inside("index_select", vector, row.shape[axis], axis)
    y = read_rows(row, vector, axis=axis)
    return y if x.shape else y.reshape(())


# -- one entry for each index ------------------------------------------------------------------------------------------


def lanes(xp: ModuleType, indices: Array, axis: int) -> tuple[Array, ...]:
    """Return the index arrays with which `x[...]` reads `indices` along `axis` and every place of the other axes."""
    n = len(indices.shape)
    return tuple(
        indices if i == axis % n else xp.arange(length).reshape([length if i == j else 1 for j in range(n)])
        for i, length in enumerate(indices.shape)
    )


@op("complex")
def read_along(x: Array, index: Array, axis: int) -> Array:
    """y[i, j, ...] = x[..., index[i, j, ...], ...]: an entry for each index, in its lane along the axis"""
    if not index.size:
        return namespace(x).zeros(index.shape, x.dtype)
    x, at = x if x.ndim else x.reshape(1), index if index.ndim else index.reshape(1)
    return x[lanes(namespace(x), at, axis)].reshape(index.shape)


@op("complex")
def add_along(x: Array, index: Array, axis: int, shape: tuple[int, ...]) -> Array:
    """y = zeros of the shape, then y[..., index[i, j, ...], ...] += x[i, j, ...]: the adjoint of read_along"""
    xp = namespace(x)
    y = xp.zeros(shape or (1,), x.dtype)
    if index.size:
        x, index = (x, index) if index.ndim else (x.reshape(1), index.reshape(1))
        places = lanes(xp, index, axis)
        if index.shape[axis] == 1:  # no place twice
            y[places] = x
        else:
            y = add_into(y, places, x)
    return y.reshape(shape)


read_along.vjp(x=lambda g, index, axis, x_shape: add_along(g, index, axis=axis, shape=x_shape))
add_along.vjp(x=lambda g, index, axis: read_along(g, index, axis=axis))


def lane_index(name: str, x: Array, index: Array, dim: int) -> tuple[Array, int]:
    """Return PyTorch's index of `gather` and `scatter` and its axis, checked against x."""
    index = integers(name, index, x)
    (axis,) = axes_of(name, dim, len(x.shape) or 1)
    size, ndim = index.data.size if isinstance(index, Variable) else index.size, max(len(x.shape), 1)
    if size:
        if max(len(index.shape), 1) != ndim:
            raise ValueError(f"{name}: the index has as many axes as x; got shapes {index.shape} and {x.shape}")
        if any(n > m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=False)) if i != axis):
            raise ValueError(
                f"{name}: beside axis {axis} the index is no longer than x; got shapes {index.shape} and {x.shape}"
            )
        inside(name, index, x.shape[axis] if x.shape else 1, axis)
    return index, axis


@composite("moves")
def gather(x: Array, index: Array, dim: int) -> Array:
    """y[i, j, ...] = x[..., index[i, j, ...], ...], the index standing in for axis `dim`

    `mt.gather(x, dim, index)`: the result has the index's shape, which may be shorter than x's on the other axes.
    Raises TypeError unless the index is of integers, ValueError if its shape does not fit, IndexError for a place
    outside [0, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: its take_along_axis broadcasts and takes negative places.

    >>> import minitensor as mt
    >>> mt.gather(mt.Tensor([[1, 2], [3, 4]]), 1, [[0, 0], [1, 0]])
    Tensor int64 (2, 2): [[1 1] [4 3]]
    """
    index, axis = lane_index("gather", x, index, dim)
    return read_along(x, index, axis=axis)
