"""Matrices without an inverse: the pseudo-inverse, least squares, the rank."""

from __future__ import annotations

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import astype, equal, greater, logical_and, not_equal, square
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.linalg.matrices import attempt, floats, matrices
from minitensor.ops.linalg.matrices import square as order
from minitensor.ops.linalg.singular import svdvals
from minitensor.ops.linalg.symmetric import mirrored
from minitensor.ops.reductions.reduce import all, any, sum
from minitensor.ops.shaping.shape import common_shape, ravel

__all__ = ["lstsq", "matrix_rank", "pinv", "pseudo_inverse"]


def _part(x: Array, rtol: float | None) -> float:
    """Return below which part of the largest singular value one counts as 0."""
    n, m = x.shape[-2:]
    return (n if n > m else m) * float(np.finfo(x.dtype).eps) if rtol is None else float(rtol)


@op("floating")
def pseudo_inverse(x: Array, rtol: float | None = None) -> Array:
    """y = V diag(1 / S) Uᵀ, without the singular values up to rtol times the largest"""
    xp = namespace(x)
    if not x.size:
        return xp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), dtype=x.dtype)
    u, s, vh = attempt(
        x,
        lambda: xp.linalg.svd(x, full_matrices=False),
        "pinv: LAPACK found no singular values: does a matrix hold NaN or inf?",
    )
    kept = s > _part(x, rtol) * s[..., :1]
    inverted = xp.where(kept, 1 / xp.where(kept, s, 1.0), 0.0).astype(x.dtype, copy=False)
    return (vh.mT * inverted[..., None, :]) @ u.mT


def _pseudo_inverse_rule(g: Array, x: Array, y: Array) -> Array:
    left = bmm(bmm(g.mT, y), y.mT)  # gᵀ y yᵀ, (..., n, m)
    right = bmm(y.mT, bmm(y, g.mT))  # yᵀ y gᵀ, (..., n, m)
    return left - bmm(x, bmm(y, left)) + right - bmm(bmm(right, y), x) - bmm(bmm(y.mT, g), y.mT)


pseudo_inverse.vjp(x=_pseudo_inverse_rule)


@composite(public="linalg.pinv")
def pinv(a: Array, rcond: float | None = None, hermitian: bool = False, rtol: float | None = None) -> Array:
    """y = a⁺, the pseudo-inverse: a⁻¹ if there is one, else what gives the shortest y b of least |a y b - b|

    (..., n, m) -> (..., m, n). Singular values up to rcond (or rtol, another name) times the largest count as 0; unless
    given, max(n, m) rounding errors. With `hermitian` only the lower triangle is read. The gradient is
    (1 - a y) gᵀ y yᵀ + yᵀ y gᵀ (1 - y a) - yᵀ g yᵀ, right as long as the rank stays the same. Integers give the default
    float. Raises LinAlgError, a ValueError, for fewer than two axes, and for NaN and inf (on a GPU: NaN).
    Differs from NumPy: its rcond is 1e-15 unless given; one number for all matrices. Differs from PyTorch: no atol.

    Golub and Pereyra (1973), The differentiation of pseudo-inverses and nonlinear least squares problems.

    >>> import minitensor as mt
    >>> mt.linalg.pinv([[2.0, 0.0], [0.0, 0.0]])
    Tensor float32 (2, 2): [[0.5 0. ] [0. 0. ]]
    """
    (a,) = operands(a)
    matrices("pinv", a)
    if hermitian:
        order("pinv", a)
        a = mirrored(a)
    return pseudo_inverse(a, rtol=rcond if rtol is None else rtol)


@composite(public="linalg.matrix_rank")
def matrix_rank(
    A: Array,  # noqa: N803
    tol: float | None = None,
    hermitian: bool = False,
    rtol: float | None = None,
) -> Array:
    """How many singular values are above tol, and above rtol times the largest; without a gradient

    (..., n, m) -> (...), int64; a vector or a number has rank 1 unless it is 0. Unless one is given, rtol is max(n, m)
    rounding errors. With `hermitian` only the lower triangle is read. Raises LinAlgError for NaN and inf.
    Differs from NumPy: one tol for all matrices; tol and rtol may both be given. Differs from PyTorch: tol is called
    atol there, and one of 0 counts as given.

    >>> import minitensor as mt
    >>> mt.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]])
    Tensor int64 (): 1
    """
    (A,) = operands(A)  # noqa: N806
    if len(A.shape) < 2:
        return astype(any(not_equal(A, 0)), dtype="int64")
    if hermitian:
        order("matrix_rank", A)
        A = mirrored(A)  # noqa: N806
    s = svdvals(floats(A))
    above = greater(s, 0.0 if tol is None else tol)
    if tol is None or rtol is not None:
        above = logical_and(above, greater(s, s[..., :1] * _part(floats(A), rtol)))
    return sum(above, axis=-1)


@composite
def lstsq(a: Array, b: Array, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """x of the least |a x - b|², and of those the shortest: x = a⁺ b

    (..., n, m) with (..., n, k) -> (x (..., m, k), residuals, rank (...), singular_values (...)), leading axes
    broadcast; or with one vector (n,). residuals are the sums |a x - b|² (..., k), or (1,) of a vector, but (0,) unless
    n > m and each rank is m. Singular values up to rcond times the largest count as 0; unless given, max(n, m)
    rounding errors. The gradient is right as long as the rank stays the same. Integers give the default float. Raises
    ValueError for shapes that do not fit, LinAlgError for fewer than two axes, NaN and inf.
    Differs from NumPy: many matrices at once. Differs from PyTorch: no driver; the rank is always given.

    >>> import minitensor as mt
    >>> mt.linalg.lstsq([[1.0], [1.0]], [1.0, 3.0]).x
    Tensor float32 (1,): [2.]
    """
    a, b = operands(a, b)
    a, b = floats(a), floats(b)
    n, m = matrices("lstsq", a)
    vector = len(b.shape) == 1
    right = b[:, None] if vector else b
    if not b.shape or right.shape[-2] != n:
        raise ValueError(f"lstsq: {n} equations need a right side (..., {n}, k) or ({n},); got shape {tuple(b.shape)}")
    common_shape("lstsq", [a.shape[:-2], right.shape[:-2]])
    rtol = None if rcond is None or rcond < 0 else rcond
    x = bmm(pseudo_inverse(a, rtol=rtol), right)
    rank = matrix_rank(a, rtol=rtol)
    if n > m and bool(all(equal(rank, m))):
        residuals = sum(square(bmm(a, x) - right), axis=-2)
    else:
        residuals = ravel(x)[:0]
    return x[..., 0] if vector else x, residuals, rank, svdvals(a)
