"""Windows over the last axes. What each does stands at its op."""

from __future__ import annotations

from numpy.typing import ArrayLike

from minitensor.functions.operands import says, tensor
from minitensor.graph import describe
from minitensor.ops.windows import sliding
from minitensor.ops.windows.sliding import PerAxis, each
from minitensor.tensor import Tensor

__all__ = ["fold", "unfold"]


def _axes(name: str, x: Tensor, setting: str, value: PerAxis, axes_per_entry: int) -> tuple[int, ...]:
    """Return the setting that says over how many last axes the windows slide."""
    n = 1 if hasattr(value, "__index__") else len(value)
    if not 1 <= n * axes_per_entry <= len(x.shape):
        raise ValueError(f"{name}: {setting} is for 1 axis or more of x, which is {describe(x)}; got {value}")
    return each(name, setting, value, n)


@says(sliding.unfold)
def unfold(x: ArrayLike, size: PerAxis, stride: PerAxis = 1, dilation: PerAxis = 1) -> Tensor:  # noqa: D103
    x = tensor(x)
    size = _axes("unfold", x, "size", size, 1)
    stride, dilation = each("unfold", "stride", stride, len(size)), each("unfold", "dilation", dilation, len(size))
    return sliding.unfold(x, size=size, stride=stride, dilation=dilation)


@says(sliding.fold)
def fold(x: ArrayLike, lengths: PerAxis, stride: PerAxis = 1, dilation: PerAxis = 1) -> Tensor:  # noqa: D103
    x = tensor(x)
    lengths = _axes("fold", x, "lengths", lengths, 2)
    stride, dilation = each("fold", "stride", stride, len(lengths)), each("fold", "dilation", dilation, len(lengths))
    return sliding.fold(x, lengths=lengths, stride=stride, dilation=dilation)
