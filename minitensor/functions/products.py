"""Covariance and the Einstein sum: the arguments are not in the order of their ops."""

from __future__ import annotations

from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.ops.linalg import covariance
from minitensor.ops.linalg import matmul as linalg
from minitensor.tensor import Tensor

__all__ = ["corrcoef", "cov", "einsum"]


@says(covariance.cov)
def cov(  # noqa: D103
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
    *,
    correction: int | None = None,
) -> Tensor:
    if ddof is not None and correction is not None:
        raise TypeError("cov: ddof and correction are two names for one thing: give one")
    ddof = correction if ddof is None else ddof
    c: Tensor = covariance.cov(tensor(m), y, fweights, aweights, rowvar=rowvar, bias=bias, ddof=ddof)
    return c


@says(covariance.corrcoef)
def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True) -> Tensor:  # noqa: D103
    r: Tensor = covariance.corrcoef(tensor(x), y, rowvar=rowvar)
    return r


def einsum(subscripts: str, *xs: ArrayLike) -> Tensor:
    """y = Σ of the products of the operands' entries over all letters that are not in the result, Einstein's sum.

    Letters, "..." and repeated letters (diagonals), such as "ij,jk->ik"; axes of length 1 broadcast. Raises ValueError
    if a letter stands for two lengths, or the result names one that no operand has.
    Differs from NumPy and PyTorch: no list of axes in place of the letters, no `optimize`: the order is chosen here.

    >>> import minitensor as mt
    >>> mt.einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor float32 (2,): [3. 7.]
    """
    operands, subscripts = linalg.without_ones([tensor(x) for x in xs], subscripts)
    y: Tensor = linalg.einsum(*operands, subscripts=subscripts)
    return y
