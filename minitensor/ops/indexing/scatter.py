"""Writing at places, as pure functions: each returns a new array and leaves its argument as it was.

Where a place is written twice, the last value stays, and it alone gets the gradient.
"""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable, describe
from minitensor.op import op
from minitensor.ops.elementwise import astype, where
from minitensor.ops.indexing.gather import add_along, add_rows, inside, integers, lane_index, lanes, read_rows
from minitensor.ops.indexing.index import is_mask, plain_index, same_lanes
from minitensor.ops.shaping.shape import axes_of, broadcast_to, ravel, reshape

__all__ = [
    "index_add", "index_put", "masked_fill", "put", "put_along_axis", "scatter", "scatter_add", "untouched", "wins",
    "write_at",
]  # fmt: skip


def _raw(x: Array) -> Array:
    return x.data if isinstance(x, Variable) else x


@op
def wins(at: Array, size: int) -> Array:
    """y[k] = whether no later entry of `at` is at[k]: whether what is written there stays; without a gradient"""
    xp = namespace(at)
    last = xp.full(size, -1, "int32")
    order = xp.arange(at.size, dtype="int32")
    xp.maximum.at(last, at, order)
    return last[at] == order


@op("complex")
def untouched(at: Array, shape: tuple[int, ...]) -> Array:
    """y = whether a place of the shape, counted row by row, is not in `at`; without a gradient"""
    y = namespace(at).ones(math.prod(shape), bool)
    y[at] = False
    return y.reshape(shape)


@op("complex")
def write_at(x: Array, values: Array, at: Array) -> Array:
    """y = x, then y[at[k]] = values[k], places counted row by row: (...), (k,), (k,) -> (...)"""
    y = x.flatten()
    if namespace(x) is np:
        y[at] = values  # in order
    else:
        stays = wins(at, size=y.size)  # the GPU writes in no order
        y[at[stays]] = values[stays]
    return y.reshape(x.shape)


write_at.vjp(
    x=lambda g, at, x_shape: where(untouched(at, shape=x_shape), g, 0.0),
    values=lambda g, at, x_shape: where(
        wins(at, size=math.prod(x_shape)), read_rows(reshape(g, shape=(math.prod(x_shape),)), at, axis=0), 0.0
    ),
)


def _like(name: str, values: Array, x: Array, strict: bool) -> Array:
    """Return values in x's dtype: a number, or an array that has it (strict) or can be brought to it."""
    dtype = x.dtype
    if not (isinstance(values, Variable) or is_array(values)):
        array = np.asarray(values)
        if array.dtype.kind == "f" and dtype.kind in "iub":
            raise TypeError(f"{name}: {values!r:.60} would be cut to fit {describe(x)}: use .astype('float32')")
        return namespace(_raw(x)).asarray(astype(array, dtype=dtype))
    if values.dtype == dtype:
        return values
    if strict or (values.dtype.kind in "fV" and dtype.kind in "iub"):
        raise TypeError(f"{name}: values and x have one dtype; got {describe(values)} for {describe(x)}: use .astype")
    return astype(values, dtype=dtype)


def _write(x: Array, values: Array, at: Array) -> Array:
    return write_at(x, ravel(values), ravel(at))


def _places(x: Array, index: Array, axis: int) -> Array:
    """Return the places, counted row by row in x, of the entries that `index` names in its lanes."""
    xp = namespace(_raw(x))
    raw = _raw(index)
    if not raw.size:
        return raw.reshape(-1).astype("int64")
    raw = raw if raw.ndim else raw.reshape(1)
    at: Array = 0
    for lane, n in zip(lanes(xp, raw % (x.shape[axis] if x.shape else 1), axis), x.shape or (1,), strict=True):
        at = at * n + lane.astype("int64")
    return at


def _cut(name: str, src: Array, index: Array) -> Array:
    """Return the part of src that the index's shape covers."""
    if not math.prod(index.shape):
        return ravel(src)[:0].reshape(index.shape)
    if len(src.shape) != len(index.shape) or any(n > m for n, m in zip(index.shape, src.shape, strict=True)):
        raise ValueError(f"{name}: src is as long as the index or longer; got shapes {src.shape} and {index.shape}")
    return src if src.shape == index.shape else src[tuple([slice(0, n) for n in index.shape])]


