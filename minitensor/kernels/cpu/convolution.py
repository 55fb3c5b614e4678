"""Convolution as matrix products over chunks of windows that fit in the cache.

With the windows of some images as rows, U (windows, kh·kw·c), and the weight as W (kh·kw·c, o):

    y  = U W + b        dW = Uᵀ g        db = Σ g

U is kh·kw times as large as the images, so it is built, used and forgotten for a few images at a time, in forward and
again in backward, instead of being kept. The images' gradient needs no scattering either: with stride s, the pixels of
each remainder modulo s are reached by every s-th tap alone, so that they are a convolution of g with those taps, turned
by half a turn, of stride 1. Kernels of 3x3 with stride 1 and 32 channels or more go Winograd's way (`winograd.py`),
those with a filter for each channel their own (`depthwise.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minitensor.declaration import Outcome
from minitensor.kernels.cpu import depthwise, winograd
from minitensor.kernels.cpu.layout import channel_sum, to_first, to_last
from minitensor.ops.windows.convolution import conv2d
from minitensor.ops.windows.sliding import each, window_count

__all__ = ["Way", "Windows", "by_winograd", "classes", "conv2d_by", "set_conv_algorithm", "way"]

Array = np.ndarray
Pair = tuple[int, int]
CHUNK = 400_000  # entries of U at a time: some 1.6 MB, near a core's level-2 cache
FEW = 4  # channels
ALGORITHMS = ("auto", "winograd", "im2col")

_algorithm = "auto"


def set_conv_algorithm(name: str) -> None:
    """Choose how `conv2d` computes 3x3 kernels with stride 1 in float32 on the CPU.

    "winograd": F(4x4, 3x3), a quarter of the multiplications, with errors of some 1e-6 of the largest result;
    "im2col": sums of products, with errors of some 1e-7; "auto", the default: Winograd's with 32 channels or more on
    both sides. All other kernels, and float64, are sums of products anyway. Raises ValueError for another name.
    Differs from PyTorch: there the library under it chooses.

    >>> set_conv_algorithm("im2col"); set_conv_algorithm("auto")
    """
    global _algorithm
    if name not in ALGORITHMS:
        raise ValueError(f"the algorithm is one of {', '.join(ALGORITHMS)}; got {name!r}")
    _algorithm = name


class Windows(NamedTuple):
    """Where windows lie: the i-th along an axis reads start + i · stride + k · dilation, k = 0 .. size - 1."""

    size: Pair
    stride: Pair
    dilation: Pair
    start: Pair
    counts: Pair

    def extents(self) -> Pair:
        """Return how many pixels lie between the first that is read and the last, both counted."""
        (h, w), (sh, sw), (dh, dw), (kh, kw) = self.counts, self.stride, self.dilation, self.size
        return (h - 1) * sh + dh * (kh - 1) + 1, (w - 1) * sw + dw * (kw - 1) + 1

    def chunks(self, x: Array) -> Iterator[tuple[slice, slice, Array]]:
        """Yield (images, rows of the result, U (parts, windows, kh · kw · c)); its memory is reused.

        With few channels a pixel is a short run of memory. Then U lies transposed: all windows' first entry, all
        windows' second entry, ..., image by image, so that a row of an image is the run.
        """
        n, h, w, c = x.shape
        (kh, kw), (sh, sw), (dh, dw), (top, left), (out_h, out_w) = self
        extent_h, extent_w = self.extents()
        entries = out_w * kh * kw * c
        images = max(1, min(n, CHUNK // (out_h * entries)))
        rows = out_h if images > 1 else max(1, min(out_h, CHUNK // entries))
        few = c <= FEW and sw == 1
        inside = top >= 0 and left >= 0 and top + extent_h <= h and left + extent_w <= w
        y0, y1, x0, x1 = max(top, 0), min(top + extent_h, h), max(left, 0), min(left + extent_w, w)
        padded = None
        if few:
            padded = np.zeros((images, c, extent_h, extent_w), x.dtype).transpose(0, 2, 3, 1)
        elif not inside:
            padded = np.zeros((images, extent_h, extent_w, c), x.dtype)
        buffer = np.empty(images * rows * entries, x.dtype)
        for i in range(0, n, images):
            m = min(images, n - i)
            source = x[i : i + m, y0:y1, x0:x1]
            if padded is not None:
                padded[:m, y0 - top : y1 - top, x0 - left : x1 - left] = source
                source = padded[:m]
            a, b, e, f = source.strides
            for r in range(0, out_h, rows):
                k = min(rows, out_h - r)
                u = buffer[: m * k * entries]
                first = source[:, r * sh :]
                if few:
                    shape, strides = (m, kh, kw, c, k, out_w), (a, b * dh, e * dw, f, b * sh, e)
                    np.copyto(u.reshape(shape), as_strided(first, shape, strides))
                    u = u.reshape(m, kh * kw * c, k * out_w).swapaxes(1, 2)
                else:
                    shape, strides = (m, k, out_w, kh, kw, c), (a, b * sh, e * sw, b * dh, e * dw, f)
                    np.copyto(u.reshape(shape), as_strided(first, shape, strides))
                    u = u.reshape(1, m * k * out_w, kh * kw * c)
                yield slice(i, i + m), slice(r, r + k), u

    def single(self, x: Array) -> Array | None:
        """Return the pixels that windows of one pixel read, as rows, if they read no padding."""
        last = (a + (n - 1) * s for a, n, s in zip(self.start, self.counts, self.stride, strict=True))
        if self.size != (1, 1) or min(self.start) < 0 or any(e >= n for e, n in zip(last, x.shape[1:3], strict=True)):
            return None
        (top, left), (sh, sw), (h, w) = self.start, self.stride, self.counts
        return x[:, top : top + (h - 1) * sh + 1 : sh, left : left + (w - 1) * sw + 1 : sw].reshape(-1, x.shape[3])

    def correlate(self, x: Array, w: Array) -> Array:
        """(n, h, w, c) with the weight (kh · kw · c, o) -> (n, h', w', o)"""
        shape = x.shape[0], *self.counts, w.shape[1]
        if (rows := self.single(x)) is not None:
            product: Array = rows @ w
            return product.reshape(shape)
        y = np.empty(shape, x.dtype)
        for images, rows_, u in self.chunks(x):
            part = y[images, rows_].reshape(len(u), -1, w.shape[1])  # a view: whole images, or rows of one
            np.matmul(u, w, out=part)
        return y

    def weight_gradient(self, x: Array, g: Array) -> Array:
        """Uᵀ g, summed over the chunks: (kh · kw · c, o)"""
        o = g.shape[-1]
        total: Array
        if (pixels := self.single(x)) is not None:
            total = pixels.T @ g.reshape(-1, o)
            return total
        total = np.zeros((self.size[0] * self.size[1] * x.shape[3], o), x.dtype)
        for images, rows, u in self.chunks(x):
            total += (u.swapaxes(1, 2) @ g[images, rows].reshape(len(u), -1, o)).sum(axis=0)
        return total


class _Taps(NamedTuple):
    """Along one axis, the pixels first, first + stride, ...: how many, and the windows of g that they are sums over."""

    first: int
    pixels: int
    taps: slice  # of the kernel, last to first
    start: int
    dilation: int


def classes(length: int, k: int, stride: int, padding: int, dilation: int) -> Iterator[_Taps]:
    """Yield the pixels of an axis by their remainder modulo the stride; those that no tap reaches are left out."""
    for first in range(min(stride, length)):
        taps = [t for t in range(k) if (first + padding - t * dilation) % stride == 0]
        if taps:
            step = taps[1] - taps[0] if len(taps) > 1 else 1
            start = (first + padding - taps[-1] * dilation) // stride
            chosen = slice(taps[-1], taps[0] - 1 if taps[0] else None, -step)
            yield _Taps(first, -(-(length - first) // stride), chosen, start, max(1, step * dilation // stride))


def image_gradient(
    g: Array, weight: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Return the gradient of images (n, h, w, c): a convolution of g with the turned taps for each remainder."""
    dx = np.zeros(shape, g.dtype) if max(stride) > 1 else None  # as a whole, if there is one remainder
    turned = weight.transpose(2, 3, 0, 1)  # (kh, kw, o, c)
    sides = [list(classes(*a)) for a in zip(shape[1:3], weight.shape[2:], stride, padding, dilation, strict=True)]
    for a in sides[0]:
        for b in sides[1]:
            matrix = turned[a.taps, b.taps]
            size = matrix.shape[:2]
            windows = Windows(size, (1, 1), (a.dilation, b.dilation), (a.start, b.start), (a.pixels, b.pixels))
            part = windows.correlate(g, np.ascontiguousarray(matrix).reshape(-1, shape[3]))
            if dx is None:
                return part
            dx[:, a.first :: stride[0], b.first :: stride[1]] = part
    assert dx is not None
    return dx


