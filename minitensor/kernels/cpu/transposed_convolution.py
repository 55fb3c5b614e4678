"""Transposed convolution by the ways of convolution, whose adjoint it is.

With conv(x, W) linear in both, its images' gradient is the transposed convolution of g, and so

    y = conv*(x)      dx = conv(g)      dW = the weight's gradient of conv, of images g and a gradient x
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.kernels.cpu.convolution import Way, way
from minitensor.kernels.cpu.layout import channel_sum, to_first, to_last
from minitensor.ops.windows.sliding import each
from minitensor.ops.windows.transposed_convolution import conv_transpose2d

__all__ = ["conv_transpose2d_by", "conv_transpose2d_cpu"]

Array = np.ndarray[Any, Any]


def conv_transpose2d_by(
    ways: Callable[..., Way | None],
    x: Array,
    weight: Array,
    bias: Array | None,
    needs: tuple[bool, ...],
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Run conv_transpose2d by `ways` to convolve; keeps x and the weight."""
    if x.ndim != 4 or weight.ndim != 4 or 0 in (*x.shape, *weight.shape) or x.shape[1] != len(weight):
        return NotImplemented
    if type(groups) is not int or groups < 1 or len(weight) % groups or weight.dtype != x.dtype:
        return NotImplemented
    channels = groups * weight.shape[1]
    if bias is not None and bias.shape != (channels,):
        return NotImplemented
    stride, dilation = each("conv_transpose2d", "stride", stride, 2), each("conv_transpose2d", "dilation", dilation, 2)
    padding = each("conv_transpose2d", "padding", padding, 2, 0)
    more = each("conv_transpose2d", "output_padding", output_padding, 2, 0)
    axes = zip(x.shape[2:], weight.shape[2:], stride, padding, more, dilation, strict=True)
    lengths = [(m - 1) * s - 2 * p + d * (k - 1) + 1 + o for m, k, s, p, o, d in axes]
    if min(lengths) < 1 or any(o >= s for o, s in zip(more, stride, strict=True)):
        return NotImplemented  # an error, or places that no window of this convolution reaches
    shape = (len(x), *lengths, channels)
    by = ways(np.broadcast_to(x.dtype.type(0), shape), weight, stride, padding, dilation, groups)
    if by is None:
        return NotImplemented
    last = to_last(x)
    y = by.image_gradient(last)
    if bias is not None:
        y += bias

    def pullback(g: Array) -> tuple[Array | None, ...]:
        g = to_last(g)
        convolution = ways(g, weight, stride, padding, dilation, groups)
        assert convolution is not None
        return (
            to_first(convolution.forward()) if needs[0] else None,
            convolution.weight_gradient(last) if needs[1] else None,
            channel_sum(g.reshape(-1, channels)) if bias is not None and needs[2] else None,
        )

    return to_first(y), pullback if any(needs) else None


@conv_transpose2d.fused("cpu")
def conv_transpose2d_cpu(
    x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any
) -> Any:
    """Run conv_transpose2d; takes what NumPy's convolution takes."""
    return conv_transpose2d_by(way, x, weight, bias, needs, **settings)
