"""Products of every entry with every entry, and differences of neighbors."""

from __future__ import annotations

from operator import index as integer

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.ops.elementwise import astype, not_equal
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.shape import axes_of, broadcast_to, ravel, reshape

__all__ = ["diff", "kron", "outer"]


@composite("complex")
def outer(a: Array, b: Array) -> Array:
    """y[i, j] = aᵢ bⱼ

    (n,), (m,) -> (n, m); other shapes are read as one row.
    Differs from PyTorch: there vectors only.

    >>> import minitensor as mt
    >>> mt.outer([1, 2], [3, 4])
    Tensor int64 (2, 2): [[3 4] [6 8]]
    """
    return ravel(a)[:, None] * ravel(b)[None, :]


@composite("complex")
def kron(a: Array, b: Array) -> Array:
    """y = b scaled by each entry of a, in blocks: y[i p + k, j q + l] = a[i, j] b[k, l], b (p, q); Kronecker's product

    (n, m), (p, q) -> (n p, m q), and so for any number of axes; the shorter shape is filled with leading ones.

    >>> import minitensor as mt
    >>> mt.kron([1, 10], [1, 2])
    Tensor int64 (4,): [ 1 2 10 20]
    """
    ndim = max(len(a.shape), len(b.shape))
    n, m = ((1,) * (ndim - len(x.shape)) + tuple(x.shape) for x in (a, b))
    blocks = reshape(a, shape=[k for i in n for k in (i, 1)]) * reshape(b, shape=[k for i in m for k in (1, i)])
    return reshape(blocks, shape=[i * j for i, j in zip(n, m, strict=True)])


@composite("complex")
def diff(x: Array, prepend: Array | None = None, append: Array | None = None, n: int = 1, axis: int = -1) -> Array:
    """y[..., i, ...] = x[..., i + 1, ...] - x[..., i, ...] along an axis, n times over; for bools, whether they differ

    (..., k, ...) -> (..., max(k - n, 0), ...), after `prepend` and `append`, numbers or arrays, were joined on. Raises
    ValueError for a number without axes or n < 0, IndexError for an axis that is not there.
    Differs from PyTorch: the axis is called dim there.

    >>> import minitensor as mt
    >>> mt.diff([1, 2, 4, 7]).tolist(), mt.diff([1, 2, 4, 7], 2).tolist()
    ([1, 2, 3], [1, 1])
    """
    if not x.shape:
        raise ValueError("diff takes one axis or more; got a number")
    if integer(n) < 0:
        raise ValueError(f"diff: differences are taken 0 times or more; got {n}")
    (axis,) = axes_of("diff", axis, len(x.shape))
    if n and not (prepend is None and append is None):
        ends = [e if e is None else _end(e, x, axis) for e in (prepend, append)]
        x = concatenate(*[e for e in (ends[0], x, ends[1]) if e is not None], axis=axis)
    if not n:
        return concatenate(x, axis=axis)  # a copy, as the others are
    before = (slice(None),) * axis
    for _ in range(n):
        later, earlier = x[(*before, slice(1, None))], x[(*before, slice(0, -1))]
        x = not_equal(later, earlier) if x.dtype.kind == "b" else later - earlier
    return x


def _end(value: Array, x: Array, axis: int) -> Array:
    """Return a number as one slice of x's shape; an array as it is."""
    if not (isinstance(value, Variable) or is_array(value)):
        array = np.asarray(value)
        value = namespace(x.data if isinstance(x, Variable) else x).asarray(
            array if array.ndim else astype(array, dtype=x.dtype)
        )
    return value if value.shape else broadcast_to(value, shape=(*x.shape[:axis], 1, *x.shape[axis + 1 :]))
