"""2-D convolution."""

from __future__ import annotations

import math

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.layer import Layer
from minitensor.nn.parameter import Parameter
from minitensor.ops.convolution import pair
from minitensor.tensor import Tensor

__all__ = ["Conv2d"]

Size = int | tuple[int, int]


class Conv2d(Layer):
    """y[n, o] = b[o] + Σ_c w[o, c] ⋆ x[n, c], ⋆ the 2-D cross-correlation.

    Shapes: x (n, in_channels, h, w), weight (out_channels, in_channels / groups, kh, kw), bias (out_channels,)
    -> (n, out_channels, h', w') with h' = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1. Weight and bias start
    uniform on ±1/√(in_channels / groups · kh · kw).

    >>> Conv2d(3, 8, 3, padding=1)
    Conv2d(3 -> 8, kernel_size=3, padding=1)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d: {in_channels} and {out_channels} channels cannot be cut into {groups} groups")
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (out_channels, in_channels // groups, *pair(kernel_size))
        self.weight = Parameter(initial.kaiming_uniform(shape, generator=generator))
        bound = 1 / math.sqrt(initial.fan_in(shape))
        self.bias = Parameter(initial.uniform(out_channels, bound, generator)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved images."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """Return in -> out and the settings that are not the defaults."""
        text = f"{self.in_channels} -> {self.out_channels}, kernel_size={self.kernel_size}"
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            if (value := getattr(self, name)) != default:
                text += f", {name}={value}"
        return text + ("" if self.bias is not None else ", bias=False")
