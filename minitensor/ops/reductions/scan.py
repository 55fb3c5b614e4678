"""Scans: what has come together along an axis so far. `axis` is an integer; None runs through all entries in a row."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.elementwise import equal, exp, where
from minitensor.ops.indexing.index import take_along_axis
from minitensor.ops.reductions.axes import accumulator, along, wide
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.order import flip
from minitensor.ops.shaping.shape import reshape
from minitensor.sums import FEW, WIDER

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp", "shifted"]

LN_2 = 0.6931471805599453


def _same(x: Array) -> Array:
    """Return the dtype of what x adds up to."""
    return "int64" if x.dtype.kind in "biu" else x.dtype


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def shifted(x: Array, axis: int, first: float) -> Array:
    """Return x one place later along the axis, after a `first` entry."""
    shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    ones = namespace(x.data if isinstance(x, Variable) else x).full(shape, first, dtype=x.dtype)
    return concatenate(ones, _part(x, axis, None, -1), axis=axis)


def _recurrence(a: Array, u: Array, axis: int) -> Array:
    """hᵢ = aᵢ hᵢ₋₁ + uᵢ along the axis, h₀ = u₀, in log₂ n steps: each joins two neighboring stretches into one."""
    step, n = 1, u.shape[axis]
    while step < n:
        late, early = _part(a, axis, step, None), _part(u, axis, None, -step)
        u = concatenate(_part(u, axis, None, step), _part(u, axis, step, None) + late * early, axis=axis)
        a = concatenate(_part(a, axis, None, step), late * _part(a, axis, None, -step), axis=axis)
        step *= 2
    return u


@op("complex", autocast="float32", public="cumsum")
def cumsum(x: Array, axis: int | None = None) -> Array:
    """yᵢ = Σ_{j ≤ i} xⱼ along one axis.

    Any shape, the same out; axis None runs through all entries in a row and gives shape (size,). Bools and integers
    give int64; half precision is summed in float32.
    Differs from NumPy: a 0-d array with axis 0 stays 0-d; unsigned integers give int64; no dtype. Differs from PyTorch:
    axis may be None.

    >>> import minitensor as mt
    >>> mt.cumsum([1.0, 2.0, 3.0])
    Tensor float32 (3,): [1. 3. 6.]
    """
    shape, at, out = along("cumsum", axis, x.shape)
    wider = WIDER.get(x.dtype.char) if x.size > FEW else None  # it adds one by one: errors grow
    y = x.reshape(shape).cumsum(axis=at, dtype=wider or accumulator(x.dtype))
    return y.astype(_same(x), copy=False).reshape(out)


def _cumsum_rule(g: Array, x_shape: tuple[int, ...], axis: int | None) -> Array:
    shape, at, _ = along("cumsum", axis, x_shape)
    return reshape(flip(cumsum(flip(reshape(g, shape=shape), axis=at), axis=at), axis=at), shape=x_shape)


cumsum.vjp(x=_cumsum_rule)


@op("complex", public="cumprod")
def cumprod(x: Array, axis: int | None = None) -> Array:
    """yᵢ = Π_{j ≤ i} xⱼ along one axis.

    Any shape, the same out; axis None runs through all entries in a row and gives shape (size,). Bools and integers
    give int64. The gradients divide by nothing, so zeros among the entries are right at every order.
    Differs from NumPy: a 0-d array with axis 0 stays 0-d; unsigned integers give int64; no dtype. Differs from PyTorch:
    axis may be None; an infinite entry that no infinity follows has a finite gradient, not NaN.

    >>> import minitensor as mt
    >>> mt.cumprod([1.0, 2.0, 3.0])
    Tensor float32 (3,): [1. 2. 6.]
    """
    shape, at, out = along("cumprod", axis, x.shape)
    return x.reshape(shape).cumprod(axis=at, dtype=accumulator(x.dtype)).astype(_same(x), copy=False).reshape(out)


def _cumprod_rule(g: Array, x: Array, y: Array, axis: int | None) -> Array:
    # dxₖ = (Π_{j<k} xⱼ) Sₖ with Sₖ = Σ_{i≥k} gᵢ Π_{k<j≤i} xⱼ = gₖ + xₖ₊₁ Sₖ₊₁, a recurrence from the end
    shape, at, _ = along("cumprod", axis, x.shape)
    if not shape[at]:
        return reshape(g, shape=x.shape)
    factors = shifted(flip(reshape(x, shape=shape), axis=at), at, 0.0)
    after = flip(_recurrence(factors, flip(reshape(g, shape=shape), axis=at), at), axis=at)
    return reshape(shifted(reshape(y, shape=shape), at, 1.0) * after, shape=x.shape)


cumprod.vjp(x=_cumprod_rule)


@op("floating", public="logcumsumexp")
def logcumsumexp(x: Array, axis: int | None = None) -> Array:
    """yᵢ = ln Σ_{j ≤ i} e^(xⱼ) along one axis, without overflow.

    Any shape, the same out; axis None runs through all entries in a row and gives shape (size,). Integers give the
    default float. As long as only -inf has come, y is -inf and the gradient of those entries NaN.
    Differs from NumPy, which has only `logaddexp.accumulate`: axis None. Differs from PyTorch: axis may be None.

    >>> import minitensor as mt
    >>> mt.logcumsumexp([0.0, 0.0, 0.0])
    Tensor float32 (3,): [0. 0.6931 1.0986]
    """
    xp = namespace(x)
    shape, at, out = along("logcumsumexp", axis, x.shape)
    y, step = wide(x).reshape(shape), 1
    while step < shape[at]:
        late, early = _part(y, at, step, None), _part(y, at, None, -step)
        both = xp.where(late == early, late + LN_2, xp.logaddexp(late, early))  # CuPy's makes NaN of two infinities
        y = xp.concatenate((_part(y, at, None, step), both), axis=at)
        step *= 2
    return y.astype(x.dtype).reshape(out)


def _logcumsumexp_rule(g: Array, x: Array, y: Array, axis: int | None) -> Array:
    # dxₖ = Σ_{i≥k} gᵢ e^(xₖ - yᵢ) = e^(xₖ - yₖ) Sₖ with Sₖ = gₖ + e^(yₖ - yₖ₊₁) Sₖ₊₁: no factor is above 1
    shape, at, _ = along("logcumsumexp", axis, x.shape)
    if not shape[at]:
        return reshape(g, shape=x.shape)
    lanes = flip(reshape(y, shape=shape), axis=at)
    before = concatenate(_part(lanes, at, None, 1), _part(lanes, at, None, -1), axis=at)
    level = equal(lanes, before)  # of two infinities, too: inf - inf would spoil all that stands before
    fall = where(level, 0.0, where(level, 0.0, lanes) - where(level, 0.0, before))
    after = flip(_recurrence(exp(fall), flip(reshape(g, shape=shape), axis=at), at), axis=at)
    return exp(x - reshape(y, shape=x.shape)) * reshape(after, shape=x.shape)


logcumsumexp.vjp(x=_logcumsumexp_rule)


@op
def leader(x: Array, axis: int, smallest: bool) -> Array:
    """y = where the largest (smallest) entry so far stands: the latest of equal ones; a NaN leads from where it is"""
    xp = namespace(x)
    best = x
    y = xp.broadcast_to(xp.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)]), x.shape)
    step = 1
    while step < x.shape[axis]:
        old, new = _part(best, axis, None, -step), _part(best, axis, step, None)
        leads = ((new <= old) if smallest else (new >= old)) | (new != new)
        best = xp.concatenate((_part(best, axis, None, step), xp.where(leads, new, old)), axis=axis)
        later = xp.where(leads, _part(y, axis, step, None), _part(y, axis, None, -step))
        y = xp.concatenate((_part(y, axis, None, step), later), axis=axis)
        step *= 2
    return y + 0


def _leading(name: str, x: Array, axis: int | None, smallest: bool) -> tuple[Array, Array]:
    shape, at, out = along(name, axis, x.shape)
    lanes = reshape(x, shape=shape)
    index = leader(lanes, axis=at, smallest=smallest)
    return reshape(take_along_axis(lanes, index, axis=at), shape=out), reshape(index, shape=out)


@composite("moves", public="cummax")
def cummax(x: Array, axis: int | None = None) -> tuple[Array, Array]:
    """(y, index): yᵢ = max_{j ≤ i} xⱼ along one axis, and where that entry stands.

    Any shape, both the same; axis None runs through all entries in a row. Of equal entries the latest counts and gets
    the gradient; after a NaN all is NaN.
    Differs from NumPy, where `maximum.accumulate` gives the values alone. Differs from PyTorch: axis may be None.

    >>> import minitensor as mt
    >>> mt.cummax([1, 3, 2])
    (Tensor int64 (3,): [1 3 3], Tensor int64 (3,): [0 1 1])
    """
    return _leading("cummax", x, axis, False)


@composite("moves", public="cummin")
def cummin(x: Array, axis: int | None = None) -> tuple[Array, Array]:
    """(y, index): yᵢ = min_{j ≤ i} xⱼ along one axis, and where that entry stands.

    Any shape, both the same; axis None runs through all entries in a row. Of equal entries the latest counts and gets
    the gradient; after a NaN all is NaN.
    Differs from NumPy, where `minimum.accumulate` gives the values alone. Differs from PyTorch: axis may be None.

    >>> import minitensor as mt
    >>> mt.cummin([3, 1, 2])
    (Tensor int64 (3,): [3 1 1], Tensor int64 (3,): [0 1 1])
    """
    return _leading("cummin", x, axis, True)
