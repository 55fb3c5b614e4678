"""Changes of images in one pass over their pixels, compiled by Numba: what `resize` and `image` say in NumPy.

Each loop changes a stack of images; what is random was drawn before. Results differ from NumPy's by rounding: by less
than 2e-6 for values in [0, 1].
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import minitensor as mt

Array = np.ndarray[Any, Any]
LUMA = (0.299, 0.587, 0.114)  # Rec. 601 weights of red, green, blue, as in Pillow and torchvision
BLOCK = 1024  # pixels that are added up in float32


def chosen() -> bool:
    """Whether changes of images run compiled."""
    return mt.get_kernels() == "compiled"


def run(loop: Callable[..., None], y: Array, *arrays: Any) -> Array:
    """Let a loop fill y (contiguous) out of arrays; return it."""
    loop(y, *(np.require(a, requirements=["C", "A", "W"]) if isinstance(a, np.ndarray) else a for a in arrays))
    return y


@mt.compiled
def flip(y: Array, x: Array, sides: Array, ends: Array) -> None:
    """y = images x (n, c, h, w), left and right exchanged where sides (n,), top and bottom where ends (n,)"""
    n, c, h, w = x.shape
    for k in range(n):
        for m in range(c):
            for i in range(h):
                row = h - 1 - i if ends[k] else i
                if sides[k]:
                    for j in range(w):
                        y[k, m, i, j] = x[k, m, row, w - 1 - j]
                else:
                    for j in range(w):
                        y[k, m, i, j] = x[k, m, row, j]


@mt.compiled
def triangles(weights: Array, first: Array, count: Array, lengths: Array, new: int) -> None:
    """The old pixels that each of `new` ones is made of, for axes of n lengths: see `jepa.transforms.crop_resize`

    weights (n, new, most), first (n, new): the first old pixel; count (n,): how many there are
    """
    for k in range(len(lengths)):
        inside = lengths[k]
        s = inside / new
        f = max(s, np.float64(1))
        count[k] = min(int(np.ceil(2 * f)), inside)
        for i in range(new):
            center, total = (2 * i + 1) * s / 2 - np.float64(0.5), np.float64(0)
            a = min(max(int(np.ceil(center - f)), 0), inside - count[k])
            for j in range(a, a + count[k]):
                total += max(1 - abs(j - center) / f, np.float64(0))
            for j in range(a, a + count[k]):
                weights[k, i, j - a] = max(1 - abs(j - center) / f, np.float64(0)) / total
            first[k, i] = a


@mt.compiled
def weighted(y: Array, x: Array, boxes: Array, down: Any, across: Any) -> None:
    """y (n c, h', w') = Wy x[box] Wxᵀ of channels x (n c, h, w) of n images, Wy and Wx as `triangles` has them"""
    height, width, c = y.shape[1], y.shape[2], len(x) // max(len(boxes), 1)
    rows = np.empty((x.shape[1], width), x.dtype)
    for m in range(len(y)):
        k = m // c
        top, left, h = boxes[k, 0], boxes[k, 1], boxes[k, 2]
        v, up, count_v = down[0][k], down[1][k], down[2][k]
        u, start, count_u = across[0][k], across[1][k], across[2][k]
        for r in range(h):
            if count_u == 2:  # as in every enlarging: a loop less
                for i in range(width):
                    a = left + start[i]
                    rows[r, i] = u[i, 0] * x[m, top + r, a] + u[i, 1] * x[m, top + r, a + 1]
            else:
                for i in range(width):
                    a, t = left + start[i], 0.0
                    for j in range(count_u):
                        t += u[i, j] * x[m, top + r, a + j]
                    rows[r, i] = t
        for r in range(height):
            y[m, r] = 0.0
            for j in range(count_v):
                factor, row = v[r, j], up[r] + j
                for i in range(width):
                    y[m, r, i] += factor * rows[row, i]


def resize(y: Array, x: Array, boxes: Array) -> Array:
    """Fill y (n, c, h', w') with the boxes (n, 4), top, left, height, width, of images x (n, c, h, w), resized."""
    sides = []
    for axis in (0, 1):
        lengths, new = boxes[:, 2 + axis].copy(), y.shape[2 + axis]
        most = max(2, -(-2 * x.shape[2 + axis] // new))
        first, count = np.empty((len(y), new), np.int64), np.empty(len(y), np.int64)
        weights = np.empty((len(y), new, most), np.float32)
        triangles(weights, first, count, lengths, new)
        sides.append((weights, first, count))
    n, c, h, w = x.shape
    return run(weighted, y.reshape(n * c, *y.shape[2:]), x.reshape(n * c, h, w), boxes, *sides).reshape(y.shape)


@mt.compiled(sums=True)
def means(y: Array, x: Array) -> None:
    """y (n, c) = the mean of each channel of images x (n, c, pixels)"""
    n, c, pixels = x.shape
    for k in range(n):
        for i in range(c):
            total = np.float64(0)
            for start in range(0, pixels, BLOCK):
                s = 0.0
                for p in range(start, min(start + BLOCK, pixels)):
                    s += x[k, i, p]
                total += s
            y[k, i] = total / pixels


@mt.compiled
def color(y: Array, x: Array, a: Array, b: Array, gray: Array, negative: Array) -> None:
    """c <- clip(A c + b) for each color c of images x (n, c, pixels)

    Then c <- its luma where gray (n,), 1 - c where negative (n,). a (n, c, c), b (n,).
    """
    (n, c, pixels), white = x.shape, x.dtype.type(1)
    for k in range(n):
        for i in range(c):
            y[k, i] = b[k]
            for j in range(c):
                factor = a[k, i, j]
                for p in range(pixels):
                    y[k, i, p] += factor * x[k, j, p]
            for p in range(pixels):
                y[k, i, p] = min(max(y[k, i, p], 0.0), 1.0)
        if gray[k] and c == 3:
            for p in range(pixels):
                y[k, 0, p] = LUMA[0] * y[k, 0, p] + LUMA[1] * y[k, 1, p] + LUMA[2] * y[k, 2, p]
            y[k, 1], y[k, 2] = y[k, 0], y[k, 0]
        if negative[k]:
            y[k] = white - y[k]
