"""Order and counts, under NumPy's names. What each does stands at its op."""

from typing import Any

from minitensor.functions.operands import public
from minitensor.ops import counting
from minitensor.ops import sorting as order

__all__ = [
    "argsort", "bincount", "histogram", "kthvalue", "nonzero", "searchsorted", "sort", "topk", "unique",
]  # fmt: skip

argsort = public(order.argsort)
bincount = public(counting.bincount)
histogram: Any = public(counting.histogram)
kthvalue: Any = public(order.kthvalue)
nonzero: Any = public(counting.nonzero)
searchsorted = public(order.searchsorted)
sort = public(order.sort)
topk: Any = public(order.topk)
unique: Any = public(counting.unique)
