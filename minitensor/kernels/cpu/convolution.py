"""Convolution as matrix products over chunks of windows that fit in the cache.

With the windows of some images as rows, U (windows, kh·kw·c), and the weight as W (kh·kw·c, o):

    y  = U W + b        dW = Uᵀ g        db = Σ g        dU = g Wᵀ

U is kh·kw times as large as the images, so it is built, used and forgotten for a few images at a time, in forward and
again in backward, instead of being kept. With stride 1 the images' gradient needs no scattering of dU: it is itself a
convolution, of g with the weight turned by half a turn and its channels exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minitensor.kernels.cpu.layout import channel_sum, to_first, to_last
from minitensor.ops.convolution import conv2d
from minitensor.ops.windows import each, window_count

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
CHUNK = 150_000  # entries of U at a time: about half of a 1 MB level-2 cache, the rest is for W and y


def _counts(x: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    h, w = (
        window_count(n + 2 * p, k, s, d)
        for n, k, s, p, d in zip(x.shape[1:3], size, stride, padding, dilation, strict=True)
    )
    return h, w


def _chunks(x: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Iterator[tuple[slice, slice, Array]]:
    """Yield (images, rows of the result, U), U (images · rows · w', kh · kw · c); its memory is reused."""
    n, h, w, c = x.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = size, stride, padding, dilation
    out_h, out_w = _counts(x, size, stride, padding, dilation)
    entries = out_w * kh * kw * c
    images = max(1, min(n, CHUNK // (out_h * entries)))
    rows = out_h if images > 1 else max(1, min(out_h, CHUNK // entries))
    padded = np.zeros((images, h + 2 * ph, w + 2 * pw, c), x.dtype) if ph or pw else None
    buffer = np.empty((images * rows, out_w, kh, kw, c), x.dtype)
    for i in range(0, n, images):
        m = min(images, n - i)
        source = x[i : i + m]
        if padded is not None:
            padded[:m, ph : ph + h, pw : pw + w] = source
            source = padded[:m]
        a, b, e, f = source.strides
        for r in range(0, out_h, rows):
            k = min(rows, out_h - r)
            view = as_strided(source[:, r * sh :], (m, k, out_w, kh, kw, c), (a, b * sh, e * sw, b * dh, e * dw, f))
            u = buffer[: m * k].reshape(m, k, out_w, kh, kw, c)
            np.copyto(u, view)
            yield slice(i, i + m), slice(r, r + k), u.reshape(m * k * out_w, kh * kw * c)


def _correlate(x: Array, w: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """(n, h, w, c) with the weight (kh · kw · c, o) -> (n, h', w', o)"""
    if size == (1, 1) and stride == (1, 1) and padding == (0, 0):
        return x @ w
    y = np.empty((x.shape[0], *_counts(x, size, stride, padding, dilation), w.shape[1]), x.dtype)
    for images, rows, u in _chunks(x, size, stride, padding, dilation):
        np.matmul(u, w, out=y[images, rows].reshape(-1, w.shape[1]))  # a view: whole images, or rows of one image
    return y


def _weight_gradient(x: Array, g: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Uᵀ g, summed over the chunks: (kh · kw · c, o)"""
    o = g.shape[-1]
    total = np.zeros((size[0] * size[1] * x.shape[3], o), x.dtype)
    for images, rows, u in _chunks(x, size, stride, padding, dilation):
        total += u.T @ g[images, rows].reshape(-1, o)
    return total


def _scatter(
    g: Array, w: Array, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Add dU = g Wᵀ back where the windows were read, a few images at a time: the gradient for any stride"""
    n, h, width, c = shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = size, stride, padding, dilation
    _, out_h, out_w, o = g.shape
    dx = np.zeros((n, h + 2 * ph, width + 2 * pw, c), g.dtype)
    images = max(1, CHUNK // (out_h * out_w * kh * kw * c))
    for i in range(0, n, images):
        du = (g[i : i + images].reshape(-1, o) @ w.T).reshape(-1, out_h, out_w, kh, kw, c)
        for p in range(kh):
            for q in range(kw):
                rows = slice(p * dh, p * dh + sh * (out_h - 1) + 1, sh)
                columns = slice(q * dw, q * dw + sw * (out_w - 1) + 1, sw)
                dx[i : i + images, rows, columns] += du[:, :, :, p, q]
    return dx[:, ph : ph + h, pw : pw + width]


@conv2d.fused("cpu")
def conv2d_cpu(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    needs: tuple[bool, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Run conv2d without groups; keeps x (channels-last) and the weight."""
    if groups != 1 or x.ndim != 4 or weight.ndim != 4 or 0 in (*x.shape, *weight.shape) or isinstance(padding, str):
        return NotImplemented
    o, c, kh, kw = weight.shape
    if x.shape[1] != c or (bias is not None and bias.shape != (o,)):
        return NotImplemented
    size = (kh, kw)
    stride, dilation = each("conv2d", "stride", stride, 2), each("conv2d", "dilation", dilation, 2)
    padding = each("conv2d", "padding", padding, 2, least=0)
    if min(_counts(x.transpose(0, 2, 3, 1), size, stride, padding, dilation)) < 1:
        return NotImplemented
    last = to_last(x)
    matrix = weight.transpose(2, 3, 1, 0).reshape(kh * kw * c, o)
    y = _correlate(last, matrix, size, stride, padding, dilation)
    if bias is not None:
        y += bias

    def pullback(g: Array) -> tuple[Array | None, ...]:
        g = to_last(g)
        dx = dw = db = None
        if needs[0]:
            back = (dilation[0] * (kh - 1) - padding[0], dilation[1] * (kw - 1) - padding[1])
            if stride == (1, 1) and min(back) >= 0:
                turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1).reshape(kh * kw * o, c)
                dx = to_first(_correlate(g, turned, size, (1, 1), back, dilation))
            else:
                dx = to_first(_scatter(g, matrix, last.shape, size, stride, padding, dilation))
        if needs[1]:
            dw = _weight_gradient(last, g, size, stride, padding, dilation).reshape(kh, kw, c, o).transpose(3, 2, 0, 1)
        if bias is not None and needs[2]:
            db = channel_sum(g.reshape(-1, o))
        return dx, dw, db

    return to_first(y), pullback
