"""Functions that read and write at places: NumPy's by `axis`, PyTorch's by `dim`. What each does stands at its op."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.ops.indexing import gather as gt
from minitensor.ops.indexing import index as ix
from minitensor.ops.indexing import scatter as sc
from minitensor.ops.indexing import scatter_reduce as sr
from minitensor.tensor import Tensor

__all__ = [
    "gather",
    "index_add",
    "index_put",
    "index_select",
    "masked_fill",
    "masked_select",
    "put",
    "put_along_axis",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "take",
    "take_along_axis",
    "tril_indices",
    "triu_indices",
]


@says(ix.take)
def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Tensor:  # noqa: D103
    return ix.take(tensor(x), indices, axis=axis)


@says(ix.take_along_axis)
def take_along_axis(x: ArrayLike, indices: ArrayLike, axis: int | None = -1) -> Tensor:  # noqa: D103
    return ix.take_along_axis(tensor(x), indices, axis=axis)


@says(sc.put)
def put(x: ArrayLike, indices: ArrayLike, values: ArrayLike) -> Tensor:  # noqa: D103
    return sc.put(tensor(x), indices, values)


@says(sc.put_along_axis)
def put_along_axis(x: ArrayLike, indices: ArrayLike, values: ArrayLike, axis: int | None) -> Tensor:  # noqa: D103
    return sc.put_along_axis(tensor(x), indices, values, axis=axis)


@says(sc.masked_fill)
def masked_fill(x: ArrayLike, mask: ArrayLike, value: ArrayLike) -> Tensor:  # noqa: D103
    return sc.masked_fill(tensor(x), mask, value)


@says(ix.masked_select)
def masked_select(x: ArrayLike, mask: ArrayLike) -> Tensor:  # noqa: D103
    return ix.masked_select(tensor(x), mask)


@says(gt.gather)
def gather(x: ArrayLike, dim: int, index: ArrayLike) -> Tensor:  # noqa: D103
    return gt.gather(tensor(x), index, dim=dim)


@says(gt.index_select)
def index_select(x: ArrayLike, dim: int, index: ArrayLike) -> Tensor:  # noqa: D103
    return gt.index_select(tensor(x), index, dim=dim)


@says(sc.scatter)
def scatter(x: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike, reduce: str | None = None) -> Tensor:  # noqa: D103
    if reduce is None:
        return sc.scatter(tensor(x), index, src, dim=dim)
    if reduce not in ("add", "multiply"):
        raise ValueError(f"scatter: reduce is None, 'add' or 'multiply'; got {reduce!r}: see scatter_reduce")
    word = "sum" if reduce == "add" else "prod"
    return sr.scatter_reduce(tensor(x), index, src, dim=dim, reduce=word)


@says(sc.scatter_add)
def scatter_add(x: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor:  # noqa: D103
    return sc.scatter_add(tensor(x), index, src, dim=dim)


@says(sr.scatter_reduce)
def scatter_reduce(  # noqa: D103
    x: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike, reduce: str, include_self: bool = True
) -> Tensor:
    return sr.scatter_reduce(tensor(x), index, src, dim=dim, reduce=reduce, include_self=include_self)


@says(sc.index_add)
def index_add(x: ArrayLike, dim: int, index: ArrayLike, source: ArrayLike, alpha: float = 1) -> Tensor:  # noqa: D103
    return sc.index_add(tensor(x), index, source, dim=dim, alpha=alpha)


@says(sc.index_put)
def index_put(x: ArrayLike, indices: ArrayLike, values: ArrayLike, accumulate: bool = False) -> Tensor:  # noqa: D103
    return sc.index_put(tensor(x), values, indices=indices, accumulate=accumulate)


def _triangle(pair: tuple[Any, Any], device: str) -> tuple[Tensor, Tensor]:
    return Tensor(pair[0].astype(np.int64), device=device), Tensor(pair[1].astype(np.int64), device=device)


def tril_indices(n: int, k: int = 0, m: int | None = None, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Return i and j with j <= i + k: where the lower triangle of an (n, m) matrix stands, as two index vectors.

    m is n unless given; int64. `x[mt.tril_indices(n)]` reads the triangle, row by row.
    Differs from PyTorch: there (n, m, k), as one Tensor of two rows.

    >>> import minitensor as mt
    >>> mt.tril_indices(2)
    (Tensor int64 (3,): [0 1 1], Tensor int64 (3,): [0 0 1])
    """
    return _triangle(np.tril_indices(n, k, m), device)


def triu_indices(n: int, k: int = 0, m: int | None = None, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Return i and j with j >= i + k: where the upper triangle of an (n, m) matrix stands, as two index vectors.

    m is n unless given; int64. `x[mt.triu_indices(n)]` reads the triangle, row by row.
    Differs from PyTorch: there (n, m, k), as one Tensor of two rows.

    >>> import minitensor as mt
    >>> mt.triu_indices(2, 1)
    (Tensor int64 (1,): [0], Tensor int64 (1,): [1])
    """
    return _triangle(np.triu_indices(n, k, m), device)
