"""Convolutions, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.nn.functional.images import images
from minitensor.ops import convolution
from minitensor.tensor import Tensor

__all__ = ["conv2d"]

Size = int | tuple[int, int]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Return the 2-D cross-correlation: (n, c, h, w) with weight (o, c / groups, kh, kw) -> (n, o, h', w')."""
    images("conv2d", input)
    return convolution.conv2d(  # type: ignore[no-any-return]
        input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
