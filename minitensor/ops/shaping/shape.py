"""Shapes: the same entries under other axes. The results are views, and each rule is the op that goes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as integer
from typing import Any

from numpy.lib.array_utils import normalize_axis_index

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.sums import total

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "axes_of", "broadcast_arrays", "broadcast_to", "common_shape",
    "expand_dims", "is_one", "moveaxis", "ravel", "reshape", "squeeze", "swapaxes", "transpose", "whole",
]  # fmt: skip


def is_one(value: Any) -> bool:
    """Whether a setting is one number, not a sequence of them."""
    return not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0


def whole(value: Any) -> tuple[int, ...]:
    """Return one integer or several as a tuple of Python's.

    >>> whole(2), whole([1, -1])
    ((2,), (1, -1))
    """
    value = value.tolist() if hasattr(value, "tolist") else value  # an array may be on a GPU
    return (integer(value),) if is_one(value) else tuple([integer(v) for v in value])


def axes_of(name: str, axis: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return axes as numbers in [0, ndim), each once.

    >>> axes_of("flip", (0, -1), 3)
    (0, 2)
    """
    axes = tuple([normalize_axis_index(a, ndim, name) for a in whole(axis)])
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: {axis} names an axis of {ndim} twice")
    return axes


@op("view", public="reshape")
def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """y = the same entries, row by row, in another shape; one length may be -1, which the others decide

    A view where the layout allows it, else a copy. Raises ValueError if the number of entries differs.
    Differs from NumPy: always in C order; no copy.

    >>> import minitensor as mt
    >>> mt.reshape(mt.arange(6), (2, -1))
    Tensor int64 (2, 3): [[0 1 2] [3 4 5]]
    """
    try:
        return x.reshape(whole(shape))
    except ValueError:
        size = math.prod(x.shape)
        raise ValueError(f"reshape: the {size} entries of shape {x.shape} do not fill the shape {shape}") from None


reshape.vjp(x=lambda g, x_shape: reshape(g, shape=x_shape))


@composite("moves", public="ravel")
def ravel(x: Array) -> Array:
    """y = all entries, row by row, in one axis

    (...) -> (n,); a number becomes (1,). A view where the layout allows it.
    Differs from NumPy: always in C order.

    >>> import minitensor as mt
    >>> mt.ravel([[1, 2], [3, 4]])
    Tensor int64 (4,): [1 2 3 4]
    """
    return reshape(x, shape=(math.prod(x.shape),))


