"""Windows over the last axes. What each does stands at its op."""

from collections.abc import Sequence
from typing import Any

from minitensor.functions.operands import tensor
from minitensor.graph import describe
from minitensor.ops.windows import sliding
from minitensor.ops.windows.sliding import each
from minitensor.tensor import Tensor

__all__ = [
    "fold", "unfold",
]  # fmt: skip

Ints = int | Sequence[int]


def _axes(name: str, x: Tensor, setting: str, value: Ints, axes_per_entry: int) -> tuple[int, ...]:
    """Return the setting that says over how many last axes the windows slide."""
    n = 1 if hasattr(value, "__index__") else len(value)
    if not 1 <= n * axes_per_entry <= len(x.shape):
        raise ValueError(f"{name}: {setting} is for 1 axis or more of x, which is {describe(x)}; got {value}")
    return each(name, setting, value, n)


def unfold(x: Any, size: Ints, stride: Ints = 1, dilation: Ints = 1) -> Tensor:
    """Return the windows over the last axes, one for each number in `size`."""
    x = tensor(x)
    size = _axes("unfold", x, "size", size, 1)
    stride, dilation = each("unfold", "stride", stride, len(size)), each("unfold", "dilation", dilation, len(size))
    return sliding.unfold(x, size=size, stride=stride, dilation=dilation)


def fold(x: Any, lengths: Ints, stride: Ints = 1, dilation: Ints = 1) -> Tensor:
    """Return windows added back where they were read, into last axes of these lengths."""
    x = tensor(x)
    lengths = _axes("fold", x, "lengths", lengths, 2)
    stride, dilation = each("fold", "stride", stride, len(lengths)), each("fold", "dilation", dilation, len(lengths))
    return sliding.fold(x, lengths=lengths, stride=stride, dilation=dilation)


unfold.__doc__, fold.__doc__ = sliding.unfold.__doc__, sliding.fold.__doc__
