"""Norms of vectors and matrices, and of all entries, as `numpy.linalg.norm` names them."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import abs, astype, conj, equal, real, sqrt, where
from minitensor.ops.linalg.matrices import matrices
from minitensor.ops.linalg.singular import svdvals
from minitensor.ops.reductions.axes import Axis, reduced
from minitensor.ops.reductions.reduce import max, min, sum
from minitensor.ops.shaping.shape import moveaxis, reshape
from minitensor.promotion import default_float, refuse_complex

__all__ = ["matrix_norm", "norm", "vector_norm"]


@op
def present(x: Array) -> Array:
    """y = 1 where x is not 0, else 0; the gradient is 0 everywhere."""
    return (x != 0).astype(x.dtype)


present.vjp(x=lambda g: g * 0.0)


def _root(s: Array, root: Array) -> Array:
    """Return the root of a sum that may be 0, where the gradient is 0."""
    flat = equal(s, 0)
    return where(flat, 0.0, root(where(flat, 1.0, s)))


def _power(x: Array, p: float, axis: Axis, keepdims: bool) -> Array:
    """(Σ |x|ᵖ)^(1/p); an entry that is 0 has gradient 0, whatever p is."""
    gone = equal(x, 0)
    powers = where(gone, 0.0 if p > 0 else math.inf, abs(where(gone, 1.0, x)) ** p)
    return _root(sum(powers, axis=axis, keepdims=keepdims), lambda s: s ** (1 / p))


def _vector(x: Array, order: float | str | None, axis: Axis, keepdims: bool) -> Array:
    if order in (None, 2):
        squares = real(x * conj(x)) if x.dtype.kind == "c" else x * x
        return _root(sum(squares, axis=axis, keepdims=keepdims), sqrt)
    x = abs(x) if x.dtype.kind == "c" else x
    if isinstance(order, str) or order != order:
        raise ValueError(f"norm: a vector has norms of order inf, -inf, 0 or any number; got {order!r}")
    if order == math.inf:
        return max(abs(x), axis=axis, keepdims=keepdims)
    if order == -math.inf:
        return min(abs(x), axis=axis, keepdims=keepdims)
    if order == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    if order == 0:
        return sum(present(x), axis=axis, keepdims=keepdims)
    return _power(x, order, axis, keepdims)


def _of_singular_values(x: Array, order: float | str | None, axes: tuple[int, ...], keepdims: bool) -> Array:
    if x.dtype.kind == "c":
        refuse_complex(f"norm of order {order!r}", x.dtype)
    values = svdvals(moveaxis(x, source=axes, destination=(-2, -1)))  # (..., k)
    if order == "nuc" or (order == 2 and not values.shape[-1]):
        y = sum(values, axis=-1)
    else:
        y = (max if order == 2 else min)(values, axis=-1)
    return reshape(y, shape=[1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else y


def _matrix(x: Array, order: float | str | None, axes: tuple[int, ...], keepdims: bool) -> Array:
    if order in (None, "fro"):
        return _vector(x, 2, axes, keepdims)
    if order in (2, -2, "nuc"):
        return _of_singular_values(x, order, axes, keepdims)
    if order not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"norm: a matrix has norms 'fro', 'nuc', 1, -1, 2, -2, inf and -inf; got {order!r}")
    row, column = axes
    sums = sum(abs(x), axis=row if order in (1, -1) else column, keepdims=True)
    return (max if order > 0 else min)(sums, axis=axes, keepdims=keepdims)  # one of the axes has length 1 by now


@composite("complex", public="norm linalg.norm")
def norm(x: Array, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = (Σ |x|ᵖ)^(1/p) for a vector and p = ord, √(Σ x²) if it is None.

    inf is the largest |x|, -inf the smallest, 0 how many are not 0. Of a matrix (two axes), "fro" is √(Σ x²), 1 the
    largest sum of a column, inf of a row, -1 and -inf the smallest; "nuc" is the sum of the singular values, 2 the
    largest, -2 the smallest. axis None is all entries if ord is None, else the one or two axes of x. The gradient at 0
    is 0 (of singular values, U Vh); where several are largest they share it. Integers give the default float.
    ValueError for another order or number of axes, and for the largest of no entries.
    Differs from NumPy: of no entries there is no inf norm.

    >>> import minitensor as mt
    >>> mt.norm([3.0, 4.0]), mt.norm([3.0, -4.0], 1), mt.norm([[1.0, 2.0], [3.0, 4.0]], float("inf"))
    (Tensor float32 (): 5., Tensor float32 (): 7., Tensor float32 (): 7.)
    """
    x = astype(x, dtype=default_float) if x.dtype.kind in "biu" else x
    if axis is None and (ord is None or len(x.shape) < 2):
        return _vector(x, ord, None, keepdims)
    axes = reduced("norm", axis, x.shape)
    if len(axes) > 2:
        raise ValueError(
            f"norm: a norm runs over one axis or two; got {len(axes)} of shape {x.shape}: name them by axis"
        )
    return _matrix(x, ord, axes, keepdims) if len(axes) == 2 else _vector(x, ord, axes, keepdims)


@composite("complex", public="linalg.vector_norm")
def vector_norm(x: Array, axis: Axis = None, keepdims: bool = False, ord: float | None = 2) -> Array:
    """y = (Σ |x|ᵖ)^(1/p), p = ord, of the vectors along an axis, or of all entries along several

    axis None is all axes. Orders, edges and errors as in `norm`.
    Differs from NumPy: of no entries there is no inf norm.

    >>> import minitensor as mt
    >>> mt.linalg.vector_norm([[3.0, 4.0], [0.0, 0.0]], axis=1)
    Tensor float32 (2,): [5. 0.]
    """
    x = astype(x, dtype=default_float) if x.dtype.kind in "biu" else x
    return _vector(x, ord, axis, keepdims)


@composite("complex", public="linalg.matrix_norm")
def matrix_norm(x: Array, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """y = the norm of the matrices in the last two axes: "fro", "nuc", 1, -1, 2, -2, inf or -inf

    (..., n, m) -> (...), or (..., 1, 1) with keepdims. Orders, edges and errors as in `norm`.
    Differs from NumPy: of no entries there is no inf norm. Differs from PyTorch: it is always the last two axes.

    >>> import minitensor as mt
    >>> mt.linalg.matrix_norm([[3.0, 0.0], [0.0, 4.0]], ord="nuc")
    Tensor float32 (): 7.
    """
    matrices("matrix_norm", x)
    x = astype(x, dtype=default_float) if x.dtype.kind in "biu" else x
    return _matrix(x, ord, (len(x.shape) - 2, len(x.shape) - 1), keepdims)
