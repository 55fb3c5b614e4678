"""Depthwise convolution, eight channels at a time: the sum of a window stays in registers, those of four side by side.

    y[i, j] = Σ_kl x[i s + k d, j s + l d] w[k, l]      dw[k, l] = Σ_ij x[i s + k d, j s + l d] g[i, j]

The weight's gradient is such a sum too, with g in the place of the weight, and strides and dilations changing places.
The images' gradient is one of g with the taps turned, for each remainder of a pixel modulo the stride.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled
from minitensor.kernels.compiled.lanes import WIDTH
from minitensor.kernels.compiled.lanes import sums as lanes
from minitensor.kernels.cpu.convolution import classes

__all__ = ["correlate", "image_gradient", "weight_gradient"]

Array = np.ndarray
Pair = tuple[int, int]

ENTRIES = 1024  # of a sum in the arrays' own dtype; longer ones are added up in float64
four, one = lanes(4, False), lanes(1, False)


@compiled
def sums(x: Array, w: Array, y: Array, counts: Any, size: Any, stride: Any, apart: Any, line: Any) -> None:
    """y (rows, columns, c) = Σ over a window of x times w (kh, kw, c).

    counts: rows, columns, channels; stride, apart: how many entries of x lie between windows, and within one; line: how
    many of y lie between rows, and between columns.
    """
    rows, columns, channels = counts
    places = size[0], size[1], 1
    for i in range(rows):
        for c in range(0, channels, WIDTH):
            a, b = i * stride[0] + c, i * line[0] + c
            for j in range(0, columns - 3, 4):
                four(
                    x, a + j * stride[1], apart[0], apart[1], stride[1], w, c, channels, places,
                    y, b + j * line[1], line[1],
                )  # fmt: skip
            for j in range(columns // 4 * 4, columns):
                one(
                    x, a + j * stride[1], apart[0], apart[1], stride[1], w, c, channels, places,
                    y, b + j * line[1], line[1],
                )  # fmt: skip


class Padded:
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


def extents(counts: Pair, size: Pair, stride: Pair, dilation: Pair) -> Pair:
    """Return how many pixels lie between the first that windows read and the last, both counted."""
    h, w = ((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(counts, size, stride, dilation, strict=True))
    return h, w


def correlate(x: Array, taps: Array, start: Pair, counts: Pair, stride: Pair, dilation: Pair) -> Array:
    """(n, h, w, c) with taps (kh, kw, c) -> (n, h', w', c); the first window begins at `start`."""
    size = taps.shape[0], taps.shape[1]
    padded = Padded(x, start, extents(counts, size, stride, dilation))
    y = np.empty((len(x), *counts, x.shape[3]), x.dtype)
    flat = np.array(taps, order="C").reshape(-1)
    between = stride[0] * padded.row, stride[1] * padded.pixel
    within = dilation[0] * padded.row, dilation[1] * padded.pixel
    line = counts[1] * x.shape[3], x.shape[3]
    for i in range(len(x)):
        sums(padded.image(i), flat, y[i].reshape(-1), (*counts, x.shape[3]), size, between, within, line)
    return y


def by_remainders(
    work: Callable[[Array], Callable[..., None]],
    taps: Array,
    g: Array,
    shape: tuple[int, ...],
    axes: tuple[Pair, Pair, Pair],
) -> Array:
    """Return the gradient of images (n, h, w, c): of each remainder modulo the stride, sums over g with its taps.

    work: makes of some taps a function (image, y, counts, stride, apart, line), as `sums` takes them. axes: stride,
    padding and dilation.
    """
    stride = axes[0]
    sides = [list(classes(*a)) for a in zip(shape[1:3], taps.shape[:2], *axes, strict=True)]
    counts = [[len(range(k)[a.taps]) for a in side] for side, k in zip(sides, taps.shape, strict=False)]
    start: Any = tuple(min((a.start for a in side), default=0) for side in sides)
    stops = [
        [a.start + a.pixels + a.dilation * (k - 1) for a, k in zip(side, count, strict=True)]
        for side, count in zip(sides, counts, strict=True)
    ]
    extent: Any = tuple(max(stop, default=0) - first for stop, first in zip(stops, start, strict=True))
    padded = Padded(g, start, extent)
    every = all(len(side) == min(s, m) for side, s, m in zip(sides, stride, shape[1:3], strict=True))
    dx = (np.empty if every else np.zeros)(shape, g.dtype)
    _, _, w, c = shape
    works = [(a, b, work(np.array(taps[a.taps, b.taps], order="C"))) for a in sides[0] for b in sides[1]]
    for i in range(len(dx)):
        image, y = padded.image(i), dx[i].reshape(-1)
        for a, b, run in works:
            run(
                image[(a.start - start[0]) * padded.row + (b.start - start[1]) * padded.pixel :],
                y[(a.first * w + b.first) * c :],
                (a.pixels, b.pixels),
                (padded.row, padded.pixel),
                (a.dilation * padded.row, b.dilation * padded.pixel),
                (stride[0] * w * c, stride[1] * c),
            )
    return dx


def image_gradient(taps: Array, g: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of images (n, h, w, c)."""

    def work(taps: Array) -> Callable[..., None]:
        flat, size = taps.reshape(-1), taps.shape[:2]
        return lambda image, y, counts, *apart: sums(image, flat, y, (*counts, shape[3]), size, *apart)

    return by_remainders(work, taps, g, shape, (stride, padding, dilation))


def weight_gradient(x: Array, g: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of the taps (kh, kw, c), of images (n, h, w, c) and g (n, h', w', c)."""
    n, out_h, out_w, c = g.shape
    padded = Padded(x, (-padding[0], -padding[1]), extents((out_h, out_w), size, stride, dilation))
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
            sums(image[row * within[0] :], some, part, (*size, c), (rows, out_w), between, within, (size[1] * c, c))
            total += part
    return total.reshape(*size, c).astype(x.dtype)
