"""Depthwise convolution, each channel with a filter of its own, tap by tap over rows that stay in the cache.

    y[i, j] = Σ_kl x[i + k, j + l] w[k, l] + b      dw[k, l] = Σ_ij g[i, j] x[i + k, j + l]

There is no sum over channels, so no matrix product to speak of. With channels last in memory a row of an image is one
run, (w · c), and so is the row that a tap reads; the filter's entry for that tap is repeated along it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray
Pair = tuple[int, int]
ENTRIES = 65_536  # of the result at a time


def _rows(x: Array, padding: Pair, counts: Pair, size: Pair, dilation: Pair) -> Iterator[tuple[Any, list[Array]]]:
    """Yield (part of the result, the rows (r, w' · c) that each tap reads), image by image, some rows at a time."""
    n, h, w, c = x.shape
    (p, q), (out_h, out_w), (dh, dw) = padding, counts, dilation
    extent = out_h + dh * (size[0] - 1), out_w + dw * (size[1] - 1)
    top, left = max(-p, 0), max(-q, 0)
    inside = x[:, top : min(extent[0] - p, h), left : min(extent[1] - q, w)]
    padded = np.zeros((*extent, c), x.dtype)
    target = padded[max(p, 0) :, max(q, 0) :][: inside.shape[1], : inside.shape[2]]
    lines = padded.reshape(extent[0], extent[1] * c)
    step = max(1, ENTRIES // (out_w * c))
    taps = [(i * dh, j * dw * c) for i in range(size[0]) for j in range(size[1])]
    for i in range(n):
        target[...] = inside[i]
        for start in range(0, out_h, step):
            stop = min(start + step, out_h)
            yield (i, slice(start, stop)), [lines[a + start : a + stop, b : b + out_w * c] for a, b in taps]


def correlate(x: Array, weight: Array, padding: Pair, counts: Pair, dilation: Pair) -> Array:
    """(n, h, w, c) with the weight (c, kh, kw) -> (n, h', w', c)"""
    n, c, (out_h, out_w) = len(x), x.shape[3], counts
    size = weight.shape[1], weight.shape[2]
    filters = [np.tile(tap, out_w) for tap in weight.reshape(c, -1).T]  # each (w' · c)
    y = np.empty((n, out_h, out_w * c), x.dtype)
    for part, rows in _rows(x, padding, counts, size, dilation):
        total = np.multiply(rows[0], filters[0], out=y[part])
        product = np.empty_like(total)
        for row, tap in zip(rows[1:], filters[1:], strict=True):
            np.multiply(row, tap, out=product)
            total += product
    return y.reshape(n, out_h, out_w, c)


def image_gradient(weight: Array, g: Array, shape: tuple[int, ...], padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of images (n, h, w, c): the convolution of g (n, h', w', c) with the turned filters."""
    turned = weight[:, ::-1, ::-1]
    p, q = (d * (k - 1) - p for d, k, p in zip(dilation, weight.shape[1:], padding, strict=True))
    return correlate(g, turned, (p, q), (shape[1], shape[2]), dilation)


def weight_gradient(x: Array, g: Array, size: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return the gradient of the weight (c, kh, kw), of images (n, h, w, c) and g (n, h', w', c)."""
    n, out_h, out_w, c = g.shape
    lines = g.reshape(n, out_h, out_w * c)
    total = np.zeros((size[0] * size[1], out_w * c))  # float64: a sum of many parts
    for part, rows in _rows(x, padding, (out_h, out_w), size, dilation):
        gradient = lines[part]
        ones, product = np.ones(len(gradient), x.dtype), np.empty_like(gradient)
        for row, line in zip(rows, total, strict=True):
            line += ones @ np.multiply(row, gradient, out=product)
    sums: Array = total.reshape(*size, out_w, c).sum(axis=2)  # (kh, kw, c)
    return sums.astype(x.dtype).transpose(2, 0, 1)
