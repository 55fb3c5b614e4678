"""Convolution without a matrix of windows: an entry of a pixel times eight outputs' weights, added up in registers.

    y[i, j, o] = Σ_klc x[i s + k d, j s + l d, c] w[k, l, c, o]
    dw[k, l, c, o] = Σ_ij x[i s + k d, j s + l d, c] g[i, j, o]

Eight neighboring pixels (of dw: entries of a window) are added up side by side, so that a weight is read once for all
of them; where fewer are left, the last eight are computed again. Each group's outputs are filled up to whole lanes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import compiled, inlined
from minitensor.kernels.compiled.depthwise import ENTRIES, Padded, by_remainders, extents
from minitensor.kernels.compiled.lanes import WIDTH
from minitensor.kernels.compiled.lanes import sums as lanes

__all__ = ["correlate", "image_gradient", "weight_gradient"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

eight, four, one = lanes(8, True), lanes(4, True), lanes(1, True)


@inlined
def along(
    count: Any, x: Any, i: Any, apart: Any, step: Any, w: Any, j: Any, gap: Any, size: Any, y: Any, k: Any, stride: Any
) -> None:
    """Write `count` sums, whose first entries in x are `step` apart, `stride` apart into y; see `lanes.sums`."""
    width = 8 if count >= 8 else 4 if count >= 4 else 1
    for start in range(0, count, width):
        p = min(start, count - width)
        if width == 8:
            eight(x, i + p * step, apart[0], apart[1], step, w, j, gap, size, y, k + p * stride, stride)
        elif width == 4:
            four(x, i + p * step, apart[0], apart[1], step, w, j, gap, size, y, k + p * stride, stride)
        else:
            one(x, i + p * step, apart[0], apart[1], step, w, j, gap, size, y, k + p * stride, stride)


@compiled
def forward(x: Array, w: Array, y: Array, counts: Any, size: Any, stride: Any, apart: Any, line: Any) -> None:
    """y (rows, columns, blocks, 8) of an image x and w (blocks, kh, kw, c, 8).

    counts: rows, columns, blocks of outputs, those of a group; size: kh, kw, c; stride, apart: how many entries of x
    lie between windows, and within one; line: how many of y lie between rows, and between columns.
    """
    rows, columns, blocks, each = counts
    entries = size[0] * size[1] * size[2] * WIDTH
    for block in range(blocks):
        first = block // each * size[2]
        for i in range(rows):
            at = i * line[0] + block * WIDTH
            along(columns, x, first + i * stride[0], apart, stride[1], w, block * entries, WIDTH, size, y, at, line[1])


@compiled
def backward(x: Array, g: Array, dw: Array, counts: Any, size: Any, stride: Any, apart: Any) -> None:
    """dw (blocks, kh, kw, c, 8) of an image x and g (rows, columns, blocks, 8); see `forward`."""
    rows, columns, blocks, each = counts
    places, line = (rows, columns, 1), blocks * WIDTH
    for block in range(blocks):
        first = block // each * size[2]
        for a in range(size[0]):
            for b in range(size[1]):
                at = ((block * size[0] + a) * size[1] + b) * size[2] * WIDTH
                start = first + a * apart[0] + b * apart[1]
                along(size[2], x, start, stride, 1, g, block * WIDTH, line, places, dw, at, WIDTH)


def _whole(v: Array, groups: int) -> Array:
    """(..., groups · o) -> (..., groups · o'), each group filled up with zeros to whole lanes"""
    o = v.shape[-1] // groups
    if not o % WIDTH:
        return np.ascontiguousarray(v)
    y = np.zeros((*v.shape[:-1], groups, -(-o // WIDTH) * WIDTH), v.dtype)
    y[..., :o] = v.reshape(*v.shape[:-1], groups, o)
    return y.reshape(*v.shape[:-1], -1)


def _own(y: Array, groups: int, o: int) -> Array:
    """Return what `_whole` was given: (..., groups · o') -> (..., groups · o)"""
    if not o % WIDTH:
        return y
    return y.reshape(*y.shape[:-1], groups, -1)[..., :o].reshape(*y.shape[:-1], groups * o)


def _weights(taps: Array, groups: int) -> tuple[Array, Any]:
    """(kh, kw, c, groups · o) -> (blocks, kh, kw, c, 8) in one row, and how many blocks there are, and in a group"""
    w = _whole(taps, groups)
    blocks = w.shape[3] // WIDTH
    w = np.moveaxis(w.reshape(*w.shape[:3], blocks, WIDTH), 3, 0)
    return np.array(w, order="C").reshape(-1), (blocks, blocks // groups)


def _size(taps: tuple[int, ...], groups: int, dilation: Pair) -> Any:
    """Return (kh, kw, c) as loops may take it: a row of a window that is one run of memory, as one pixel."""
    kh, kw, c = taps[:3]
    return (kh, 1, kw * c) if groups == 1 and dilation[1] == 1 else (kh, kw, c)


def correlate(x: Array, taps: Array, groups: int, start: Pair, counts: Pair, stride: Pair, dilation: Pair) -> Array:
    """(n, h, w, groups · c) with taps (kh, kw, c, groups · o) -> (n, h', w', groups · o), from the window at `start`"""
    w, blocks = _weights(taps, groups)
    padded = Padded(x, start, extents(counts, (taps.shape[0], taps.shape[1]), stride, dilation))
    y = np.empty((len(x), *counts, blocks[0] * WIDTH), x.dtype)
    between = stride[0] * padded.row, stride[1] * padded.pixel
    within = dilation[0] * padded.row, dilation[1] * padded.pixel
    size, line = _size(taps.shape, groups, dilation), (counts[1] * y.shape[3], y.shape[3])
    for i in range(len(x)):
        forward(padded.image(i), w, y[i].reshape(-1), (*counts, *blocks), size, between, within, line)
    return _own(y, groups, taps.shape[3] // groups)


def image_gradient(
    taps: Array, g: Array, groups: int, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Return the gradient of images (n, h, w, groups · c), of g (n, h', w', groups · o)."""
    kh, kw, c, outputs = taps.shape
    turned = taps.reshape(kh, kw, c, groups, outputs // groups).transpose(0, 1, 4, 3, 2).reshape(kh, kw, -1, groups * c)

    def work(taps: Array) -> Callable[..., None]:
        w, blocks = _weights(taps, groups)
        return lambda image, y, counts, *apart: forward(image, w, y, (*counts, *blocks), taps.shape[:3], *apart)

    filled = (*shape[:3], groups * -(-c // WIDTH) * WIDTH)
    return _own(by_remainders(work, turned, g, filled, (stride, padding, dilation)), groups, c)


def weight_gradient(x: Array, g: Array, groups: int, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of taps (kh, kw, c, groups · o), of images (n, h, w, groups · c) and g (n, h', w', ...)."""
    n, out_h, out_w, outputs = g.shape
    c = x.shape[3] // groups
    padded = Padded(x, (-padding[0], -padding[1]), extents((out_h, out_w), size, stride, dilation))
    between = stride[0] * padded.row, stride[1] * padded.pixel
    within = dilation[0] * padded.row, dilation[1] * padded.pixel
    lines = _whole(g, groups).reshape(n, -1)
    line = lines.shape[1] // out_h
    blocks = line // out_w // WIDTH
    part = np.empty(size[0] * size[1] * c * blocks * WIDTH, x.dtype)
    total, step = np.zeros(part.shape), max(1, ENTRIES // out_w)
    window = _size((*size, c), groups, dilation)
    for i in range(n):
        image = padded.image(i)
        for row in range(0, out_h, step):
            rows = min(step, out_h - row)
            some, counts = lines[i, row * line : (row + rows) * line], (rows, out_w, blocks, blocks // groups)
            backward(image[row * between[0] :], some, part, counts, window, between, within)
            total += part
    dw = np.moveaxis(total.astype(x.dtype).reshape(blocks, *size, c, WIDTH), 0, 3).reshape(*size, c, -1)
    return _own(dw, groups, outputs // groups)
