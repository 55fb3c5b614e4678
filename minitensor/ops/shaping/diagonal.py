"""Diagonals and triangles of matrices."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.shaping.shape import axes_of

__all__ = ["diag", "diagonal", "put_diagonal", "trace", "tril", "triu"]


def _plane(name: str, x: Array, axis1: int, axis2: int) -> tuple[int, int]:
    if len(x.shape) < 2:
        raise ValueError(f"{name} takes two axes or more; got shape {tuple(x.shape)}")
    (a,), (b,) = axes_of(name, axis1, len(x.shape)), axes_of(name, axis2, len(x.shape))
    if a == b:
        raise ValueError(f"{name}: a diagonal runs through two different axes; got {axis1} and {axis2}")
    return a, b


@op("view", public="diagonal")
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """y[..., i] = x[..., i, ..., i + offset, ...] through two axes, which leave; the diagonal is the last axis

    A read-only view. offset > 0 lies above, < 0 below; outside the matrix the diagonal is empty. Raises ValueError for
    fewer than two axes or twice the same, IndexError for an axis that is not there.
    Differs from PyTorch: there the axes are called dim1 and dim2.

    >>> import minitensor as mt
    >>> mt.diagonal([[1, 2], [3, 4]], 1)
    Tensor int64 (1,): [2]
    """
    a, b = _plane("diagonal", x, axis1, axis2)
    return x.diagonal(offset, a, b)


@op("complex")
def put_diagonal(x: Array, shape: tuple[int, ...], offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """y = zeros of the shape with x on that diagonal: the adjoint of `diagonal`"""
    xp = namespace(x)
    y = xp.zeros(shape, x.dtype)
    i = xp.arange(x.shape[-1])
    xp.moveaxis(y, (axis1, axis2), (-2, -1))[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return y


diagonal.vjp(
    x=lambda g, x_shape, offset, axis1, axis2: put_diagonal(g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2)
)
put_diagonal.vjp(x=lambda g, offset, axis1, axis2: diagonal(g, offset=offset, axis1=axis1, axis2=axis2))


@composite("moves", public="diag")
def diag(x: Array, k: int = 0) -> Array:
    """y = the k-th diagonal of a matrix; or the matrix of zeros with a vector on its k-th diagonal

    (n, m) -> (length of the diagonal,), a view; (n,) -> (n + |k|, n + |k|). Raises ValueError for other shapes.

    >>> import minitensor as mt
    >>> mt.diag([1, 2]), mt.diag([[1, 2], [3, 4]])
    (Tensor int64 (2, 2): [[1 0] [0 2]], Tensor int64 (2,): [1 4])
    """
    if len(x.shape) not in (1, 2):
        raise ValueError(f"diag takes a vector or a matrix; got shape {tuple(x.shape)}")
    if len(x.shape) == 2:
        return diagonal(x, offset=k)
    n = x.shape[0] + abs(k)
    return put_diagonal(x, shape=(n, n), offset=k)


@composite("complex", public="trace")
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """y = Σᵢ x[..., i, ..., i + offset, ...]: the sum along a diagonal through two axes, which leave

    (..., n, m) -> (...). Whole numbers and bools add up in int64. Raises ValueError for fewer than two axes or twice
    the same, IndexError for an axis that is not there.
    Differs from NumPy: no dtype. Differs from PyTorch: there it takes a matrix only.

    >>> import minitensor as mt
    >>> mt.trace([[1.0, 2.0], [3.0, 4.0]])
    Tensor float32 (): 5.
    """
    a, b = _plane("trace", x, axis1, axis2)
    return sum(diagonal(x, offset=offset, axis1=a, axis2=b), axis=-1)


def _matrices(name: str, x: Array) -> Array:
    if x.ndim < 2:
        raise ValueError(f"{name} takes matrices, (..., n, m); got shape {tuple(x.shape)}")
    return namespace(x)


@op("complex", public="tril")
def tril(x: Array, k: int = 0) -> Array:
    """y[..., i, j] = x[..., i, j] where j <= i + k, else 0: the lower triangle

    (..., n, m) -> the same. Raises ValueError for fewer than two axes.
    Differs from NumPy: there a vector becomes a matrix. Differs from PyTorch: k is called diagonal there.

    >>> import minitensor as mt
    >>> mt.tril([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[1 0] [3 4]]
    """
    return _matrices("tril", x).tril(x, k)


@op("complex", public="triu")
def triu(x: Array, k: int = 0) -> Array:
    """y[..., i, j] = x[..., i, j] where j >= i + k, else 0: the upper triangle

    (..., n, m) -> the same. Raises ValueError for fewer than two axes.
    Differs from NumPy: there a vector becomes a matrix. Differs from PyTorch: k is called diagonal there.

    >>> import minitensor as mt
    >>> mt.triu([[1, 2], [3, 4]], 1)
    Tensor int64 (2, 2): [[0 2] [0 0]]
    """
    return _matrices("triu", x).triu(x, k)


tril.vjp(x=lambda g, k: tril(g, k=k))
triu.vjp(x=lambda g, k: triu(g, k=k))
