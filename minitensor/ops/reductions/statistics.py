"""How entries are spread: variance, median, quantiles. `axis` is None (all), an integer or a tuple, as in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, namespace, to_numpy
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.elementwise import astype, equal, not_equal, where
from minitensor.ops.indexing.index import take
from minitensor.ops.indexing.sorting import sort
from minitensor.ops.reductions.axes import Axis, kept, length, reduced, wide
from minitensor.ops.reductions.reduce import count_nonzero, max, mean, min, sum
from minitensor.ops.shaping.shape import moveaxis, reshape, transpose
from minitensor.promotion import default_float
from minitensor.sums import total

__all__ = ["median", "nanmean", "nansum", "ptp", "quantile", "std", "var"]


def _variance(x: Array, axes: tuple[int, ...], correction: float, keepdims: bool) -> Array:
    """Return the variance, of half precision in float32, without a warning where it is not a number."""
    xp, v = namespace(x), wide(x)
    n = math.prod([x.shape[a] for a in axes])
    if not n:
        return v.sum(axis=axes, keepdims=keepdims) * math.nan
    d = v - total(v, axes, keepdims=True) / n
    squares = total(d * d, axes, keepdims)
    if n > correction:
        return squares / (n - correction)
    return xp.where(squares > 0, math.inf, math.nan).astype(v.dtype, copy=False)  # what x / 0 is


@op("floating", autocast="float32", public="var")
def var(x: Array, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """y = Σ (x - mean)² / (n - correction) over the axes; correction 1 makes it unbiased.

    Bools and integers give the default float; half precision is computed in float32. Where correction >= n it is inf,
    or NaN if all entries are equal, and of no entries NaN: without a warning.
    Differs from NumPy: no warning; `ddof` is called correction, as in the array API; no dtype and `mean`. Differs from
    PyTorch: correction is 0 unless given; integers are taken; axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.var([1.0, 2.0, 3.0, 4.0]), mt.var([1.0, 2.0, 3.0], correction=1)
    (Tensor float32 (): 1.25, Tensor float32 (): 1.)
    """
    return _variance(x, reduced("var", axis, x.shape), correction, keepdims).astype(x.dtype, copy=False)


def _var_rule(g: Array, x: Array, axis: Axis, correction: float) -> Array:
    n = length("var", axis, x.shape)
    d = x - mean(x, axis=axis, keepdims=True)
    g = reshape(g, shape=kept("var", axis, x.shape))
    if n > correction or (n < correction and axis is not None and x.shape):
        return g * (d * (2 / (n - correction)))
    still = equal(d, 0)  # elsewhere the variance is infinite, and so is its slope
    slope = g * where(still, 0.0, d if axis is not None and x.shape else 1.0)
    gone = equal(slope, 0)
    return where(gone, math.nan, where(gone, 1.0, slope) * math.inf)


var.vjp(x=_var_rule)


@op("floating", autocast="float32", public="std")
def std(x: Array, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """y = √(Σ (x - mean)² / (n - correction)) over the axes; correction 1 is the usual estimate from a sample.

    Edges and dtypes as in `var`. The gradient is 0 where all entries are equal.
    Differs from NumPy and PyTorch: as `var` does.

    >>> import minitensor as mt
    >>> mt.std([1.0, 2.0, 3.0], correction=1)
    Tensor float32 (): 1.
    """
    v = _variance(x, reduced("std", axis, x.shape), correction, keepdims)
    return namespace(x).sqrt(v).astype(x.dtype, copy=False)


def _std_rule(g: Array, x: Array, y: Array, axis: Axis, correction: float) -> Array:
    flat = equal(y, 0)
    half = where(flat, 0.0, g / where(flat, 1.0, 2 * y))
    return _var_rule(half, x, axis, correction)


std.vjp(x=_std_rule)


@composite(public="ptp")
def ptp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = max x - min x over the axes ("peak to peak").

    NaN, ties and no entries as in `max`. PyTorch has no such function.

    >>> import minitensor as mt
    >>> mt.ptp([3.0, -1.0, 2.0])
    Tensor float32 (): 4.
    """
    return max(x, axis=axis, keepdims=keepdims) - min(x, axis=axis, keepdims=keepdims)


# -- as if NaN were not there ----------------------------------------------------------------------------------------


