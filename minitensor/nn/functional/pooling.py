"""Pooling, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.nn.functional.images import images
from minitensor.ops import pooling
from minitensor.ops.convolution import pair
from minitensor.tensor import Tensor

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]

Size = int | tuple[int, int]


def max_pool2d(input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the largest entry of each window: (n, c, h, w) -> (n, c, h', w')."""
    images("max_pool2d", input)
    return pooling.max_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)  # type: ignore[no-any-return]


def avg_pool2d(input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the mean of each window, padding zeros counted: (n, c, h, w) -> (n, c, h', w')."""
    images("avg_pool2d", input)
    return pooling.avg_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)  # type: ignore[no-any-return]


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Return the mean over each of h' by w' parts: (n, c, h, w) -> (n, c, h', w'); None keeps an axis."""
    images("adaptive_avg_pool2d", input)
    wanted = pair(output_size)  # type: ignore[arg-type]
    size = tuple(n if m is None else m for n, m in zip(input.shape[2:], wanted, strict=True))
    return pooling.adaptive_avg_pool2d(input, output_size=size)  # type: ignore[no-any-return]
