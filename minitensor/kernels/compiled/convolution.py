"""Convolution where loops beat NumPy: Winograd's, the depthwise one, both of whole lanes of channels, and groups.

All else goes the way of NumPy's kernel, whose work is in products.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.kernels.compiled import depthwise, direct, winograd
from minitensor.kernels.compiled.lanes import WIDTH
from minitensor.kernels.compiled.layout import to_last
from minitensor.kernels.cpu import convolution as cpu
from minitensor.kernels.cpu.convolution import Way, conv2d_by
from minitensor.kernels.cpu.layout import to_first
from minitensor.kernels.cpu.transposed_convolution import conv_transpose2d_by
from minitensor.ops.windows.convolution import conv2d
from minitensor.ops.windows.sliding import window_count
from minitensor.ops.windows.transposed_convolution import conv_transpose2d

__all__ = ["conv2d_compiled", "conv_transpose2d_compiled"]

Array = np.ndarray
Pair = tuple[int, int]


def way(x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Way | None:
    """Return the way for such a convolution: by loops, or as NumPy's kernel has it; None: the composite's."""
    o, c, *size = weight.shape
    if groups > 1 and o % groups == 0 and x.shape[3] == c * groups and (c > 1 or o % WIDTH == 0 or o > groups):
        sides = zip(x.shape[1:3], size, stride, padding, dilation, strict=True)
        counts: Any = tuple(window_count(n + 2 * p, k, s, d) for n, k, s, p, d in sides)
        by = _depthwise if c == 1 and o == groups else _direct
        return by(x, weight, counts, stride, padding, dilation) if min(counts) > 0 else None
    found = cpu.way(x, weight, stride, padding, dilation, groups)
    if found is None or c % WIDTH or o % WIDTH or not cpu.by_winograd(x, weight, stride, padding, dilation):
        return found
    return Way(
        lambda: winograd.correlate(x, weight, padding),
        lambda g: winograd.image_gradient(weight, g, padding),
        lambda g: winograd.weight_gradient(x, g, padding),
    )


def _depthwise(x: Array, weight: Array, counts: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Way:
    """Return the way for a filter for each channel."""
    taps, size = weight[:, 0].transpose(1, 2, 0), (weight.shape[2], weight.shape[3])
    return Way(
        lambda: depthwise.correlate(x, taps, (-padding[0], -padding[1]), counts, stride, dilation),
        lambda g: depthwise.image_gradient(taps, g, x.shape, stride, padding, dilation),
        lambda g: depthwise.weight_gradient(x, g, size, stride, padding, dilation).transpose(2, 0, 1)[:, None],
    )


def _direct(x: Array, weight: Array, counts: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Way:
    """Return the way without a matrix of windows, of all groups."""
    taps, size = weight.transpose(2, 3, 1, 0), (weight.shape[2], weight.shape[3])
    groups = x.shape[3] // taps.shape[2]
    return Way(
        lambda: direct.correlate(x, taps, groups, (-padding[0], -padding[1]), counts, stride, dilation),
        lambda g: direct.image_gradient(taps, g, groups, x.shape, stride, padding, dilation),
        lambda g: direct.weight_gradient(x, g, groups, size, stride, padding, dilation).transpose(3, 2, 0, 1),
    )


def _channels_last(
    run: Callable[..., Any], x: Array, weight: Array, bias: Array | None, needs: tuple[bool, ...], settings: Any
) -> Any:
    """Run by these ways on images that are brought to channels-last by a loop."""
    if x.ndim != 4 or not x.size:
        return NotImplemented
    outcome = run(way, to_first(to_last(x)), weight, bias, needs, **settings)
    if outcome is NotImplemented:
        return NotImplemented
    y, pullback = outcome
    return y, lambda g: pullback(to_first(to_last(g)))


@conv2d.fused("compiled")
def conv2d_compiled(x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any) -> Any:
    """Run conv2d; keeps x (channels-last) and the weight."""
    return _channels_last(conv2d_by, x, weight, bias, needs, settings)


@conv_transpose2d.fused("compiled")
def conv_transpose2d_compiled(
    x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any
) -> Any:
    """Run conv_transpose2d; keeps x (channels-last) and the weight."""
    return _channels_last(conv_transpose2d_by, x, weight, bias, needs, settings)
