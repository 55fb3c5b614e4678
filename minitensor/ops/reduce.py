"""Reductions and scans over any axes. `axis` is None (all), an integer or a tuple, as in NumPy."""

from __future__ import annotations

import math
from typing import Any

from minitensor.backend import is_half, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import astype, equal, exp, sqrt, where
from minitensor.ops.order import flip
from minitensor.ops.shape import broadcast_to, reshape

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "softmax",
    "std",
    "sum",
    "var",
]

Array = Any
Axis = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the reduced axes as non-negative numbers."""
    axes = tuple(range(ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple([a % ndim for a in axes])


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return the shape with 1 on the reduced axes, in which a result broadcasts against its argument."""
    axes = _axes(axis, len(shape))
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


@op
def sum(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x over the axes; half precision is summed in float32."""
    if is_half(x.dtype):
        return x.sum(axis=axis, keepdims=keepdims, dtype="float32").astype(x.dtype)
    return x.sum(axis=axis, keepdims=keepdims)


sum.vjp(x=lambda g, x_shape, axis: broadcast_to(reshape(g, shape=_kept(x_shape, axis)), shape=x_shape))


@composite
def mean(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x / n over the axes"""
    return sum(x, axis=axis, keepdims=keepdims) / math.prod([x.shape[a] for a in _axes(axis, len(x.shape))])


def _share_extreme(g: Any, x: Any, y: Any, axis: Axis) -> Any:
    kept = _kept(x.shape, axis)
    hit = astype(equal(x, reshape(y, shape=kept)), dtype=g.dtype)
    return reshape(g, shape=kept) * (hit / sum(hit, axis=axis, keepdims=True))


@op
def max(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = the largest entry along the axes; ties share the gradient equally."""
    return x.max(axis=axis, keepdims=keepdims)


max.vjp(x=_share_extreme)


@op
def min(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = the smallest entry along the axes; ties share the gradient equally."""
    return x.min(axis=axis, keepdims=keepdims)


min.vjp(x=_share_extreme)


@composite
def var(x: Array, *, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """y = Σ (x - mean)² / (n - correction) over the axes (correction 0 as in NumPy; 1 is unbiased)"""
    n = math.prod([x.shape[a] for a in _axes(axis, len(x.shape))])
    d = x - mean(x, axis=axis, keepdims=True)
    return sum(d * d, axis=axis, keepdims=keepdims) / (n - correction)


@composite
def std(x: Array, *, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """y = √var; the gradient of a constant's standard deviation is 0."""
    v = var(x, axis=axis, correction=correction, keepdims=keepdims)
    flat = equal(v, 0)
    return where(flat, 0.0, sqrt(where(flat, 1.0, v)))


@op(floating=True)
def logsumexp(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = ln Σ eˣ over the axes, shifted by the maximum so that nothing overflows"""
    xp = namespace(x)
    top = x.max(axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    y = xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.reshape(x.max(axis=axis).shape)


def _logsumexp_rule(g: Any, x: Any, y: Any, axis: Axis) -> Any:
    kept = _kept(x.shape, axis)
    return reshape(g, shape=kept) * exp(x - reshape(y, shape=kept))


logsumexp.vjp(x=_logsumexp_rule)


@op(floating=True)
def softmax(x: Array, *, axis: int = -1) -> Array:
    """yᵢ = e^(xᵢ) / Σⱼ e^(xⱼ) along one axis"""
    e = namespace(x).exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


softmax.vjp(x=lambda g, y, axis: y * (g - sum(g * y, axis=axis, keepdims=True)))


@op(floating=True)
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """yᵢ = xᵢ - ln Σⱼ e^(xⱼ) along one axis"""
    xp = namespace(x)
    d = x - x.max(axis=axis, keepdims=True)
    return d - xp.log(xp.exp(d).sum(axis=axis, keepdims=True))


log_softmax.vjp(x=lambda g, y, axis: g - exp(y) * sum(g, axis=axis, keepdims=True))


@op
def cumsum(x: Array, *, axis: int) -> Array:
    """yᵢ = Σ_{j ≤ i} xⱼ along one axis"""
    return x.cumsum(axis=axis)


cumsum.vjp(x=lambda g, axis: flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis))


@op
def argmax(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """y = where the largest entry stands (the first, if there are several); without a gradient"""
    return x.argmax(axis=axis, keepdims=keepdims)


@op
def argmin(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """y = where the smallest entry stands (the first, if there are several); without a gradient"""
    return x.argmin(axis=axis, keepdims=keepdims)


@op
def any(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = whether some entry is true; without a gradient"""
    return x.any(axis=axis, keepdims=keepdims)


@op
def all(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = whether every entry is true; without a gradient"""
    return x.all(axis=axis, keepdims=keepdims)
