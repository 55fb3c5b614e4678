"""Decompositions, which return named tuples, and what `mt.linalg` takes of the last two axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.functions.shape import outer
from minitensor.ops.linalg import (
    determinant,
    least_squares,
    orthogonal,
    products,
    singular,
    symmetric,
)
from minitensor.ops.shaping import diagonal as dg
from minitensor.ops.shaping import shape as sh
from minitensor.tensor import Tensor

__all__ = [
    "LinAlgError",
    "diagonal",
    "eigh",
    "lstsq",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "qr",
    "slogdet",
    "svd",
    "trace",
]


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    x: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@says(symmetric.eigh)
def eigh(a: ArrayLike, UPLO: str = "L") -> EighResult:  # noqa: D103, N803
    return EighResult(*symmetric.eigh(tensor(a), UPLO=UPLO))


@says(least_squares.lstsq)
def lstsq(a: ArrayLike, b: ArrayLike, rcond: float | None = None) -> LstsqResult:  # noqa: D103
    return LstsqResult(*least_squares.lstsq(tensor(a), b, rcond=rcond))


@says(products.multi_dot)
def multi_dot(arrays: Sequence[ArrayLike]) -> Tensor:  # noqa: D103
    y: Tensor = products.multi_dot(*map(tensor, arrays))
    return y


@says(orthogonal.qr)
def qr(a: ArrayLike, mode: str = "reduced") -> Any:  # noqa: D103
    result: Any = orthogonal.qr(tensor(a), mode=mode)
    return QRResult(*result) if type(result) is tuple else result


@says(determinant.slogdet)
def slogdet(a: ArrayLike) -> SlogdetResult:  # noqa: D103
    return SlogdetResult(*determinant.slogdet(tensor(a)))


@says(singular.svd)
def svd(a: ArrayLike, full_matrices: bool = True) -> SVDResult:  # noqa: D103
    return SVDResult(*singular.svd(tensor(a), full_matrices=full_matrices))


def diagonal(x: ArrayLike, offset: int = 0) -> Tensor:
    """y[..., i] = x[..., i, i + offset]: the diagonals of matrices

    (..., n, m) -> (..., length of the diagonal), a read-only view. offset > 0 lies above, < 0 below. Raises ValueError
    for fewer than two axes.
    Differs from PyTorch: the axes are the last two, as in its linalg.

    >>> import minitensor as mt
    >>> mt.linalg.diagonal([[1, 2], [3, 4]])
    Tensor int64 (2,): [1 4]
    """
    y: Tensor = dg.diagonal(tensor(x), offset=offset, axis1=-2, axis2=-1)
    return y


def trace(x: ArrayLike, offset: int = 0) -> Tensor:
    """y = Σᵢ x[..., i, i + offset]: the sum along the diagonal of each matrix

    (..., n, m) -> (...). Whole numbers and bools add up in int64. Raises ValueError for fewer than two axes.
    Differs from NumPy: no dtype. Differs from PyTorch: there it takes a matrix only.

    >>> import minitensor as mt
    >>> mt.linalg.trace([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]])
    Tensor float32 (2,): [5. 2.]
    """
    y: Tensor = dg.trace(tensor(x), offset=offset, axis1=-2, axis2=-1)
    return y


def matrix_transpose(x: ArrayLike) -> Tensor:
    """y[..., i, j] = x[..., j, i]: the last two axes change places

    (..., n, m) -> (..., m, n), a view. Raises ValueError for fewer than two axes.
    Differs from PyTorch: there it is x.mT.

    >>> import minitensor as mt
    >>> mt.linalg.matrix_transpose([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[1 3] [2 4]]
    """
    x = tensor(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose takes matrices, (..., n, m); got shape {x.shape}")
    y: Tensor = sh.swapaxes(x, axis1=-2, axis2=-1)
    return y
