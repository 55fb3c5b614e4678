"""Cases: windows, convolution, pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitensor.ops import convolution, pooling
from minitensor.ops import windows as win
from tests.minitensor.cases.case import case, distinct, normal


def _unfolded(x: np.ndarray, size: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(size)
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(x.shape[-n:], size, stride, dilation, strict=True)]
    y = np.empty((*x.shape[:-n], *size, *counts))
    for k in np.ndindex(*size):
        for i in np.ndindex(*counts):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *k, *i)] = x[(..., *at)]
    return y


def _folded(x: np.ndarray, lengths: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(lengths)
    y = np.zeros((*x.shape[: -2 * n], *lengths))
    for k in np.ndindex(*x.shape[-2 * n : -n]):
        for i in np.ndindex(*x.shape[-n:]):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *at)] += x[(..., *k, *i)]
    return y


for lengths_, size_, stride_, dilation_ in (
    ((5,), (2,), (1,), (1,)), ((7,), (3,), (2,), (2,)),
    ((4, 5), (2, 3), (2, 1), (1, 1)), ((3, 3), (3, 3), (1, 1), (1, 1)),
):  # fmt: skip
    kw_: dict[str, Any] = {"stride": stride_, "dilation": dilation_}
    x_ = normal(2, *lengths_)
    case(
        win.unfold,
        x_,
        size=size_,
        **kw_,
        ref=lambda x, a=(size_, stride_, dilation_): _unfolded(x, *a),
        note=f"{lengths_}{size_}",
    )
    y_ = _unfolded(x_, size_, stride_, dilation_)
    case(
        win.fold,
        normal(*y_.shape),
        lengths=lengths_,
        **kw_,
        ref=lambda x, a=(lengths_, stride_, dilation_): _folded(x, *a),
        note=f"{lengths_}{size_}",
    )


def _conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: Any = 0.0,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    v = _unfolded(x, w.shape[2:], stride, dilation)  # (n, c, kh, kw, h', w')
    v = v.reshape(x.shape[0], groups, -1, *v.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    y = np.einsum("ngcpqij,gocpq->ngoij", v, w)
    return y.reshape(x.shape[0], -1, *y.shape[3:]) + np.reshape(b, (-1, 1, 1))


for note_, x_shape, w_shape, settings_ in (
    ("plain", (2, 2, 4, 5), (3, 2, 3, 2), {}),
    ("one", (2, 3, 2, 2), (2, 3, 1, 1), {}),
    ("stride", (1, 2, 5, 4), (2, 2, 2, 2), {"stride": (2, 1)}),
    ("padding", (2, 1, 3, 3), (2, 1, 3, 3), {"padding": (1, 1)}),
    ("padding2", (1, 1, 2, 3), (1, 1, 2, 3), {"padding": (1, 2), "stride": (1, 2)}),
    ("dilation", (1, 1, 5, 5), (1, 1, 2, 2), {"dilation": (2, 3)}),
    ("groups", (1, 4, 3, 3), (4, 2, 2, 2), {"groups": 2, "padding": (1, 0)}),
    ("depthwise", (1, 2, 3, 3), (2, 1, 2, 2), {"groups": 2}),
):
    case(
        convolution.conv2d,
        normal(*x_shape),
        normal(*w_shape),
        normal(w_shape[0]),
        **settings_,
        ref=lambda x, w, b, s=settings_: _conv2d(x, w, b, **s),
        note=note_,
    )
case(convolution.conv2d, normal(1, 1, 3, 3), normal(2, 1, 2, 2), ref=_conv2d, note="unbiased")


def _pooled(x: np.ndarray, f: Any, size: Any, stride: Any, padding: Any, value: float) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=value)
    return f(_unfolded(x, size, stride, (1, 1)), axis=(2, 3))


for note_, settings_ in {
    "plain": {"kernel_size": 2},
    "tiles": {"kernel_size": (2, 5)},
    "overlap": {"kernel_size": (3, 2), "stride": 1},
    "padding": {"kernel_size": 3, "stride": 2, "padding": 1},
}.items():
    full_ = (
        convolution.pair(settings_["kernel_size"]),
        convolution.pair(settings_.get("stride", settings_["kernel_size"])),
        convolution.pair(settings_.get("padding", 0)),
    )
    case(
        pooling.max_pool2d,
        distinct(1, 2, 4, 5),
        **settings_,
        ref=lambda x, a=full_: _pooled(x, np.max, *a, -np.inf),
        note=note_,
    )
    case(
        pooling.avg_pool2d,
        normal(1, 2, 4, 5),
        **settings_,
        ref=lambda x, a=full_: _pooled(x, np.mean, *a, 0.0),
        note=note_,
    )


def _adaptive(x: np.ndarray, h: int, w: int) -> np.ndarray:
    y = np.empty((*x.shape[:2], h, w))
    for i in range(h):
        for j in range(w):
            rows = slice(i * x.shape[2] // h, math.ceil((i + 1) * x.shape[2] / h))
            columns = slice(j * x.shape[3] // w, math.ceil((j + 1) * x.shape[3] / w))
            y[:, :, i, j] = x[:, :, rows, columns].mean(axis=(2, 3))
    return y


for size_, (h_, w_) in {1: (1, 1), 2: (2, 2), (3, 2): (3, 2), (4, 5): (4, 5)}.items():
    case(
        pooling.adaptive_avg_pool2d,
        normal(1, 2, 4, 5),
        output_size=size_,
        ref=lambda x, h=h_, w=w_: _adaptive(x, h, w),
        note=f"{h_}{w_}",
    )
