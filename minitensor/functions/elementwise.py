"""Functions of each entry whose arguments are not in the order of their ops."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.ops import elementwise as el
from minitensor.ops.elementwise import gamma
from minitensor.ops.reductions import counting
from minitensor.ops.reductions import reduce as red
from minitensor.promotion import default_complex, default_float
from minitensor.tensor import Tensor

__all__ = ["allclose", "polygamma", "where"]


@says(el.where)
def where(condition: ArrayLike, a: ArrayLike | None = None, b: ArrayLike | None = None) -> Any:  # noqa: D103
    condition = tensor(condition)
    if a is None and b is None:
        return counting.nonzero(condition)
    if a is None or b is None:
        raise TypeError("where takes a condition alone, or a condition and two operands")
    y = el.where(condition, a, b)
    numbers = not any(hasattr(x, "dtype") or isinstance(x, (list, tuple)) for x in (a, b))
    default = {"f": default_float, "c": default_complex}.get(y.dtype.kind)
    return y.astype(default) if numbers and default is not None else y


def allclose(a: ArrayLike, b: ArrayLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether every entry of a is close to its counterpart in b: |a - b| <= atol + rtol |b|.

    A Python bool; see `isclose`. On a GPU it waits for the device. Nothing is close to nothing: empty operands give
    True. Raises ValueError for a negative tolerance, or if the shapes do not broadcast.
    Differs from PyTorch: two dtypes may meet.

    >>> allclose([1.0, 2.0], [1.0, 2.0 + 1e-7])
    True
    """
    return bool(red.all(el.isclose(tensor(a), b, rtol, atol, equal_nan)))


@says(gamma.polygamma)
def polygamma(n: int, x: ArrayLike) -> Tensor:  # noqa: D103
    return gamma.polygamma(tensor(x), n=n)
