"""What occurs and how often: distinct entries, counts of integers and of intervals, places that are not 0."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, is_array, namespace, to_numpy
from minitensor.op import op
from minitensor.ops.indexing.index import take_along_axis
from minitensor.promotion import default_float

__all__ = ["bincount", "histogram", "nonzero", "unique"]


@op("complex", public="nonzero")
def nonzero(x: Array) -> tuple[Array, ...]:
    """y = the places of the entries that are not 0, one array of indices per axis: x[nonzero(x)] reads them.

    (...) -> one (n,) per axis, int64, without a gradient, in the order of the rows. A NaN is not 0. A number has no
    axis to count along: ValueError.
    Differs from PyTorch: what `as_tuple=True` gives there.

    >>> import minitensor as mt
    >>> mt.nonzero([[0, 5], [7, 0]])
    (Tensor int64 (2,): [0 1], Tensor int64 (2,): [1 0])
    """
    if not x.ndim:
        raise ValueError("nonzero: a number has no axis to name a place on: use x.reshape(1)")
    return tuple(x.nonzero())


@op(public="unique")
def unique(
    x: Array, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False
) -> Array | tuple[Array, ...]:
    """y = the distinct entries in ascending order; on request, where each is first, which one each entry is, how often.

    (...) -> (n,), (n,), (...), (n,), without a gradient. All NaN count as one.
    Differs from NumPy: no axis, equal_nan and sorted. Differs from PyTorch, where each NaN is one of its own:
    `return_index`; no dim.

    >>> import minitensor as mt
    >>> mt.unique([3, 1, 3], return_counts=True)
    (Tensor int64 (2,): [1 3], Tensor int64 (2,): [1 2])
    """
    flags = (return_index, return_inverse, return_counts)
    found = namespace(x).unique(x, *flags)
    if not any(flags):
        return found
    found = list(found)
    if return_inverse:
        at = 1 + return_index
        found[at] = found[at].reshape(x.shape)
    return tuple(found)


@op
def bincount(x: Array, weights: Array = None, minlength: int = 0) -> Array:
    """yₖ = how many entries of x are k, or the sum of their weights.

    (n,), (n,) -> (max(x + 1, minlength),). x are integers from 0 up. Counts are int64; sums have the dtype of the
    weights, integer weights give the default float. Weights have a gradient. Else ValueError or TypeError.
    Differs from NumPy: sums are not always float64. Differs from PyTorch: weights have a gradient.

    >>> import minitensor as mt
    >>> mt.bincount([0, 2, 2]), mt.bincount([0, 2, 2], [0.5, 1.0, 2.0])
    (Tensor int64 (3,): [1 0 2], Tensor float32 (3,): [0.5 0. 3. ])
    """
    if x.ndim != 1 or (x.dtype.kind not in "iu" and x.size):
        raise TypeError(f"bincount: x are integers along one axis; these are {x.dtype} of shape {x.shape}")
    if operator.index(minlength) < 0:
        raise ValueError(f"bincount: minlength is not negative; got {minlength}")
    if x.size and int(x.min()) < 0:
        raise ValueError(f"bincount: entries of x are counted from 0; the smallest is {int(x.min())}")
    xp = namespace(x)
    if weights is None:
        return xp.bincount(x.astype("int64"), minlength=minlength)
    if weights.shape != x.shape:
        raise ValueError(f"bincount: each entry has a weight; x has shape {x.shape}, weights {weights.shape}")
    dtype = weights.dtype if weights.dtype.kind not in "biu" else default_float
    return xp.bincount(x.astype("int64"), weights, minlength=minlength).astype(dtype, copy=False)


bincount.vjp(weights=lambda g, x: take_along_axis(g, x, axis=0))


@op(public="histogram")
def histogram(
    x: Array,
    bins: int | Sequence[float] | str = 10,
    range: tuple[float, float] | None = None,
    density: bool = False,
) -> tuple[Array, Array]:
    """(y, edges): yₖ = how many entries lie in [edgesₖ, edgesₖ₊₁); the last interval holds its upper edge too.

    (...) -> (bins,), (bins + 1,), without a gradient. `bins` equal intervals over `range`, from the smallest to the
    largest entry if none is given; or the edges themselves; or the name of a rule that chooses them ("auto", "fd",
    "sturges", ..., those of NumPy). Counts are int64; density divides by their sum and by the
    widths. An infinite range, bins that do not ascend: ValueError.
    Differs from NumPy: no weights; integers give float32 edges. Differs from PyTorch: counts are integers.

    >>> import minitensor as mt
    >>> mt.histogram([0.0, 0.1, 0.9, 1.0], 2)
    (Tensor int64 (2,): [2 2], Tensor float32 (3,): [0. 0.5 1. ])
    """
    xp = namespace(x)
    dtype = x.dtype if x.dtype.kind == "f" else default_float
    x = x.astype("uint8") if x.dtype.kind == "b" else x
    into: Array = bins  # what CuPy takes as NumPy does
    if isinstance(bins, str):
        into = bins if xp is np else xp.asarray(np.histogram_bin_edges(to_numpy(x), bins, range))
    elif not hasattr(bins, "__index__") or (is_array(bins) and into.ndim):
        into = xp.asarray(bins, dtype=None if is_array(bins) else dtype)
        dtype = into.dtype if into.dtype.kind == "f" else dtype
    else:
        if operator.index(into) < 1:
            raise ValueError(f"histogram: bins is a number from 1 up, or the edges; got {bins}")
        range = range or ((float(x.min()), float(x.max())) if x.size else (0.0, 1.0))
        if not (math.isfinite(range[0]) and math.isfinite(range[1]) and range[0] <= range[1]):
            raise ValueError(
                f"histogram: range is finite and ascends; got {range}: choose one, or sort out NaN and inf"
            )
    y, edges = xp.histogram(x, bins=into, range=range)
    y = y.astype("int64", copy=False)
    if density:
        y = (y / (edges[1:] - edges[:-1]) / y.sum()).astype(dtype, copy=False)
    return y, edges.astype(dtype, copy=False)
