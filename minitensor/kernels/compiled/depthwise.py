"""Depthwise convolution, eight channels at a time: the sum of a window stays in registers, those of four side by side.

    y[i, j] = Σ_kl x[i s + k d, j s + l d] w[k, l]      dw[k, l] = Σ_ij x[i s + k d, j s + l d] g[i, j]

The weight's gradient is such a sum too, with g in the place of the weight, and strides and dilations changing places.
The images' gradient is one of g with the taps turned, for each remainder of a pixel modulo the stride.
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled
from minitensor.kernels.compiled.lanes import WIDTH, windows
from minitensor.kernels.cpu.convolution import classes

__all__ = ["correlate", "image_gradient", "weight_gradient"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

ENTRIES = 1024  # of a sum in the arrays' own dtype; longer ones are added up in float64
four, one = windows(4), windows(1)


@compiled
def sums(x: Array, w: Array, y: Array, counts: Any, size: Any, stride: Any, apart: Any) -> None:
    """y (rows, columns, c) = Σ over a window of x times w (kh, kw, c).

    counts: rows, columns, channels; stride, apart: how many entries of x lie between windows, and within one.
    """
    rows, columns, channels = counts
    for i in range(rows):
        for c in range(0, channels, WIDTH):
            for j in range(0, columns - 3, 4):
                start = i * stride[0] + j * stride[1] + c
                four(
                    x, start, apart[0], apart[1], stride[1], w, c, channels, size[0], size[1],
                    y, (i * columns + j) * channels + c,
                )  # fmt: skip
            for j in range(columns // 4 * 4, columns):
                start = i * stride[0] + j * stride[1] + c
                one(
                    x, start, apart[0], apart[1], stride[1], w, c, channels, size[0], size[1],
                    y, (i * columns + j) * channels + c,
                )  # fmt: skip


class _Padded:
    """Images (n, h, w, c), one after the other with what windows read around them, in memory that is reused."""

    def __init__(self, x: Array, start: Pair, extents: Pair) -> None:
        (top, left), (height, width), (_, h, w, c) = start, extents, x.shape
        rows, columns = slice(max(top, 0), min(top + height, h)), slice(max(left, 0), min(left + width, w))
        self.inside = x[:, rows, columns]
        self.memory = np.zeros((height, width, c), x.dtype)
        self.target = self.memory[max(-top, 0) :, max(-left, 0) :][: self.inside.shape[1], : self.inside.shape[2]]
        self.row, self.pixel = width * c, c

    def image(self, i: int) -> Array:
        """Return the entries of one image."""
        self.target[...] = self.inside[i]
        return self.memory.reshape(-1)


def _extents(counts: Pair, size: Pair, stride: Pair, dilation: Pair) -> Pair:
    h, w = ((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(counts, size, stride, dilation, strict=True))
    return h, w


def correlate(x: Array, taps: Array, start: Pair, counts: Pair, stride: Pair, dilation: Pair) -> Array:
    """(n, h, w, c) with taps (kh, kw, c) -> (n, h', w', c); the first window begins at `start`."""
    size = taps.shape[0], taps.shape[1]
    padded = _Padded(x, start, _extents(counts, size, stride, dilation))
    y = np.empty((len(x), *counts, x.shape[3]), x.dtype)
    flat = np.array(taps, order="C").reshape(-1)
    between = stride[0] * padded.row, stride[1] * padded.pixel
    within = dilation[0] * padded.row, dilation[1] * padded.pixel
    for i in range(len(x)):
        sums(padded.image(i), flat, y[i].reshape(-1), (*counts, x.shape[3]), size, between, within)
    return y


def image_gradient(taps: Array, g: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of images (n, h, w, c): sums over g with the turned taps for each remainder."""
    dx = np.zeros(shape, g.dtype)
    sides = [list(classes(*a)) for a in zip(shape[1:3], taps.shape[:2], stride, padding, dilation, strict=True)]
    for a in sides[0]:
        for b in sides[1]:
            counts = a.pixels, b.pixels
            part = correlate(g, taps[a.taps, b.taps], (a.start, b.start), counts, (1, 1), (a.dilation, b.dilation))
            dx[:, a.first :: stride[0], b.first :: stride[1]] = part
    return dx


def weight_gradient(x: Array, g: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of the taps (kh, kw, c), of images (n, h, w, c) and g (n, h', w', c)."""
    n, out_h, out_w, c = g.shape
    padded = _Padded(x, (-padding[0], -padding[1]), _extents((out_h, out_w), size, stride, dilation))
    between = dilation[0] * padded.row, dilation[1] * padded.pixel
    within = stride[0] * padded.row, stride[1] * padded.pixel
    total, part = np.zeros(size[0] * size[1] * c), np.empty(size[0] * size[1] * c, x.dtype)
    step = max(1, ENTRIES // out_w)
    lines = np.array(g, order="C").reshape(n, -1)
    for i in range(n):
        image = padded.image(i)
        for row in range(0, out_h, step):
            rows = min(step, out_h - row)
            some = lines[i, row * out_w * c : (row + rows) * out_w * c]
            sums(image[row * within[0] :], some, part, (*size, c), (rows, out_w), between, within)
            total += part
    return total.reshape(*size, c).astype(x.dtype)