@composite("moves")
def scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
    """y = x, then y[..., index[i, j, ...], ...] = src[i, j, ...], the index standing in for axis `dim`

    `mt.scatter(x, dim, index, src, reduce=None)`: src is a number, or an array at least as long as the index, which
    may be shorter than x. Raises TypeError unless the index is of integers and src of x's dtype, ValueError if a shape
    does not fit, IndexError for a place outside [0, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: its put_along_axis broadcasts. Differs from PyTorch: where a place is written twice the last
    value stays and alone gets the gradient (there: either, and all); `reduce` ("add", "multiply") has a gradient too.

    >>> import minitensor as mt
    >>> mt.scatter(mt.zeros((2, 2)), 1, [[1], [0]], [[5.0], [6.0]])
    Tensor float32 (2, 2): [[0. 5.] [6. 0.]]
    """
    index, axis = lane_index("scatter", x, index, dim)
    src = _like("scatter", src, x, strict=True)
    src = _cut("scatter", src, index) if src.shape or not index.shape else broadcast_to(src, shape=index.shape)
    return _write(x, src, _places(x, index, axis))


@composite("complex")
def scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
    """y = x, then y[..., index[i, j, ...], ...] += src[i, j, ...], the index standing in for axis `dim`

    `mt.scatter_add(x, dim, index, src)`: places named twice add up. Shapes and errors as for `scatter`; src is an
    array.
    Differs from NumPy: there it is add.at.

    >>> import minitensor as mt
    >>> mt.scatter_add(mt.zeros((1, 2)), 1, [[0, 0, 1]], mt.Tensor([[1.0, 2.0, 3.0]]))
    Tensor float32 (1, 2): [[3. 3.]]
    """
    index, axis = lane_index("scatter_add", x, index, dim)
    src = _cut("scatter_add", _like("scatter_add", src, x, strict=True), index)
    return x + add_along(src, index, axis=axis, shape=tuple(x.shape))


@composite("complex")
def index_add(x: Array, index: Array, source: Array, dim: int, alpha: float = 1) -> Array:
    """y = x, then y[..., index[k], ...] += alpha · source[..., k, ...]: slices added at the places of a vector

    `mt.index_add(x, dim, index, source)`: index (k,), source as x with k entries on the axis. Raises TypeError unless
    the index is of integers and the dtypes are one, ValueError if a shape does not fit, IndexError for a place outside
    [0, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: there it is add.at. Differs from PyTorch: a float alpha beside integers is refused.

    >>> import minitensor as mt
    >>> mt.index_add(mt.zeros(3), 0, [0, 2, 0], mt.Tensor([1.0, 2.0, 3.0]))
    Tensor float32 (3,): [4. 0. 2.]
    """
    index = integers("index_add", index, x)
    (axis,) = axes_of("index_add", dim, len(x.shape) or 1)
    if len(index.shape) > 1:
        raise ValueError(f"index_add: the index is a vector; got shape {index.shape}")
    source = _like("index_add", source, x, strict=True)
    if isinstance(alpha, float) and x.dtype.kind in "iub":
        raise TypeError(f"index_add: alpha = {alpha} would be cut to fit {describe(x)}: use .astype('float32')")
    vector = index if index.shape else index.reshape((1,))
    wanted = (*x.shape[:axis], vector.shape[0], *x.shape[axis + 1 :]) if x.shape else ()
    if tuple(source.shape) != wanted or (not x.shape and vector.shape != (1,)):
        raise ValueError(f"index_add: source has shape {wanted} for this index; got {tuple(source.shape)}")
    n = x.shape[axis] if x.shape else 1
    inside("index_add", vector, n, axis)
    source = source if alpha == 1 else source * alpha
    added = add_rows(source if source.shape else source.reshape((1,)), vector, axis=axis, length=n)
    return x + reshape(added, shape=tuple(x.shape))


