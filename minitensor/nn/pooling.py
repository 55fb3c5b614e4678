"""2-D pooling."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d"]

Size = int | tuple[int, int]


class MaxPool2d(Layer):
    """The largest entry of each window: (n, c, h, w) -> (n, c, h', w'); `stride` None is the window's size.

    >>> MaxPool2d(2)
    MaxPool2d(kernel_size=2)
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled images."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Return the window, and the settings that are not the defaults."""
        stride = "" if self.stride is None else f", stride={self.stride}"
        return f"kernel_size={self.kernel_size}{stride}" + (f", padding={self.padding}" if self.padding else "")


class AvgPool2d(MaxPool2d):
    """The mean of each window, padding zeros counted: (n, c, h, w) -> (n, c, h', w')."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled images."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class AdaptiveAvgPool2d(Layer):
    """The mean over each of h' by w' parts of the image: (n, c, h, w) -> (n, c, h', w'); None keeps an axis.

    >>> AdaptiveAvgPool2d(1)
    AdaptiveAvgPool2d(output_size=1)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled images."""
        return F.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        """Return the output's size."""
        return f"output_size={self.output_size}"
