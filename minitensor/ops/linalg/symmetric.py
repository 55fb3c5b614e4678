"""Cholesky's factor, eigenvalues and eigenvectors: of symmetric matrices, of which one triangle is read.

The gradient is taken among the symmetric matrices, as PyTorch's is: what arrives at the triangle that is read is shared
with the other one. `mirrored` is where that happens; the ops after it are plain functions of all entries.
"""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.elementwise import equal, where
from minitensor.ops.linalg.matmul import bmm, operands
from minitensor.ops.linalg.matrices import attempt, eye, hardly, module, rows_of_eye, square
from minitensor.ops.linalg.solving import solve_columns
from minitensor.ops.shaping.diagonal import tril

__all__ = ["cholesky", "cholesky_factor", "eigen", "eigh", "eigvalsh", "mirrored"]


@op("floating")
def mirrored(x: Array, upper: bool = False) -> Array:
    """y = the symmetric matrix with the lower (or upper) triangle of x; its gradient is that of symmetric matrices"""
    xp = namespace(x)
    low = xp.tril(x.mT if upper else x)
    return low + xp.tril(low, -1).mT


mirrored.vjp(x=lambda g: (g + g.mT) * 0.5)


def _half(x: Array) -> Array:
    """Return the symmetric part of a matrix."""
    return (x + x.mT) * 0.5


@op("floating")
def cholesky_factor(x: Array) -> Array:
    """L, lower triangular, with L Lᵀ = (x + xᵀ) / 2"""
    if not x.size:
        return x.copy()
    return attempt(
        x,
        lambda: namespace(x).linalg.cholesky(_half(x)),
        f"cholesky: a matrix of shape {tuple(x.shape)} is not positive definite: no L has L Lᵀ equal to it",
    )


def _cholesky_rule(g: Array, y: Array) -> Array:
    middle = tril(bmm(y.mT, g))
    middle = middle - middle * (0.5 * eye(y, y.shape[-1]))  # the diagonal is halved
    left = solve_columns(y.mT, middle)  # L⁻ᵀ Φ(Lᵀ g)
    return _half(solve_columns(y.mT, left.mT))


cholesky_factor.vjp(x=_cholesky_rule)


@composite(public="linalg.cholesky")
def cholesky(a: Array, upper: bool = False) -> Array:
    """L, lower triangular with a positive diagonal, such that L Lᵀ = a; or its transpose, if `upper`

    (..., n, n) -> (..., n, n). Only the lower (or upper) triangle of a is read, as one half of a symmetric matrix. With
    Φ the lower triangle with half of the diagonal, the gradient is the symmetric part of L⁻ᵀ Φ(Lᵀ g) L⁻¹. Integers give
    the default float, NaN gives NaN. Raises LinAlgError, a ValueError, for matrices that are not square, or not
    positive definite.
    Differs from NumPy: integers give float32. Differs from PyTorch: NaN is not refused.

    Murray (2016), Differentiation of the Cholesky decomposition, arXiv:1602.07527.

    >>> import minitensor as mt
    >>> mt.linalg.cholesky([[4.0, 2.0], [2.0, 2.0]])
    Tensor float32 (2, 2): [[2. 0.] [1. 1.]]
    """
    (a,) = operands(a)
    square("cholesky", a)
    y = cholesky_factor(mirrored(a, upper=upper))
    return y.mT if upper else y


@op("floating")
def eigen(x: Array) -> tuple[Array, Array]:
    """w, ascending, and v, orthogonal, with (x + xᵀ) / 2 = v diag(w) vᵀ"""
    if not x.size:
        return namespace(x).zeros(x.shape[:-1], dtype=x.dtype), rows_of_eye(x, x.shape[-1], x.shape[-1])
    return tuple(
        attempt(
            x, lambda: namespace(x).linalg.eigh(_half(x)), "eigh: LAPACK did not converge: does it hold NaN or inf?"
        )
    )


def _eigen_rule(g: Array, y: Array) -> Array:
    (gw, gv), (w, v) = g, y
    if not w.shape[-1] or 0 in w.shape:
        return bmm(v, v.mT) * 0
    total = None if gw is None else bmm(v * gw[..., None, :], v.mT)
    if gv is not None:
        n = bmm(v.mT, gv)  # (..., n, n)
        turned = bmm(bmm(v, n * _gaps(w, n)), v.mT)
        total = turned if total is None else total + turned
    return _half(total)


def _gaps(w: Array, n: Array) -> Array:
    """1 / (wⱼ - wᵢ), 0 on the diagonal; where both are equal, NaN, but 0 where n is 0: nothing asks how they turn."""
    apart = w[..., None, :] - w[..., :, None]
    near = hardly(apart, w)
    unit = module(w).eye(w.shape[-1], dtype=bool)
    return where(unit, 0.0, where(near, where(equal(n, 0), 0.0, math.nan), 1 / where(near, 1.0, apart)))


eigen.vjp(x=_eigen_rule)


def _triangle(name: str, a: Array, UPLO: str) -> Array:  # noqa: N803
    square(name, a)
    if UPLO not in ("L", "U", "l", "u"):
        raise ValueError(f"{name}: UPLO says which triangle is read, 'L' or 'U'; got {UPLO!r}")
    return mirrored(a, upper=UPLO in "Uu")


@composite
def eigh(a: Array, UPLO: str = "L") -> tuple[Array, Array]:  # noqa: N803
    """Eigenvalues w, ascending, and eigenvectors, the columns of v, of a symmetric a = v diag(w) vᵀ

    (..., n, n) -> (eigenvalues (..., n), eigenvectors (..., n, n)), a named tuple. Only the lower triangle of a is
    read, the upper one for UPLO "U". With F[i, j] = 1 / (wⱼ - wᵢ), and 0 for i = j, the gradient is the symmetric part
    of v (diag(gw) + F ∘ vᵀ gv) vᵀ. The sign of each column is not determined: a function of v must not depend on it.
    Where eigenvalues are equal (to 8 rounding errors of the largest) the columns are not determined: gradients through
    eigenvalues alone are right (of the first order), those through such columns are NaN. Integers give the default
    float; NaN gives NaN. Raises LinAlgError, a ValueError, for matrices that are not square.
    Differs from NumPy: integers give float32. Differs from PyTorch: nearly equal eigenvalues count as equal.

    Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 3.1.

    >>> import minitensor as mt
    >>> mt.linalg.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    Tensor float32 (2,): [1. 2.]
    """
    (a,) = operands(a)
    values, vectors = eigen(_triangle("eigh", a, UPLO))
    return values, vectors


@composite(public="linalg.eigvalsh")
def eigvalsh(a: Array, UPLO: str = "L") -> Array:  # noqa: N803
    """Eigenvalues, ascending, of a symmetric matrix

    (..., n, n) -> (..., n). As in `eigh`; the gradient v diag(g) vᵀ exists for equal eigenvalues too, if g is equal for
    them; its own gradient there is NaN.
    Differs from NumPy: integers give float32. Differs from PyTorch: nearly equal eigenvalues count as equal.

    >>> import minitensor as mt
    >>> mt.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]])
    Tensor float32 (2,): [1. 3.]
    """
    (a,) = operands(a)
    return eigen(_triangle("eigvalsh", a, UPLO))[0]