class Way(NamedTuple):
    """One way to convolve images x (n, h, w, c): forward, and both gradients of g (n, h', w', o)."""

    forward: Callable[[], Array]
    image_gradient: Callable[[Array], Array]
    weight_gradient: Callable[[Array], Array]


def by_winograd(x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair) -> bool:
    """Whether Winograd's way is for a convolution without groups, and chosen."""
    o, c, *size = weight.shape
    three = (tuple(size), stride, dilation) == ((3, 3), (1, 1), (1, 1))
    small = three and x.dtype == np.float32 and max(padding) <= 2
    return small and (_algorithm == "winograd" or (_algorithm == "auto" and min(c, o) >= winograd.CHANNELS))


def way(x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Way | None:
    """Return the way for such a convolution; None: the composite's."""
    o, c, *size = weight.shape
    sides = zip(x.shape[1:3], size, stride, padding, dilation, strict=True)
    counts: Any = tuple(window_count(n + 2 * p, k, s, d) for n, k, s, p, d in sides)
    if min(counts) < 1 or x.shape[3] != c * groups:
        return None
    if groups > 1:
        if c > 1 or o != groups or stride != (1, 1):
            return None
        filters: Any = weight[:, 0]
        return Way(
            lambda: depthwise.correlate(x, filters, padding, counts, dilation),
            lambda g: depthwise.image_gradient(filters, g, x.shape, padding, dilation),
            lambda g: depthwise.weight_gradient(x, g, filters.shape[1:], padding, dilation)[:, None],
        )
    if by_winograd(x, weight, stride, padding, dilation):
        return Way(
            lambda: winograd.correlate(x, weight, padding),
            lambda g: winograd.image_gradient(weight, g, padding),
            lambda g: winograd.weight_gradient(x, g, padding),
        )
    windows = Windows((size[0], size[1]), stride, dilation, (-padding[0], -padding[1]), counts)
    return Way(
        lambda: windows.correlate(x, weight.transpose(2, 3, 1, 0).reshape(-1, o)),
        lambda g: image_gradient(g, weight, x.shape, stride, padding, dilation),
        lambda g: windows.weight_gradient(x, g).reshape(*size, c, o).transpose(3, 2, 0, 1),
    )


def conv2d_by(
    ways: Callable[..., Way | None],
    x: Array,
    weight: Array,
    bias: Array | None,
    needs: tuple[bool, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Outcome:
    """Run conv2d by `ways(x channels-last, weight, stride, padding, dilation, groups)`; keeps x and the weight."""
    if x.ndim != 4 or weight.ndim != 4 or 0 in (*x.shape, *weight.shape) or isinstance(padding, str):
        return NotImplemented
    if type(groups) is not int or groups < 1 or (bias is not None and bias.shape != weight.shape[:1]):
        return NotImplemented
    stride, dilation = each("conv2d", "stride", stride, 2), each("conv2d", "dilation", dilation, 2)
    padding = each("conv2d", "padding", padding, 2, least=0)
    by = ways(to_last(x), weight, stride, padding, dilation, groups)
    if by is None:
        return NotImplemented
    y = by.forward()
    if bias is not None:
        y += bias

    def pullback(g: Array) -> tuple[Array | None, ...]:
        g = to_last(g)
        return (
            to_first(by.image_gradient(g)) if needs[0] else None,
            by.weight_gradient(g) if needs[1] else None,
            channel_sum(g.reshape(-1, g.shape[3])) if bias is not None and needs[2] else None,
        )

    return to_first(y), pullback


@conv2d.fused("cpu")
def conv2d_cpu(x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...], **settings: Any) -> Outcome:
    """Run conv2d. Takes groups of one channel, with stride 1."""
    return conv2d_by(way, x, weight, bias, needs, **settings)
