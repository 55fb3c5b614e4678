"""Exponentials that are normalized over axes, shifted by the largest entry so that none overflows."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import exp
from minitensor.ops.reductions.axes import Axis, kept, length, reduced, wide
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.shaping.shape import reshape
from minitensor.sums import total

__all__ = ["log_normalized_exp", "log_softmax", "logsumexp", "normalized_exp", "softmax", "softmin"]


@op("floating", autocast="float32", public="logsumexp")
def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = ln Σ eˣ over the axes.

    Integers give the default float; half precision is summed in float32. Of no entries, or of -inf alone, it is -inf;
    there the gradient is NaN. NumPy has no such function (SciPy has). Differs from PyTorch: axis () is
    no axis, not all.

    >>> import minitensor as mt
    >>> mt.logsumexp([1000.0, 1000.0])
    Tensor float32 (): 1000.6932
    """
    xp, axes = namespace(x), reduced("logsumexp", axis, x.shape)
    shape = tuple([n for i, n in enumerate(x.shape) if i not in axes])
    if not length("logsumexp", axis, x.shape):
        return xp.full(kept("logsumexp", axis, x.shape) if keepdims else shape, -math.inf, dtype=x.dtype)
    if not x.size:
        return xp.zeros(kept("logsumexp", axis, x.shape) if keepdims else shape, x.dtype)
    v = wide(x)
    top = v.max(axis=axes, keepdims=True)
    shift = xp.where(xp.isfinite(top), top, math.nan)  # beside an infinite one nothing counts
    summed = total(xp.exp(v - shift), axes, keepdims=True)
    y = xp.where(xp.isfinite(top), xp.log(summed) + shift, top).astype(x.dtype, copy=False)
    return y if keepdims else y.reshape(shape)


def _logsumexp_rule(g: Array, x: Array, y: Array, axis: Axis) -> Array:
    shape = kept("logsumexp", axis, x.shape)
    return reshape(g, shape=shape) * exp(x - reshape(y, shape=shape))


logsumexp.vjp(x=_logsumexp_rule)


def _shifted(name: str, x: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
    """Return x less its largest entry, and the axes. If that is infinite all becomes NaN."""
    xp, v, axes = namespace(x), wide(x), reduced(name, axis, x.shape)
    if not x.size:
        return v, ()  # nothing is added up
    top = v.max(axis=axes, keepdims=True)
    return v - xp.where(xp.isfinite(top), top, math.nan), axes


@op("floating")
def normalized_exp(x: Array, axis: Axis = -1) -> Array:
    """yᵢ = e^(xᵢ) / Σⱼ e^(xⱼ) over the axes: the op of `softmax`, which says more.

    Differs from PyTorch: it has no public one; `softmax` is the same, and may run a kernel in its place.

    >>> import numpy as np
    >>> normalized_exp(np.zeros(2)).tolist()
    [0.5, 0.5]
    """
    d, axes = _shifted("softmax", x, axis)
    e = namespace(x).exp(d)
    return (e / total(e, axes, keepdims=True)).astype(x.dtype, copy=False)


normalized_exp.vjp(x=lambda g, y, axis: y * (g - sum(g * y, axis=axis, keepdims=True)))


@op("floating")
def log_normalized_exp(x: Array, axis: Axis = -1) -> Array:
    """yᵢ = xᵢ - ln Σⱼ e^(xⱼ) over the axes: the op of `log_softmax`, which says more.

    Differs from PyTorch: it has no public one; `log_softmax` is the same, and may run a kernel in its place.

    >>> import numpy as np
    >>> log_normalized_exp(np.array([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    xp = namespace(x)
    d, axes = _shifted("log_softmax", x, axis)
    return (d - xp.log(total(xp.exp(d), axes, keepdims=True))).astype(x.dtype, copy=False)


log_normalized_exp.vjp(x=lambda g, y, axis: g - exp(y) * sum(g, axis=axis, keepdims=True))


@composite(autocast="float32", public="softmax")
def softmax(x: Array, axis: Axis = -1) -> Array:
    """yᵢ = e^(xᵢ) / Σⱼ e^(xⱼ) over the axes.

    Any shape, the same out; integers give the default float. -inf gets 0; where all are -inf, or one is inf or NaN, all
    are NaN. NumPy has no such function (SciPy has).
    Differs from PyTorch: several axes may be named; integers are taken.

    >>> import minitensor as mt
    >>> mt.softmax([0.0, 0.0, 1000.0])
    Tensor float32 (3,): [0. 0. 1.]
    """
    return normalized_exp(x, axis=axis)


@composite(autocast="float32", public="log_softmax")
def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """yᵢ = xᵢ - ln Σⱼ e^(xⱼ) over the axes.

    Any shape, the same out; integers give the default float. Where all are -inf, or one is inf or NaN, all are NaN.
    NumPy has no such function (SciPy has).
    Differs from PyTorch: several axes may be named; integers are taken.

    >>> import minitensor as mt
    >>> mt.log_softmax([0.0, 0.0, 1000.0])
    Tensor float32 (3,): [-1000. -1000. 0.]
    """
    return log_normalized_exp(x, axis=axis)


@composite(public="softmin")
def softmin(x: Array, axis: Axis = -1) -> Array:
    """yᵢ = e^(-xᵢ) / Σⱼ e^(-xⱼ) over the axes: the softmax of -x, in which the smallest entry gets the most.

    Shapes, dtypes and edges as in `softmax`. NumPy has no such function. Differs from PyTorch: as `softmax` does.

    >>> import minitensor as mt
    >>> mt.softmin([0.0, 0.0, 1000.0])
    Tensor float32 (3,): [0.5 0.5 0. ]
    """
    return softmax(-1.0 * x, axis=axis)  # -x would wrap round for unsigned integers, and refuse bools
