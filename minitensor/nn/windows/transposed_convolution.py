"""Transposed convolutions of signals, images and volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.windows.convolution import Setting, brief, weights
from minitensor.ops.windows.sliding import each
from minitensor.tensor import Tensor

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _Transposed(Layer):
    """What the transposed convolutions share."""

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Setting,
        stride: Setting = 1,
        padding: Setting = 0,
        output_padding: Setting = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Setting = 1,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        name, n = type(self).__name__, self.dims
        (groups,) = each(name, "groups", groups, 1)
        whole(self, in_channels=in_channels, out_channels=out_channels)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels cannot be cut into {groups} groups")
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode is 'zeros'; got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = each(name, "kernel_size", kernel_size, n), each(name, "stride", stride, n)
        self.padding, self.dilation = each(name, "padding", padding, n, 0), each(name, "dilation", dilation, n)
        self.output_padding, self.padding_mode = each(name, "output_padding", output_padding, n, 0), padding_mode
        self.transposed = True
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        self.weight, self.bias = weights(self, shape, out_channels, bias, generator)

    def _missing(self, x: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that makes the wanted lengths."""
        name, n = type(self).__name__, self.dims
        if len(output_size) not in (n, len(x.shape)):
            raise ValueError(f"{name}: output_size is {n} lengths or the whole shape; got {tuple(output_size)}")
        settings = zip(x.shape[-n:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        least = [(m - 1) * s - 2 * p + d * (k - 1) + 1 for m, k, s, p, d in settings]
        missing = tuple(o - m for o, m in zip(list(output_size)[-n:], least, strict=True))
        if any(not 0 <= m < s for m, s in zip(missing, self.stride, strict=True)):
            most = [m + s - 1 for m, s in zip(least, self.stride, strict=True)]
            raise ValueError(f"{name}: output_size is from {least} to {most} for {x.shape}; got {tuple(output_size)}")
        return missing

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the result; `output_size` picks one of the lengths that the stride leaves open."""
        more = self.output_padding if output_size is None else self._missing(input, output_size)
        settings: Any = (self.stride, self.padding, more, self.groups, self.dilation)
        return self.function(input, self.weight, self.bias, *settings)

    def extra_repr(self) -> str:
        """Return in -> out and the settings that are not the defaults."""
        text = f"{self.in_channels} -> {self.out_channels}, kernel_size={brief(self.kernel_size)}"
        for name, default in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1), ("groups", 1)):
            if (value := brief(getattr(self, name))) != default:
                text += f", {name}={value}"
        return text + ("" if self.bias is not None else ", bias=False")


class ConvTranspose1d(_Transposed):
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], and b[o] added: the adjoint of `Conv1d`.

    Shapes: x (n, in_channels, l) or (in_channels, l), weight (in_channels, out_channels / groups, k), bias
    (out_channels,) -> (n, out_channels, l'). Settings, initial law and errors are those of `ConvTranspose2d`.

    >>> ConvTranspose1d(3, 8, 3, stride=2)
    ConvTranspose1d(3 -> 8, kernel_size=3, stride=2)
    """

    dims = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_Transposed):
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], and b[o] added: the adjoint of `Conv2d`.

    Shapes: x (n, in_channels, h, w) or without n, weight (in_channels, out_channels / groups, kh, kw), bias
    (out_channels,) -> (n, out_channels, h', w') with h' = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 +
    output_padding. A stride leaves several h' open: `output_padding`, or `output_size` in the call, picks one. Weight
    and bias start uniform on ±1/√(out_channels / groups · kh · kw). Raises ValueError for channels that groups do not
    divide, an input of other channels, or a size that cannot be. Reference: Zeiler 2010.

    >>> up = ConvTranspose2d(3, 8, 3, stride=2, padding=1)
    >>> up(Tensor(np.ones((3, 4, 4))), output_size=(8, 7)).shape
    (8, 8, 7)
    """

    dims = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_Transposed):
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], and b[o] added: the adjoint of `Conv3d`.

    Shapes: x (n, in_channels, d, h, w) or without n, weight (in_channels, out_channels / groups, kd, kh, kw), bias
    (out_channels,) -> (n, out_channels, d', h', w'). Settings, initial law and errors are those of `ConvTranspose2d`.

    >>> ConvTranspose3d(3, 8, 2, bias=False)
    ConvTranspose3d(3 -> 8, kernel_size=2, bias=False)
    """

    dims = 3
    function = staticmethod(F.conv_transpose3d)
