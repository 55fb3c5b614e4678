"""Convolution where loops beat NumPy: Winograd's, of whole lanes of channels. All else is left to NumPy's kernel."""

from typing import Any

import numpy as np

from minitensor.kernels.compiled import winograd
from minitensor.kernels.cpu.convolution import Way, by_winograd, conv2d_by
from minitensor.ops.windows.convolution import conv2d
from minitensor.ops.windows.sliding import window_count

__all__ = ["conv2d_compiled"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]


def _way(x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Way | None:
    """Return the way by loops for such a convolution; None: NumPy's kernel's."""
    o, c, *size = weight.shape
    counts = [window_count(n + 2 * p, k, 1, 1) for n, k, p in zip(x.shape[1:3], size, padding, strict=True)]
    if groups > 1 or min(counts) < 1 or x.shape[3] != c or not by_winograd(x, weight, stride, padding, dilation):
        return None
    if not winograd.fits(c, o):
        return None
    return Way(
        lambda: winograd.correlate(x, weight, padding),
        lambda g: winograd.image_gradient(weight, g, padding),
        lambda g: winograd.weight_gradient(x, g, padding),
    )


@conv2d.fused("compiled")
def conv2d_compiled(x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any) -> Any:
    """Run conv2d; keeps x (channels-last) and the weight."""
    return conv2d_by(_way, x, weight, bias, needs, **settings)
