"""Cases: convolution, and transposed convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.windows import convolution, transposed_convolution
from tests.minitensor.cases.case import case, normal
from tests.minitensor.cases.windows import padded, unfolded


def _each(v: Any, n: int) -> tuple[Any, ...]:
    return tuple(v) if isinstance(v, (tuple, list)) else (v,) * n


def _conv(
    x: np.ndarray, w: np.ndarray, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> np.ndarray:
    n = w.ndim - 2
    if x.ndim == n + 1:
        return _conv(x[None], w, b, stride, padding, dilation, groups)[0]
    d = _each(dilation, n)
    if padding == "same":
        padding = [(e * (k - 1) // 2, e * (k - 1) - e * (k - 1) // 2) for e, k in zip(d, w.shape[2:], strict=True)]
    padding = 0 if padding == "valid" else padding
    v = unfolded(padded(x, _each(padding, n)), w.shape[2:], _each(stride, n), d)
    counts = v.shape[2 + n :]
    v = v.reshape(x.shape[0], groups, w[0].size, *counts)
    y = np.einsum("ngk...,gok->ngo...", v, w.reshape(groups, w.shape[0] // groups, -1))
    y = y.reshape(x.shape[0], w.shape[0], *counts)
    return y if b is None else y + np.reshape(b, (-1, *(1,) * n))


CONV = {1: convolution.conv1d, 2: convolution.conv2d, 3: convolution.conv3d}
for note_, x_shape, w_shape, settings_ in (
    ("plain", (2, 2, 4, 5), (3, 2, 3, 2), {}),
    ("one", (2, 3, 2, 2), (2, 3, 1, 1), {}),
    ("stride", (1, 2, 5, 4), (2, 2, 2, 2), {"stride": (2, 1)}),
    ("padding", (2, 1, 3, 3), (2, 1, 3, 3), {"padding": (1, 1)}),
    ("padding2", (1, 1, 2, 3), (1, 1, 2, 3), {"padding": (1, 2), "stride": (1, 2)}),
    ("dilation", (1, 1, 5, 5), (1, 1, 2, 2), {"dilation": (2, 3)}),
    ("groups", (1, 4, 3, 3), (4, 2, 2, 2), {"groups": 2, "padding": (1, 0)}),
    ("depthwise", (1, 2, 3, 3), (2, 1, 2, 2), {"groups": 2}),
    ("depthwise, lanes", (1, 8, 3, 2), (8, 1, 2, 2), {"groups": 8, "padding": (1, 0), "stride": (2, 1)}),
    ("same", (1, 1, 3, 4), (2, 1, 3, 2), {"padding": "same"}),
    ("same, odd", (1, 1, 3, 3), (1, 1, 3, 3), {"padding": "same"}),
    ("valid", (1, 1, 3, 3), (1, 1, 2, 2), {"padding": "valid"}),
    ("one image", (2, 3, 3), (2, 2, 2, 2), {"padding": 1}),
    ("signal", (2, 2, 5), (3, 2, 2), {"stride": 2, "padding": 1}),
    ("signals, groups", (1, 4, 4), (2, 2, 3), {"groups": 2, "dilation": 1}),
    ("one signal", (2, 4), (1, 2, 2), {"padding": "same"}),
    ("volume", (1, 2, 2, 3, 2), (2, 1, 2, 2, 1), {"groups": 2, "padding": (0, 1, 0), "stride": (1, 2, 1)}),
    ("one volume", (1, 2, 2, 2), (1, 1, 2, 1, 2), {"padding": "same"}),
    ("nothing", (0, 1, 3, 3), (2, 1, 2, 2), {}),
):
    op_ = CONV[len(w_shape) - 2]
    args_ = (normal(*x_shape), normal(*w_shape), normal(w_shape[0]))
    smooth_ = 0 not in x_shape
    case(op_, *args_, **settings_, ref=lambda *a, s=settings_: _conv(*a, **s), note=note_, smooth=smooth_)
    if note_ in ("plain", "signal", "volume"):
        case(op_, *args_[:2], **settings_, ref=lambda *a, s=settings_: _conv(*a, **s), note=f"{note_}, unbiased")


def _transposed(
    x: np.ndarray,
    w: np.ndarray,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> np.ndarray:
    n = w.ndim - 2
    if x.ndim == n + 1:
        return _transposed(x[None], w, b, stride, padding, output_padding, groups, dilation)[0]
    s, p, m, d = (_each(v, n) for v in (stride, padding, output_padding, dilation))
    size, lengths, per = w.shape[2:], x.shape[2:], x.shape[1] // groups
    full = [(a - 1) * t + e * (k - 1) + 1 + o for a, t, e, k, o in zip(lengths, s, d, size, m, strict=True)]
    y = np.zeros((x.shape[0], w.shape[1] * groups, *full))
    for c in range(x.shape[1]):
        out = slice(c // per * w.shape[1], (c // per + 1) * w.shape[1])
        for i in np.ndindex(*lengths):
            for k in np.ndindex(*size):
                at = tuple(a * t + e * q for a, t, e, q in zip(i, s, d, k, strict=True))
                y[(slice(None), out, *at)] += x[(slice(None), c, *i)][:, None] * w[(c, slice(None), *k)]
    y = y[(..., *(slice(q, f - q) for q, f in zip(p, full, strict=True)))]
    return y if b is None else y + np.reshape(b, (-1, *(1,) * n))


TRANSPOSED = {
    1: transposed_convolution.conv_transpose1d,
    2: transposed_convolution.conv_transpose2d,
    3: transposed_convolution.conv_transpose3d,
}
for note_, x_shape, w_shape, settings_ in (
    ("plain", (2, 2, 2, 3), (2, 3, 2, 2), {}),
    ("stride", (1, 2, 2, 2), (2, 1, 3, 2), {"stride": (2, 1), "output_padding": (1, 0)}),
    ("padding", (1, 1, 3, 3), (1, 2, 3, 3), {"padding": (1, 2)}),
    ("open", (1, 1, 2, 2), (1, 1, 2, 2), {"stride": 3, "padding": 1, "output_padding": 2}),
    ("dilation", (1, 1, 2, 2), (1, 1, 2, 2), {"dilation": (2, 3), "output_padding": (1, 2)}),
    ("groups", (1, 4, 2, 1), (4, 2, 2, 1), {"groups": 2, "padding": (1, 0)}),
    ("one image", (1, 2, 2), (1, 2, 2, 2), {}),
    ("signal", (2, 2, 3), (2, 1, 2), {"stride": 2}),
    ("one signal", (2, 3), (2, 2, 2), {"padding": 1}),
    ("volume", (1, 2, 2, 1, 2), (2, 1, 1, 2, 2), {"stride": (1, 2, 1), "groups": 2}),
    ("nothing", (0, 1, 2, 2), (1, 1, 2, 2), {}),
):
    n_ = len(w_shape) - 2
    args_ = (normal(*x_shape), normal(*w_shape), normal(w_shape[1] * settings_.get("groups", 1)))
    case(
        TRANSPOSED[n_], *args_, **settings_, ref=lambda *a, s=settings_: _transposed(*a, **s), note=note_,
        smooth=0 not in x_shape,
    )  # fmt: skip
    if note_ == "plain":
        case(TRANSPOSED[n_], *args_[:2], ref=_transposed, note="unbiased")
