"""2-D pooling: the maximum or the mean of each window."""

from __future__ import annotations

from typing import Any

from minitensor.composite import composite
from minitensor.ops.convolution import pair
from minitensor.ops.index import take_along_axis
from minitensor.ops.join import concatenate
from minitensor.ops.padding import pad
from minitensor.ops.reduce import argmax, mean
from minitensor.ops.windows import unfold

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]

Array = Any


def _windows(x: Array, kernel_size: Any, stride: Any, padding: Any, value: float) -> Array:
    """Return the windows of a padded image: (n, c, kh · kw, h', w')"""
    (kh, kw), (ph, pw) = pair(kernel_size), pair(padding)
    if ph > kh // 2 or pw > kw // 2:
        raise ValueError(f"pooling: padding {(ph, pw)} is more than half of the window {(kh, kw)}")
    if ph or pw:
        x = pad(x, pad_width=((0, 0), (0, 0), (ph, ph), (pw, pw)), value=value)
    y = unfold(x, size=(kh, kw), stride=pair(kernel_size if stride is None else stride), dilation=(1, 1))
    return y.reshape((*x.shape[:2], kh * kw, *y.shape[-2:]))


@composite
def max_pool2d(x: Array, *, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
    """y[n, c, i, j] = the largest entry of window (i, j); a tie takes the first. (n, c, h, w) -> (n, c, h', w')

    `stride` None is the kernel's size; padding counts as -inf.
    """
    windows = _windows(x, kernel_size, stride, padding, -float("inf"))
    return take_along_axis(windows, argmax(windows, axis=2, keepdims=True), axis=2)[:, :, 0]


@composite
def avg_pool2d(x: Array, *, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
    """y[n, c, i, j] = the mean of window (i, j), padding zeros counted. (n, c, h, w) -> (n, c, h', w')"""
    return mean(_windows(x, kernel_size, stride, padding, 0.0), axis=2)


@composite
def adaptive_avg_pool2d(x: Array, *, output_size: Any) -> Array:
    """y[n, c, i, j] = the mean over rows ⌊i h/h'⌋ to ⌈(i+1) h/h'⌉ and the like columns

    (n, c, h, w) -> (n, c, h', w')
    """
    for axis, out in zip((2, 3), pair(output_size), strict=True):
        n = x.shape[axis]
        at = (slice(None),) * axis
        x = concatenate(
            *[
                mean(x[(*at, slice(i * n // out, -(-(i + 1) * n // out)))], axis=axis, keepdims=True)
                for i in range(out)
            ],
            axis=axis,
        )
    return x
