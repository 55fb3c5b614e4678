"""Reductions: one entry for all along some axes. `axis` is None (all), an integer or a tuple, as in NumPy."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.op import op
from minitensor.ops.elementwise import astype, equal, logical_or, not_equal, where
from minitensor.ops.reductions.axes import Axis, accumulator, along, kept, length, reduced
from minitensor.ops.reductions.scan import cumprod, shifted
from minitensor.ops.shaping.order import flip
from minitensor.ops.shaping.shape import broadcast_to, reshape, transpose
from minitensor.sums import total

__all__ = ["all", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min", "prod", "sum"]


# -- sums and products -----------------------------------------------------------------------------------------------


def _total(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Return Σ x, of half precision in float32."""
    wider = accumulator(x.dtype)
    return total(x, axis, keepdims) if wider is x.dtype else x.sum(axis=axis, keepdims=keepdims, dtype=wider)


def _spread(g: Array, x_shape: tuple[int, ...], axis: Axis) -> Array:
    return broadcast_to(reshape(g, shape=kept("sum", axis, x_shape)), shape=x_shape)


@op("complex", autocast="float32", public="sum")
def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x over the axes.

    Axis () adds up nothing; of no entries it is 0. Bools and integers give int64; half precision is summed in float32.
    Differs from NumPy: unsigned integers give int64; a tuple axis may be a list; no dtype. Differs from PyTorch: axis
    () is no axis, not all; no dtype, use astype.

    >>> import minitensor as mt
    >>> mt.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor float32 (2,): [4. 6.]
    """
    y = _total(x, reduced("sum", axis, x.shape), keepdims)
    return y if y.dtype.kind == "i" else y.astype(x.dtype, copy=False)


sum.vjp(x=_spread)


@op("floating", "complex", autocast="float32", public="mean")
def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x / n over the axes.

    Of no entries it is NaN, without a warning. Bools and integers give the default float; half precision is summed and
    divided in float32. Differs from NumPy: no warning, integers give float32; no dtype. Differs from PyTorch: integers
    are taken; axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.mean([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor float32 (2,): [1.5 3.5]
    """
    n = length("mean", axis, x.shape)
    summed = _total(x, reduced("mean", axis, x.shape), keepdims)
    y = summed / n if n else summed * math.nan
    return y.astype(x.dtype, copy=False) if x.dtype.kind != "i" else y


mean.vjp(x=lambda g, x_shape, axis: _spread(g, x_shape, axis) / length("mean", axis, x_shape))


