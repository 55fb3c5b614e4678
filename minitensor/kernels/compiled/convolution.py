"""Convolution where loops beat NumPy: Winograd's and the depthwise one, both of whole lanes of channels.

All else is left to NumPy's kernel, whose work is in products.
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled import depthwise, winograd
from minitensor.kernels.compiled.lanes import WIDTH
from minitensor.kernels.cpu.convolution import Way, by_winograd, conv2d_by
from minitensor.ops.windows.convolution import conv2d
from minitensor.ops.windows.sliding import window_count

__all__ = ["conv2d_compiled"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]


def _way(x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Way | None:
    """Return the way by loops for such a convolution; None: NumPy's kernel's."""
    o, c, *size = weight.shape
    sides = zip(x.shape[1:3], size, stride, padding, dilation, strict=True)
    counts: Any = tuple(window_count(n + 2 * p, k, s, d) for n, k, s, p, d in sides)
    if min(counts) < 1 or x.shape[3] != c * groups:
        return None
    if groups > 1 and c == 1 and o == groups:
        return _depthwise(x, weight, counts, stride, padding, dilation)
    if groups > 1 or not by_winograd(x, weight, stride, padding, dilation):
        return None
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


@conv2d.fused("compiled")
def conv2d_compiled(x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any) -> Any:
    """Run conv2d; keeps x (channels-last) and the weight."""
    if x.ndim != 4 or x.shape[1] % WIDTH or weight.shape[0] % WIDTH:
        return NotImplemented
    return conv2d_by(_way, x, weight, bias, needs, **settings)
