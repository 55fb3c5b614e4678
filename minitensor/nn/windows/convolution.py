"""Convolutions of signals, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.ops.windows.convolution import same
from minitensor.ops.windows.sliding import each
from minitensor.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

Setting = int | tuple[int, ...]
MODES = ("zeros", "reflect", "replicate", "circular")


def brief(value: Any) -> Any:
    """Return (3, 3) as 3, for one line of text.

    >>> brief((3, 3)), brief((3, 1)), brief("same")
    (3, (3, 1), 'same')
    """
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def weights(
    layer: Layer, shape: tuple[int, ...], out: int, bias: bool, generator: np.random.Generator | None
) -> tuple[Parameter, Parameter | None]:
    """Draw a weight and a bias, uniform on ±1/√(entries of the weight for each of its first axis)."""
    weight = Parameter(initial.kaiming_uniform(shape, generator=generator))
    bound = 1 / math.sqrt(max(1, initial.fan_in(shape)))
    return weight, Parameter(initial.uniform(out, bound, generator)) if bias else None


class _Convolution(Layer):
    """What the convolutions share: the settings, one number for each axis, and how they are drawn and written."""

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Setting,
        stride: Setting = 1,
        padding: Setting | str = 0,
        dilation: Setting = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        name, n = type(self).__name__, self.dims
        (groups,) = each(name, "groups", groups, 1)
        whole(self, in_channels=in_channels, out_channels=out_channels)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels cannot be cut into {groups} groups")
        if padding_mode not in MODES:
            raise ValueError(f"{name}: padding_mode is one of {', '.join(MODES)}; got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = each(name, "kernel_size", kernel_size, n), each(name, "stride", stride, n)
        self.dilation, self.padding_mode = each(name, "dilation", dilation, n), padding_mode
        self.transposed, self.output_padding = False, (0,) * n
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding is numbers, 'same' or 'valid'; got {padding!r}")
            if padding == "same" and set(self.stride) != {1}:
                raise ValueError(f"{name}: padding='same' is for stride 1; got stride={stride}: give numbers")
            self.padding: Any = padding
        else:
            self.padding = each(name, "padding", padding, n, least=0)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight, self.bias = weights(self, shape, out_channels, bias, generator)

    def _widths(self) -> list[int]:
        """Return the padding as `pad` wants it: before and after, the last axis first."""
        if self.padding == "same":
            widths = same(self.kernel_size, self.dilation)
        else:
            widths = [(p, p) for p in ((0,) * self.dims if self.padding == "valid" else self.padding)]
        return [p for pair in reversed(widths) for p in pair]

    def _numbers(self) -> Any:
        """Return the padding in numbers, unless "same" puts more after than before."""
        if self.padding != "same":
            return self.padding
        padding: tuple[int, ...] = ()
        for k, d in zip(self.kernel_size, self.dilation, strict=True):
            if d * (k - 1) % 2:
                return "same"
            padding += (d * (k - 1) // 2,)
        return padding

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolved input."""
        padding = self._numbers()
        if self.padding_mode != "zeros":
            if len(input.shape) not in (self.dims + 1, self.dims + 2):
                raise ValueError(f"{type(self).__name__} takes (n, c, ...) or (c, ...); got shape {input.shape}")
            input, padding = F.pad(input, self._widths(), self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """Return in -> out and the settings that are not the defaults."""
        text = f"{self.in_channels} -> {self.out_channels}, kernel_size={brief(self.kernel_size)}"
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            if (value := brief(getattr(self, name))) != default:
                text += f", {name}={value!r}"
        text += "" if self.bias is not None else ", bias=False"
        return text + ("" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode!r}")


class Conv1d(_Convolution):
    """y[n, o] = b[o] + Σ_c w[o, c] ⋆ x[n, c], ⋆ the cross-correlation of signals.

    Shapes: x (n, in_channels, l) or (in_channels, l), weight (out_channels, in_channels / groups, k), bias
    (out_channels,) -> (n, out_channels, l'). Settings, initial law and errors are those of `Conv2d`.

    >>> Conv1d(3, 8, 3, padding="same")
    Conv1d(3 -> 8, kernel_size=3, padding='same')
    """

    dims = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """y[n, o] = b[o] + Σ_c w[o, c] ⋆ x[n, c], ⋆ the cross-correlation of images.

    Shapes: x (n, in_channels, h, w) or (in_channels, h, w), weight (out_channels, in_channels / groups, kh, kw), bias
    (out_channels,) -> (n, out_channels, h', w') with h' = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1.
    padding may be "valid" (none) or "same" (h' = h, for stride 1), and is of zeros, or by padding_mode "reflect",
    "replicate", "circular". Weight and bias start uniform on ±1/√(in_channels / groups · kh · kw). Raises ValueError
    for channels that groups do not divide, or an input of other channels or too small. Reference: LeCun et al. 1989.

    >>> Conv2d(3, 8, 3, padding=1)
    Conv2d(3 -> 8, kernel_size=3, padding=1)
    """

    dims = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """y[n, o] = b[o] + Σ_c w[o, c] ⋆ x[n, c], ⋆ the cross-correlation of volumes.

    Shapes: x (n, in_channels, d, h, w) or without n, weight (out_channels, in_channels / groups, kd, kh, kw), bias
    (out_channels,) -> (n, out_channels, d', h', w'). Settings, initial law and errors are those of `Conv2d`.

    >>> Conv3d(3, 8, (1, 3, 3), groups=1)
    Conv3d(3 -> 8, kernel_size=(1, 3, 3))
    """

    dims = 3
    function = staticmethod(F.conv3d)
