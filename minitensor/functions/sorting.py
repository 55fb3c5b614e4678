"""Counts of labels, and places in a sorted row."""

from __future__ import annotations

from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.ops.indexing import sorting as order
from minitensor.ops.reductions import counting
from minitensor.tensor import Tensor

__all__ = ["bincount", "searchsorted"]


@says(counting.bincount)
def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor:  # noqa: D103
    return counting.bincount(tensor(x), weights, minlength=minlength)


@says(order.searchsorted)
def searchsorted(x: ArrayLike, v: ArrayLike, side: str = "left") -> Tensor:  # noqa: D103
    return order.searchsorted(tensor(x), v, side=side)