def _order(axes: Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the order of all axes as numbers in [0, ndim)."""
    if axes is None:
        return tuple(range(ndim))[::-1]
    order = axes_of("transpose", axes, ndim)
    if len(order) != ndim:
        raise ValueError(f"transpose: an order of {ndim} axes names each of them once; got {tuple(axes)}")
    return order


@op("view", public="transpose permute permute_dims")
def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """y[j₀, j₁, ...] = x with axis k of y being axis axes[k] of x; None reverses them

    A view. `mt.permute` and `mt.permute_dims` are other names for it. Raises ValueError if `axes` is not an order of
    all axes, IndexError for an axis that is not there.
    Differs from PyTorch: its `transpose(x, dim0, dim1)` is `mt.swapaxes`.

    >>> import minitensor as mt
    >>> mt.transpose(mt.zeros((2, 3, 4)), (1, -1, 0)).shape
    (3, 4, 2)
    """
    return x.transpose(_order(axes, x.ndim))


def _untranspose(g: Array, axes: Sequence[int] | None) -> Array:
    order = _order(axes, len(g.shape))
    return transpose(g, axes=tuple(sorted(range(len(order)), key=order.__getitem__)))


transpose.vjp(x=_untranspose)


@composite("moves", public="swapaxes")
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """y = x with two axes exchanged

    A view. Raises IndexError for an axis that is not there.
    Differs from NumPy: a number has axis 0.

    >>> import minitensor as mt
    >>> mt.swapaxes(mt.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    axes = list(range(len(x.shape)))
    (a,), (b,) = axes_of("swapaxes", axis1, len(axes) or 1), axes_of("swapaxes", axis2, len(axes) or 1)
    if axes:
        axes[a], axes[b] = b, a
    return transpose(x, axes=tuple(axes))


@composite("moves", public="moveaxis")
def moveaxis(x: Array, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """y = x with some axes moved to other places; the rest keep their order

    A view. Raises ValueError if an axis is named twice or the two lists differ in length, IndexError for an axis that
    is not there.
    Differs from NumPy: a number has axis 0. Differs from PyTorch: there it is also called movedim.

    >>> import minitensor as mt
    >>> mt.moveaxis(mt.zeros((2, 3, 4)), (0, 1), (-1, 0)).shape
    (3, 4, 2)
    """
    n = len(x.shape)
    take, put = axes_of("moveaxis", source, n or 1), axes_of("moveaxis", destination, n or 1)
    if len(take) != len(put):
        raise ValueError(f"moveaxis: as many sources as destinations; got {source} and {destination}")
    axes = [a for a in range(n) if a not in take]
    for to, a in sorted(zip(put, take, strict=True)):
        axes.insert(to, a)
    return transpose(x, axes=tuple(axes[:n]))


@composite("moves", public="expand_dims")
def expand_dims(x: Array, axis: int | Sequence[int]) -> Array:
    """y = x with axes of length 1 put in, so that they stand at `axis` in the result

    A view. Raises ValueError if an axis is named twice, IndexError for one that the result does not have.
    Differs from PyTorch: its unsqueeze takes one axis.

    >>> import minitensor as mt
    >>> mt.expand_dims(mt.zeros((2, 3)), (0, -1)).shape
    (1, 2, 3, 1)
    """
    ndim = len(x.shape) + len(whole(axis))
    new, lengths = axes_of("expand_dims", axis, ndim), iter(x.shape)
    return reshape(x, shape=tuple([1 if i in new else next(lengths) for i in range(ndim)]))


@composite("moves", public="squeeze")
def squeeze(x: Array, axis: int | Sequence[int] | None = None) -> Array:
    """y = x without axes of length 1: all of them, or those named

    A view; a number stays one. Raises ValueError if a named axis is longer or named twice, IndexError if it is missing.
    Differs from PyTorch: there a longer axis is left as it is.

    >>> import minitensor as mt
    >>> mt.squeeze(mt.zeros((1, 2, 1)), -1).shape
    (1, 2)
    """
    axes = range(len(x.shape)) if axis is None else axes_of("squeeze", axis, len(x.shape) or 1)
    if axis is not None and x.shape and any([x.shape[a] != 1 for a in axes]):
        raise ValueError(f"squeeze: the axes {list(axes)} of shape {x.shape} are not all of length 1")
    return reshape(x, shape=tuple([n for i, n in enumerate(x.shape) if n != 1 or i not in axes]))


@op("view", public="broadcast_to")
def broadcast_to(x: Array, shape: int | Sequence[int]) -> Array:
    """y = x repeated along axes of length 1, and along new leading axes, to the shape

    A view, without memory of its own: it cannot be written to. The gradient is the sum over the repetitions.
    Raises ValueError if x does not broadcast to the shape.
    Differs from PyTorch: a length of -1 (keep it) is refused.

    >>> import minitensor as mt
    >>> mt.broadcast_to([1, 2], (2, 2))
    Tensor int64 (2, 2): [[1 2] [1 2]]
    """
    shape = whole(shape)
    extra = len(shape) - len(x.shape)
    fits = extra >= 0 and all([m in (1, n) for m, n in zip(x.shape, shape[extra:], strict=True)])
    if not fits or min(shape, default=0) < 0:
        raise ValueError(f"broadcast_to: the shape {x.shape} does not broadcast to {shape}")
    return namespace(x).broadcast_to(x, shape)


def _unbroadcast(g: Array, x_shape: tuple[int, ...]) -> Array:
    extra = len(g.shape) - len(x_shape)
    axes = (*range(extra), *(i + extra for i, n in enumerate(x_shape) if n == 1 and g.shape[i + extra] != 1))
    return (total(g, axes) if axes else g).reshape(x_shape)


broadcast_to.vjp(x=_unbroadcast)


def common_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which all broadcast.

    >>> common_shape("where", [(3, 1), (2,)])
    (3, 2)
    """
    ndim = max(map(len, shapes), default=0)
    padded = [(1,) * (ndim - len(s)) + tuple(s) for s in shapes]
    lengths = [{n for n in axis if n != 1} for axis in zip(*padded, strict=True)]
    if any(len(n) > 1 for n in lengths):
        raise ValueError(f"{name}: the shapes {', '.join(map(str, shapes))} do not broadcast to one")
    return tuple([n.pop() if n else 1 for n in lengths])


@composite("moves")
def broadcast_arrays(*xs: Array) -> tuple[Array, ...]:
    """y_k = x_k broadcast to the shape that all of them have together

    Views; a tuple, one for each operand. Raises ValueError if the shapes do not broadcast.
    Differs from PyTorch: there it is broadcast_tensors.

    >>> import minitensor as mt
    >>> [y.shape for y in mt.broadcast_arrays(mt.zeros((3, 1)), mt.zeros(2))]
    [(3, 2), (3, 2)]
    """
    shape = common_shape("broadcast_arrays", [x.shape for x in xs])
    return tuple([broadcast_to(x, shape=shape) for x in xs])


@composite("moves")
def atleast_1d(x: Array) -> Array:
    """y = x with one axis or more: a number becomes (1,)

    A view. Several operands give a tuple.

    >>> import minitensor as mt
    >>> mt.atleast_1d(3.0).shape
    (1,)
    """
    return x if x.shape else reshape(x, shape=(1,))


@composite("moves")
def atleast_2d(x: Array) -> Array:
    """y = x with two axes or more: a vector becomes a row, (n,) -> (1, n)

    A view. Several operands give a tuple.

    >>> import minitensor as mt
    >>> [y.shape for y in mt.atleast_2d(3.0, [1.0, 2.0])]
    [(1, 1), (1, 2)]
    """
    return x if len(x.shape) > 1 else reshape(x, shape=(1, *x.shape) if x.shape else (1, 1))


@composite("moves")
def atleast_3d(x: Array) -> Array:
    """y = x with three axes or more: (n,) -> (1, n, 1), (n, m) -> (n, m, 1)

    A view. Several operands give a tuple.

    >>> import minitensor as mt
    >>> mt.atleast_3d(mt.zeros((2, 3))).shape
    (2, 3, 1)
    """
    return x if len(x.shape) > 2 else reshape(x, shape=(*atleast_2d(x).shape, 1))