@op(public="nansum")
def nansum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x over the axes, of the entries that are not NaN.

    Of none it is 0. Dtypes as in `sum`. The gradient of a NaN is 0.
    Differs from NumPy: as `sum` does. Differs from PyTorch: axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.nansum([1.0, float("nan"), 2.0])
    Tensor float32 (): 3.
    """
    return sum(namespace(x).where(x == x, x, 0).astype(x.dtype, copy=False), axis=axis, keepdims=keepdims)


nansum.vjp(x=lambda g, x, axis: reshape(g, shape=kept("nansum", axis, x.shape)) * astype(equal(x, x), dtype=g.dtype))


@composite(public="nanmean")
def nanmean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = Σ x / n over the axes, of the n entries that are not NaN.

    Of none it is NaN, without a warning. Bools and integers give the default float. The gradient of a NaN is 0, but NaN
    where there is nothing else. Differs from NumPy: no warning, no dtype. Differs from PyTorch: integers are taken;
    axis () is no axis, not all.

    >>> import minitensor as mt
    >>> mt.nanmean([1.0, float("nan"), 2.0])
    Tensor float32 (): 1.5
    """
    n = count_nonzero(equal(x, x), axis=axis, keepdims=keepdims)
    none = equal(n, 0)
    y = nansum(x, axis=axis, keepdims=keepdims) / (n + none)
    return y * astype(where(none, math.nan, 1.0), dtype=y.dtype)


# -- by rank ---------------------------------------------------------------------------------------------------------


def _rank(method: str, q: float, n: int) -> tuple[int, int, float]:
    """Return between which two ranks the quantile lies, and the share of the second.

    A rank that is met exactly is the mean of itself with itself, so that inf · 0 does not come in.
    """
    place = q * (n - 1)
    low, high = math.floor(place), math.ceil(place)
    if method == "nearest":
        low = high = round(place)
    elif method == "lower":
        high = low
    elif method == "higher":
        low = high
    return low, high, place - low if low != high and method == "linear" else 0.5


def _at_ranks(x: Array, axis: Axis, keepdims: bool, name: str, q: Array, method: str) -> Array:
    """Sort the reduced axes as one lane and read it at each q, whose axes come first in the result."""
    axes = reduced(name, axis, x.shape)
    rest = tuple([i for i in range(len(x.shape)) if i not in axes])
    n = length(name, axis, x.shape)
    out = kept(name, axis, x.shape) if keepdims else tuple([x.shape[i] for i in rest])
    lanes = reshape(transpose(x, axes=(*rest, *axes)), shape=(*[x.shape[i] for i in rest], n))  # (..., n)
    lanes = sort(lanes, axis=-1)
    ranks = [_rank(method, v, n) for v in q.ravel().tolist()]
    xp = namespace(x.data if isinstance(x, Variable) else x)
    share = xp.asarray(np.array([r[2] for r in ranks]), dtype=x.dtype)  # (q,)
    last = lanes[..., -1:]
    spoilt = not_equal(last, last)  # NaN sorts last
    low, high = (where(spoilt, last, take(lanes, [r[k] for r in ranks], axis=-1)) for k in (0, 1))
    y = low * (1 - share) + high * share  # (..., q)
    return reshape(moveaxis(y, source=-1, destination=0), shape=(*q.shape, *out))


def _floats(x: Array) -> Array:
    return astype(x, dtype=default_float) if x.dtype.kind in "biu" else x


@composite(public="median")
def median(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = the middle entry over the axes in sorted order; of an even number, the mean of the two in the middle.

    A NaN among them gives NaN, and no entries give NaN, without a warning. Bools and integers give the default float.
    The gradient goes to the entries read; of equal ones, to those that come first.
    Differs from NumPy: no warning, no overwrite_input. Differs from PyTorch: its median is the lower of the two in the
    middle; this is its `quantile(0.5)`.

    >>> import minitensor as mt
    >>> mt.median([3.0, 1.0, 2.0, 10.0])
    Tensor float32 (): 2.5
    """
    x = _floats(x)
    if not length("median", axis, x.shape) or not math.prod(x.shape):
        return sum(x, axis=axis, keepdims=keepdims) * math.nan
    return _at_ranks(x, axis, keepdims, "median", np.array(0.5), "midpoint")


@composite(public="quantile")
def quantile(
    x: Array, q: float | Sequence[float], axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """y = the entry at the share q of the way through the sorted entries over the axes, q in [0, 1].

    The axes of q come first in the result. Between two entries, method "linear" interpolates, "midpoint" is their mean,
    "lower", "higher" and "nearest" choose one. A NaN among them gives NaN. Bools and integers give the default float.
    The gradient goes to the entries read; q has none. Of no entries, or for another q or method: ValueError.
    Differs from NumPy: these five methods; no overwrite_input and weights; the entry beside an inf is no NaN. Differs
    from PyTorch: `interpolation` is called method, several axes may be named, and likewise for inf.

    >>> import minitensor as mt
    >>> mt.quantile([4.0, 1.0, 2.0, 3.0], [0.5, 1.0])
    Tensor float32 (2,): [2.5 4. ]
    """
    if method not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"quantile: method is linear, lower, higher, midpoint or nearest; got {method!r}")
    shares = np.asarray(to_numpy(q.data) if isinstance(q, Variable) else q, float)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"quantile: every q is a share of the way, from 0 to 1; got {shares.tolist()}")
    if not length("quantile", axis, x.shape):
        raise ValueError(f"quantile: there is no entry along axis {axis} of shape {x.shape}")
    return _at_ranks(_floats(x), axis, keepdims, "quantile", shares, method)
