"""Windows over the last axes. What each does stands at its op."""

from typing import Any

from minitensor.functions.operands import tensor
from minitensor.ops import windows
from minitensor.tensor import Tensor

__all__ = [
    "fold", "unfold",
]  # fmt: skip


def unfold(
    x: Any, size: tuple[int, ...], stride: tuple[int, ...] | None = None, dilation: tuple[int, ...] | None = None
) -> Tensor:
    """Return the windows over the last axes, (..., *lengths) -> (..., *size, *counts); the defaults are 1."""
    ones = (1,) * len(size)
    return windows.unfold(tensor(x), size=size, stride=stride or ones, dilation=dilation or ones)  # type: ignore[no-any-return]


def fold(
    x: Any, lengths: tuple[int, ...], stride: tuple[int, ...] | None = None, dilation: tuple[int, ...] | None = None
) -> Tensor:
    """Return windows added back where they were read: the adjoint of `unfold`."""
    ones = (1,) * len(lengths)
    return windows.fold(tensor(x), lengths=lengths, stride=stride or ones, dilation=dilation or ones)  # type: ignore[no-any-return]