@op("complex", public="prod")
def prod(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Π x over the axes.

    Of no entries it is 1. Bools and integers give int64. The gradient is the product of the other entries, computed
    without a division: right at every order if one entry is 0, or several.
    Differs from NumPy: unsigned integers give int64; no dtype. Differs from PyTorch: several axes may be named; a
    factor inf has the product of the others as its gradient, not NaN.

    >>> import minitensor as mt
    >>> mt.prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor float32 (2,): [3. 8.]
    """
    y = x.prod(axis=reduced("prod", axis, x.shape), keepdims=keepdims, dtype=accumulator(x.dtype))
    return y if y.dtype.kind == "i" else y.astype(x.dtype, copy=False)


def _prod_rule(g: Array, x: Array, axis: Axis) -> Array:
    axes = reduced("prod", axis, x.shape)
    order = (*(i for i in range(len(x.shape)) if i not in axes), *axes)  # the reduced axes go last
    n = length("prod", axis, x.shape)
    if not math.prod(x.shape):
        return x * 0
    lanes = reshape(transpose(x, axes=order), shape=(-1, n))  # (results, n)
    before = shifted(cumprod(lanes, axis=1), 1, 1.0)
    after = flip(shifted(cumprod(flip(lanes, axis=1), axis=1), 1, 1.0), axis=1)
    others = reshape(before * after, shape=tuple(x.shape[i] for i in order))
    others = transpose(others, axes=tuple(sorted(range(len(order)), key=order.__getitem__)))
    return reshape(g, shape=kept("prod", axis, x.shape)) * others


prod.vjp(x=_prod_rule)


# -- the largest and the smallest ------------------------------------------------------------------------------------


def _chosen(name: str, x: Array, axis: Axis) -> tuple[int, ...]:
    """Return the axes, refusing to choose among no entries."""
    if not length(name, axis, x.shape):
        raise ValueError(f"{name}: there is no entry to choose along axis {axis} of shape {x.shape}")
    return reduced(name, axis, x.shape)


def _share_extreme(g: Array, x: Array, y: Array, axis: Axis) -> Array:
    shape = kept("max", axis, x.shape)
    hit = logical_or(equal(x, reshape(y, shape=shape)), not_equal(x, x))  # where there is a NaN, y is NaN
    among = sum(astype(hit, dtype=g.dtype), axis=axis, keepdims=True)
    return where(hit, reshape(g, shape=shape) / reshape(among, shape=shape), 0.0)


@op(public="max amax")
def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = the largest entry along the axes; `amax` is the same function.

    A NaN among them gives NaN. Ties share the gradient equally, and so do several NaN. Of no entries: ValueError.
    Differs from PyTorch: this is its amax; its max with a dim is `topk` with k = 1;
    axis () is no axis, not all; at a NaN the gradients are those of PyTorch's max(), while its amax gives NaN to all.

    >>> import minitensor as mt
    >>> mt.max([[1.0, 2.0], [4.0, 3.0]], axis=1)
    Tensor float32 (2,): [2. 4.]
    """
    return x.max(axis=_chosen("max", x, axis), keepdims=keepdims)


max.vjp(x=_share_extreme)


@op(public="min amin")
def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = the smallest entry along the axes; `amin` is the same function.

    A NaN among them gives NaN. Ties share the gradient equally, and so do several NaN. Of no entries: ValueError.
    Differs from PyTorch: as `max` does.

    >>> import minitensor as mt
    >>> mt.min([[1.0, 2.0], [4.0, 3.0]], axis=1)
    Tensor float32 (2,): [1. 3.]
    """
    return x.min(axis=_chosen("min", x, axis), keepdims=keepdims)


min.vjp(x=_share_extreme)


def _place(name: str, x: Array, axis: int | None, keepdims: bool) -> Array:
    along(name, axis, x.shape)  # refuses several axes
    one = _chosen(name, x, axis)
    return getattr(x, name)(axis=None if axis is None or not x.shape else one[0], keepdims=keepdims)


@op(public="argmax")
def argmax(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """y = where the largest entry stands along one axis; axis None counts through all entries in a row.

    int64, without a gradient. Of equal entries the first; a NaN counts as the largest. Of no entries: ValueError.
    Differs from PyTorch: bools are taken.

    >>> import minitensor as mt
    >>> mt.argmax([[1, 3, 3], [9, 0, 2]], axis=1)
    Tensor int64 (2,): [1 0]
    """
    return _place("argmax", x, axis, keepdims)


@op(public="argmin")
def argmin(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """y = where the smallest entry stands along one axis; axis None counts through all entries in a row.

    int64, without a gradient. Of equal entries the first; a NaN counts as the smallest. Of no entries: ValueError.
    Differs from PyTorch: bools are taken.

    >>> import minitensor as mt
    >>> mt.argmin([[1, 3, 3], [9, 0, 0]], axis=1)
    Tensor int64 (2,): [0 1]
    """
    return _place("argmin", x, axis, keepdims)


# -- counting --------------------------------------------------------------------------------------------------------


@op("complex", public="any")
def any(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = whether some entry is not 0, over the axes.

    bool, without a gradient. Of no entries it is False; a NaN is not 0.
    Differs from PyTorch: uint8 gives bool too; axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.any([[True, False], [False, False]], axis=1)
    Tensor bool (2,): [ True False]
    """
    return x.any(axis=reduced("any", axis, x.shape), keepdims=keepdims)


@op("complex", public="all")
def all(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = whether no entry is 0, over the axes.

    bool, without a gradient. Of no entries it is True; a NaN is not 0.
    Differs from PyTorch: uint8 gives bool too; axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.all([[True, True], [False, True]], axis=1)
    Tensor bool (2,): [ True False]
    """
    return x.all(axis=reduced("all", axis, x.shape), keepdims=keepdims)


@op("complex", public="count_nonzero")
def count_nonzero(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = how many entries are not 0, over the axes.

    int64, without a gradient; a NaN is not 0.

    >>> import minitensor as mt
    >>> mt.count_nonzero([[0, 1], [2, 3]], axis=1)
    Tensor int64 (2,): [1 2]
    """
    return _total(x != 0, reduced("count_nonzero", axis, x.shape), keepdims)
