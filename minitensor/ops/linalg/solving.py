"""Inverse matrices and linear systems."""

from __future__ import annotations

from operator import index as integer

from minitensor.backend import Array, checked, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise.rounding import nothing
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.linalg.matrices import LinAlgError, attempt, eye, floats, matrices, square
from minitensor.ops.shaping.diagonal import tril, triu
from minitensor.ops.shaping.shape import common_shape

__all__ = ["inv", "inverse", "matrix_power", "solve", "solve_columns", "solve_triangular"]


@op("floating", "complex")
def inverse(x: Array, instead: float | None = None) -> Array:
    """y = x⁻¹; for a singular matrix all entries are `instead`, or it raises LinAlgError if that is None"""
    n, xp = square("inv", x), namespace(x)
    if not x.size:
        return x.copy()
    try:
        with checked(x):
            return xp.linalg.inv(x)
    except LinAlgError:
        if instead is None:
            raise LinAlgError(
                f"inv: a matrix of shape {tuple(x.shape)} is singular: it has no inverse; pinv has one for it"
            ) from None
    singular = (xp.linalg.slogdet(x)[0] == 0)[..., None, None]
    y = xp.linalg.inv(xp.where(singular, xp.eye(n, dtype=x.dtype), x))
    return xp.where(singular, instead, y)


inverse.vjp(x=lambda g, y: -(y.mT @ g @ y.mT))


@composite("complex", public="linalg.inv")
def inv(a: Array) -> Array:
    """y = a⁻¹, with a y = y a = 1

    (..., n, n) -> (..., n, n). The gradient is -yᵀ g yᵀ. Integers give the default float. Raises LinAlgError, a
    ValueError, for matrices that are not square, or singular to the last bit.
    Differs from NumPy: integers give float32.

    Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2.2.3.

    >>> import minitensor as mt
    >>> mt.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
    Tensor float32 (2, 2): [[0.5 0. ] [0. 0.25]]
    """
    return inverse(a)


@op("broadcasts", "floating", "complex")
def solve_columns(a: Array, b: Array) -> Array:
    """y with a y = b, column by column: (..., n, n), (..., n, k) -> (..., n, k)"""
    xp = namespace(a, b)
    lead = common_shape("solve", [a.shape[:-2], b.shape[:-2]])
    a, b = xp.broadcast_to(a, (*lead, *a.shape[-2:])), xp.broadcast_to(b, (*lead, *b.shape[-2:]))
    if not a.size or not b.size:
        return xp.zeros(b.shape, dtype=b.dtype)
    return attempt(
        a, lambda: xp.linalg.solve(a, b), f"solve: a matrix of shape {tuple(a.shape)} is singular: use lstsq or pinv"
    )


def _solve_rule(g: Array, a: Array, y: Array) -> tuple[Array, Array]:
    gb = solve_columns(a.mT, g)  # (..., n, k)
    return -(gb @ y.mT), gb


solve_columns.vjp(("a", "b"), _solve_rule)


@composite("complex", public="linalg.solve")
def solve(a: Array, b: Array) -> Array:
    """y with a y = b, the solution of n linear equations in n unknowns

    (..., n, n) with (..., n, k) -> (..., n, k), leading axes broadcast; or with one vector (n,) -> (..., n). With
    h = a⁻ᵀ g the gradients are h for b and -h yᵀ for a. Integers give the default float. Raises LinAlgError, a
    ValueError, for matrices that are not square, or singular to the last bit; ValueError for other
    shapes.
    Differs from NumPy: integers give float32. Differs from PyTorch: only a b of one axis is a vector; pass several as
    b[..., None].

    Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2.3.1.

    >>> import minitensor as mt
    >>> mt.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    Tensor float32 (2,): [1. 0.5]
    """
    a, b = operands(a, b)
    return _solve("solve", a, b)


def _solve(name: str, a: Array, b: Array) -> Array:
    n = square(name, a)
    vector = len(b.shape) == 1
    right = b[:, None] if vector else b
    if not b.shape or right.shape[-2] != n:
        raise ValueError(f"{name}: {n} equations need a right side (..., {n}, k) or ({n},); got shape {tuple(b.shape)}")
    common_shape(name, [a.shape[:-2], right.shape[:-2]])
    y = solve_columns(a, right)
    return y[..., 0] if vector else y


@composite("complex", public="linalg.solve_triangular")
def solve_triangular(a: Array, b: Array, upper: bool = False, left: bool = True, unitriangular: bool = False) -> Array:
    """y with t y = b, or y t = b unless `left`, where t is the lower (or upper) triangle of a

    (..., n, n) with (..., n, k) -> (..., n, k), or (..., k, n) unless `left`; leading axes broadcast. The other
    triangle of a is not read, and has gradient 0; with `unitriangular` the diagonal counts as ones, too. Raises
    LinAlgError, a ValueError, for matrices that are not square and for a 0 on the diagonal.
    Differs from NumPy: not there. Differs from PyTorch: `upper` need not be given; a 0 on the diagonal raises.

    >>> import minitensor as mt
    >>> mt.linalg.solve_triangular([[2.0, 9.0], [1.0, 1.0]], [[2.0], [3.0]])
    Tensor float32 (2, 1): [[1.] [2.]]
    """
    a, b = operands(a, b)
    n = square("solve_triangular", a)
    matrices("solve_triangular", b)
    cut = triu if upper else tril
    t = cut(a, k=(1 if upper else -1)) + eye(floats(a), n) if unitriangular else cut(a)
    return _solve("solve_triangular", t, b) if left else _solve("solve_triangular", t.mT, b.mT).mT


@composite("complex", public="linalg.matrix_power")
def matrix_power(a: Array, n: int) -> Array:
    """y = a a ... a, n factors, by repeated squaring; the unit matrix for n = 0, of the inverse for n < 0

    (..., k, k) -> (..., k, k). Integers stay integers for n >= 0. Raises LinAlgError, a ValueError, for matrices that
    are not square, and for singular ones if n < 0; TypeError if n is not an integer.
    Differs from NumPy: integers with n < 0 give float32. Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.linalg.matrix_power([[1, 1], [0, 1]], 5)
    Tensor int64 (2, 2): [[1 5] [0 1]]
    """
    k = square("matrix_power", a)
    if not hasattr(n, "__index__"):
        raise TypeError(f"matrix_power: n is a whole number of factors; got {n!r}")
    n = integer(n)
    if n < 0:
        a, n = inverse(a), -n
    y: Array = None
    while n:
        if n & 1:
            y = a if y is None else bmm(y, a)
        n >>= 1
        a = bmm(a, a) if n else a
    if y is None:
        return nothing(a) + eye(a, k)
    return y + nothing(a) if y is a else y  # a copy
