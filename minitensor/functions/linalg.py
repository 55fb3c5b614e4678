"""`mt.linalg`: linear algebra, under `numpy.linalg`'s names. What each does stands at its op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitensor.functions.operands import public, tensor
from minitensor.functions.products import matmul, tensordot, vecdot
from minitensor.functions.shape import outer
from minitensor.ops import products
from minitensor.tensor import Tensor

__all__ = ["cross", "matmul", "multi_dot", "outer", "tensordot", "vecdot"]

cross = public(products.cross)


def multi_dot(arrays: Sequence[Any]) -> Tensor:  # noqa: D103
    y: Tensor = products.multi_dot(*map(tensor, arrays))
    return y


multi_dot.__doc__, multi_dot.__module__ = products.multi_dot.__doc__, "minitensor"
