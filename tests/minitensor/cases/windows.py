"""Cases: windows over the last axes, and as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.windows import im2col, shuffle
from minitensor.ops.windows import sliding as win
from tests.minitensor.cases.case import case, normal


def unfolded(x: np.ndarray, size: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(size)
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(x.shape[-n:], size, stride, dilation, strict=True)]
    y = np.empty((*x.shape[:-n], *size, *counts))
    for k in np.ndindex(*size):
        for i in np.ndindex(*counts):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *k, *i)] = x[(..., *at)]
    return y


def folded(x: np.ndarray, lengths: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(lengths)
    y = np.zeros((*x.shape[: -2 * n], *lengths))
    for k in np.ndindex(*x.shape[-2 * n : -n]):
        for i in np.ndindex(*x.shape[-n:]):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *at)] += x[(..., *k, *i)]
    return y


def padded(x: np.ndarray, padding: Any, value: float = 0.0) -> np.ndarray:
    width = [(0, 0)] * (x.ndim - len(padding)) + [(p, p) if isinstance(p, int) else p for p in padding]
    return np.pad(x, width, constant_values=value)


for lengths_, size_, stride_, dilation_ in (
    ((5,), (2,), (1,), (1,)), ((7,), (3,), (2,), (2,)),
    ((4, 5), (2, 3), (2, 1), (1, 1)), ((3, 3), (3, 3), (1, 1), (1, 1)), ((3, 2, 4), (2, 1, 2), (1, 1, 2), (1, 1, 1)),
):  # fmt: skip
    kw_: dict[str, Any] = {"stride": stride_, "dilation": dilation_}
    x_ = normal(2, *lengths_)
    a_: Any = (size_, stride_, dilation_)
    case(win.unfold, x_, size=size_, **kw_, ref=lambda x, a=a_: unfolded(x, *a), note=f"{lengths_}{size_}")
    a_ = (lengths_, *a_[1:])
    y_ = normal(*unfolded(x_, size_, stride_, dilation_).shape)
    case(win.fold, y_, lengths=lengths_, **kw_, ref=lambda x, a=a_: folded(x, *a), note=f"{lengths_}{size_}")


def _columns(x: np.ndarray, size: Any, dilation: Any, padding: Any, stride: Any) -> np.ndarray:
    y = unfolded(padded(x, padding), size, stride, dilation)
    lead = x.shape[:-3]
    return y.reshape(*lead, -1, y.shape[-1] * y.shape[-2])


def _images(x: np.ndarray, lengths: Any, size: Any, dilation: Any, padding: Any, stride: Any) -> np.ndarray:
    full = [m + 2 * p for m, p in zip(lengths, padding, strict=True)]
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(full, size, stride, dilation, strict=True)]
    y = folded(x.reshape(*x.shape[:-2], -1, *size, *counts), full, stride, dilation)
    return y[..., padding[0] : full[0] - padding[0], padding[1] : full[1] - padding[1]]


for x_shape, size_, dilation_, padding_, stride_ in (
    ((2, 2, 3, 4), (2, 2), (1, 1), (0, 0), (1, 1)), ((2, 4, 3), (2, 1), (2, 1), (1, 2), (1, 2)),
    ((1, 1, 3, 3), (3, 3), (1, 1), (1, 1), (2, 2)),
):  # fmt: skip
    a_ = (size_, dilation_, padding_, stride_)
    kw_ = {"kernel_size": size_, "dilation": dilation_, "padding": padding_, "stride": stride_}
    case(im2col.unfold, normal(*x_shape), **kw_, ref=lambda x, a=a_: _columns(x, *a), note=f"columns{x_shape}")
    case(
        im2col.fold, normal(*_columns(np.zeros(x_shape), *a_).shape), output_size=x_shape[-2:], **kw_,
        ref=lambda x, m=x_shape[-2:], a=a_: _images(x, m, *a), note=f"columns{x_shape}",
    )  # fmt: skip


def _pixels(x: np.ndarray, r: int) -> np.ndarray:
    *lead, c, h, w = x.shape
    y = np.empty((*lead, c // r**2, h * r, w * r))
    for k, i, j in np.ndindex(*y.shape[-3:]):
        y[..., k, i, j] = x[..., k * r * r + i % r * r + j % r, i // r, j // r]
    return y


def _unpixels(x: np.ndarray, r: int) -> np.ndarray:
    *lead, c, h, w = x.shape
    y = np.empty((*lead, c * r**2, h // r, w // r))
    for k, i, j in np.ndindex(*x.shape[-3:]):
        y[..., k * r * r + i % r * r + j % r, i // r, j // r] = x[..., k, i, j]
    return y


case(shuffle.pixel_shuffle, normal(2, 8, 2, 1), upscale_factor=2, ref=lambda x: _pixels(x, 2))
case(shuffle.pixel_shuffle, normal(9, 1, 2), upscale_factor=3, ref=lambda x: _pixels(x, 3))
case(shuffle.pixel_unshuffle, normal(2, 1, 4, 4), downscale_factor=2, ref=lambda x: _unpixels(x, 2))
case(shuffle.pixel_unshuffle, normal(1, 2, 3, 6), downscale_factor=3, ref=lambda x: _unpixels(x, 3))
case(shuffle.channel_shuffle, normal(2, 6, 2), groups=3, ref=lambda x: x[:, [0, 2, 4, 1, 3, 5]])
case(shuffle.channel_shuffle, normal(1, 4, 1, 2), groups=2, ref=lambda x: x[:, [0, 2, 1, 3]])