@composite("moves")
def put(x: Array, indices: Array, values: Array) -> Array:
    """y = x, then y[indices[k]] = values[k], places counted row by row; too few values start again

    x (...), indices and values of any shape -> (...). Negative places count from the end. Raises TypeError unless the
    indices are integers, or for floats into integers, IndexError outside [-n, n) (on the CPU; on a GPU it wraps
    around), ValueError for no value.
    Differs from NumPy: a new array; always mode="raise". Differs from PyTorch: values may be fewer; see `scatter`.

    >>> import minitensor as mt
    >>> mt.put(mt.zeros((2, 2)), [0, -1], [5.0, 6.0])
    Tensor float32 (2, 2): [[5. 0.] [0. 6.]]
    """
    at, flat = ravel(integers("put", indices, x)), ravel(_like("put", values, x, strict=False))
    size, count, given = math.prod(x.shape), at.shape[0], flat.shape[0]
    inside("put", at, size, 0, negative=True)
    if count and not given:
        raise ValueError(f"put: {count} places and no value")
    if given < count:
        flat = read_rows(flat, namespace(_raw(x)).arange(count) % given, axis=0)
    return _write(x, flat[:count] if given > count else flat, _raw(at) % max(size, 1))


@composite("moves")
def put_along_axis(x: Array, indices: Array, values: Array, axis: int | None) -> Array:
    """y = x, then y[..., indices[..., j, ...], ...] = values[..., j, ...] along an axis: undoes `take_along_axis`

    indices broadcast with x on the other axes, values with the indices; None counts places row by row. Raises
    TypeError unless the indices are integers, or for floats into integers, ValueError if a shape does not fit,
    IndexError outside [-n, n) (on the CPU; on a GPU it wraps around).
    Differs from NumPy: a new array; a number has axis 0. Differs from PyTorch: there it is scatter, which does not
    broadcast.

    >>> import minitensor as mt
    >>> mt.put_along_axis(mt.zeros((2, 2)), [[1], [0]], 7, axis=1)
    Tensor float32 (2, 2): [[0. 7.] [7. 0.]]
    """
    indices = integers("put_along_axis", indices, x)
    wide, indices, at = same_lanes("put_along_axis", x, indices, axis)
    if math.prod(wide.shape) != math.prod(x.shape):
        raise ValueError(f"put_along_axis: the indices {indices.shape} are longer than x {tuple(x.shape)}")
    inside("put_along_axis", indices, wide.shape[at], at, negative=True)
    values = _like("put_along_axis", values, x, strict=False)
    places = _places(wide, indices, at)
    return _write(x, broadcast_to(values, shape=tuple(indices.shape)), places)


@composite("complex")
def index_put(x: Array, values: Array, *, indices: Array, accumulate: bool = False) -> Array:
    """y = x, then y[indices] = values, or += with `accumulate`: what x[...] = v does, without changing x

    `mt.index_put(x, indices, values)`: any index that x[...] takes; values broadcast to what it names. Raises
    IndexError for what is no index, TypeError unless the dtypes are one, ValueError if the values do not broadcast.
    Differs from NumPy: a new array. Differs from PyTorch: slices and numbers are indices too; see `scatter`.

    >>> import minitensor as mt
    >>> mt.index_put(mt.zeros(3), ([0, 0, 2],), 1.0, accumulate=True)
    Tensor float32 (3,): [2. 0. 1.]
    """
    size, xp = math.prod(x.shape), namespace(_raw(x))
    try:
        at = xp.arange(size).reshape(x.shape)[plain_index(indices, x)]
    except IndexError as error:
        raise IndexError(f"index_put: {error}; x has shape {tuple(x.shape)}") from None
    values = broadcast_to(_like("index_put", values, x, strict=True), shape=tuple(at.shape))
    if not accumulate:
        return _write(x, values, at)
    return x + reshape(add_rows(ravel(values), at.reshape(-1), axis=0, length=size), shape=tuple(x.shape))


@composite("moves")
def masked_fill(x: Array, mask: Array, value: Array) -> Array:
    """y = value where the mask is true, else x

    x and mask broadcast; value is a number or a Tensor without axes, and y has x's dtype. Raises TypeError unless the
    mask is of bools, or for a float among integers, ValueError if the shapes do not broadcast or value has axes.
    Differs from NumPy: there it is where(mask, value, x). Differs from PyTorch: a float among integers is refused.

    >>> import minitensor as mt
    >>> mt.masked_fill(mt.Tensor([1.0, 2.0]), [True, False], -5)
    Tensor float32 (2,): [-5. 2.]
    """
    mask, value = is_mask("masked_fill", mask, x), _like("masked_fill", value, x, strict=False)
    if value.shape:
        raise ValueError(f"masked_fill: value is one number; got shape {tuple(value.shape)}")
    return where(mask, value, x)
