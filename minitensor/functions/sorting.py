"""Order and counts, under NumPy's names. What each does stands at its op."""

from typing import Any

from minitensor.functions.operands import public, several, tensor
from minitensor.ops.indexing import sorting as order
from minitensor.ops.reductions import counting
from minitensor.tensor import Tensor

__all__ = [
    "argsort", "bincount", "histogram", "kthvalue", "nonzero", "searchsorted", "sort", "topk", "unique",
]  # fmt: skip

argsort = public(order.argsort)
histogram = several(counting.histogram)
kthvalue = several(order.kthvalue)
nonzero = several(counting.nonzero)
sort = public(order.sort)
topk = several(order.topk)
unique: Any = public(counting.unique)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """Count labels."""  # its op says it in full, below
    return counting.bincount(tensor(x), weights, minlength=minlength)


def searchsorted(x: Any, v: Any, side: str = "left") -> Tensor:
    """Find places."""
    return order.searchsorted(tensor(x), v, side=side)


bincount.__doc__, searchsorted.__doc__ = counting.bincount.__doc__, order.searchsorted.__doc__
