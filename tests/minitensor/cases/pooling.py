"""Cases: pools over windows, adaptive pools, and unpooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops.windows import adaptive_pooling, average_pooling, max_pooling, unpooling
from tests.minitensor.cases.case import case, distinct, normal, positive


def _each(v: Any, n: int) -> tuple[Any, ...]:
    return tuple(v) if isinstance(v, (tuple, list)) else (v,) * n


def _windows(
    x: np.ndarray, n: int, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: Any = 0
) -> tuple[tuple[int, ...], list[list[list[int]]]]:
    """Return the counts, and for each axis the places that each window covers, those in the padding too."""
    k, p, d = _each(kernel_size, n), _each(padding, n), _each(dilation, n)
    s = k if stride is None else _each(stride, n)
    places = []
    for a in range(n):
        m, reach = x.shape[a - n], d[a] * (k[a] - 1)
        starts, start = [], -p[a]
        while start + reach < m + p[a] or (ceil_mode and start < m and start + reach - s[a] < m + p[a] - 1):
            starts.append(start)
            start += s[a]
        places.append([[t + e * d[a] for e in range(k[a])] for t in starts])
    return tuple(len(q) for q in places), places


def _pooled(x: np.ndarray, n: int, f: Callable[..., Any], **settings: Any) -> np.ndarray:
    counts, places = _windows(x, n, **settings)
    lead, lengths = x.shape[: x.ndim - n], x.shape[x.ndim - n :]
    y = np.empty((*lead, *counts))
    for i in np.ndindex(*counts):
        window = [places[a][i[a]] for a in range(n)]
        inside = np.ix_(*[[j for j in w if 0 <= j < m] for w, m in zip(window, lengths, strict=True)])
        for at in np.ndindex(*lead):
            y[(*at, *i)] = f(x[at][inside], window)
    return y


def _first(x: np.ndarray, n: int, **settings: Any) -> np.ndarray:
    """Return where the largest entry of each window stands, counted row by row."""
    where = np.arange(math.prod(x.shape[-n:])).reshape(x.shape[-n:])
    best = _pooled(x, n, lambda v, w: v.max(), **settings)
    y = np.empty(best.shape, np.int64)
    for i in np.ndindex(*best.shape):
        lead = i[: x.ndim - n]
        y[i] = where[x[lead] == best[i]][0]  # entries are distinct
    return y


POOLS = {
    1: (max_pooling.max_pool1d, average_pooling.avg_pool1d, average_pooling.lp_pool1d, unpooling.max_unpool1d),
    2: (max_pooling.max_pool2d, average_pooling.avg_pool2d, average_pooling.lp_pool2d, unpooling.max_unpool2d),
    3: (max_pooling.max_pool3d, average_pooling.avg_pool3d, average_pooling.lp_pool3d, unpooling.max_unpool3d),
}
for note_, x_shape, n_, settings_ in (
    ("plain", (1, 2, 4, 5), 2, {"kernel_size": 2}),
    ("tiles", (1, 2, 4, 5), 2, {"kernel_size": (2, 5)}),
    ("overlap", (1, 2, 4, 5), 2, {"kernel_size": (3, 2), "stride": 1}),
    ("padding", (1, 2, 4, 5), 2, {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("ceil", (1, 1, 5, 6), 2, {"kernel_size": 2, "stride": (2, 4), "ceil_mode": True}),
    ("ceil, padding", (1, 1, 4, 4), 2, {"kernel_size": 3, "stride": 2, "padding": (1, 0), "ceil_mode": True}),
    ("one image", (2, 3, 3), 2, {"kernel_size": (2, 1)}),
    ("signal", (2, 2, 5), 1, {"kernel_size": 2, "stride": 2, "padding": 1}),
    ("signal, ceil", (1, 2, 6), 1, {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ("one signal", (2, 5), 1, {"kernel_size": 2, "stride": 1}),
    ("volume", (1, 2, 2, 3, 2), 3, {"kernel_size": (1, 2, 2), "stride": 1}),
    ("one volume", (1, 3, 2, 2), 3, {"kernel_size": 2, "stride": 1, "padding": (1, 0, 0)}),
    ("nothing", (0, 2, 4, 4), 2, {"kernel_size": 2}),
):
    max_, avg_, lp_, unpool_ = POOLS[n_]
    full_ = math.prod(_each(settings_["kernel_size"], n_))
    x_ = distinct(*x_shape)
    kw_: Any = settings_ | {"n": n_}
    case(
        max_, x_, **settings_, ref=lambda x, s=kw_: _pooled(x, f=lambda v, w: v.max(), **s), note=note_,
        smooth=0 not in x_shape,
    )  # fmt: skip
    case(
        max_, x_, **settings_, return_indices=True, note=f"{note_}, indices", smooth=False,
        ref=lambda x, s=kw_: (_pooled(x, f=lambda v, w: v.max(), **s), _first(x, **s)),
    )  # fmt: skip
    if "ceil_mode" not in settings_:
        case(
            avg_, normal(*x_shape), **settings_, note=note_, smooth=0 not in x_shape,
            ref=lambda x, s=kw_, k=full_: _pooled(x, f=lambda v, w: v.sum() / k, **s),
        )  # fmt: skip
    case(
        avg_, normal(*x_shape), **settings_, count_include_pad=False, note=f"{note_}, without padding",
        ref=lambda x, s=kw_: _pooled(x, f=lambda v, w: v.mean(), **s), smooth=0 not in x_shape,
    )  # fmt: skip
    if "padding" not in settings_ and 0 not in x_shape:
        for norm_ in (2, 3.0):
            # with ceil_mode the mean over what is there, times the size of a full window
            case(
                lp_, positive(*x_shape), norm_type=norm_, **settings_, note=f"{note_}, {norm_}",
                ref=lambda x, s=kw_, q=norm_, k=full_: _pooled(
                    x, f=lambda v, w: (k * (v**q).mean()) ** (1 / q), **s
                ),
            )  # fmt: skip
case(average_pooling.avg_pool2d, normal(1, 4, 4), kernel_size=2, divisor_override=3, note="divisor",
     ref=lambda x: _pooled(x, 2, lambda v, w: v.sum() / 3, kernel_size=2))  # fmt: skip
case(average_pooling.avg_pool1d, np.arange(-4, 4)[None], kernel_size=3, note="integers", smooth=False,
     ref=lambda x: np.array([[-3, 0]]))  # fmt: skip
case(max_pooling.max_pool2d, distinct(1, 5, 5), kernel_size=2, dilation=(2, 3), stride=1, note="dilation",
     ref=lambda x: _pooled(x, 2, lambda v, w: v.max(), kernel_size=2, dilation=(2, 3), stride=1))  # fmt: skip
for norm_, f_ in ((math.inf, np.max), (-math.inf, np.min)):
    case(average_pooling.lp_pool1d, distinct(1, 6) + 0.03, norm_type=norm_, kernel_size=2, note=f"{norm_}",
         ref=lambda x, f=f_: _pooled(abs(x), 1, lambda v, w: f(v), kernel_size=2))  # fmt: skip
case(max_pooling.window_argmax, distinct(2, 4), places=(((0, 2), (1, 3)),), smooth=False,
     ref=lambda x: x.reshape(2, 2, 2).argmax(axis=-1) + [0, 2])  # fmt: skip


def _parts(x: np.ndarray, n: int, out: Any, f: Callable[..., Any]) -> np.ndarray:
    lengths = x.shape[x.ndim - n :]
    sizes = [m if o is None else o for o, m in zip(_each(out, n), lengths, strict=True)]
    y = np.empty((*x.shape[: x.ndim - n], *sizes))
    for i in np.ndindex(*sizes):
        axes = zip(i, lengths, sizes, strict=True)
        at = tuple(slice(a * m // o, math.ceil((a + 1) * m / o)) for a, m, o in axes)
        y[(..., *i)] = f(x[(..., *at)], axis=tuple(range(-n, 0)))
    return y


ADAPTIVE = {
    1: (adaptive_pooling.adaptive_avg_pool1d, adaptive_pooling.adaptive_max_pool1d),
    2: (adaptive_pooling.adaptive_avg_pool2d, adaptive_pooling.adaptive_max_pool2d),
    3: (adaptive_pooling.adaptive_avg_pool3d, adaptive_pooling.adaptive_max_pool3d),
}
for x_shape, n_, size_ in (
    ((1, 2, 4, 5), 2, 1), ((1, 2, 4, 5), 2, 2), ((1, 2, 4, 5), 2, (3, 2)), ((1, 2, 4, 5), 2, (4, None)),
    ((2, 3, 4), 2, (6, 4)), ((2, 2, 5), 1, 3), ((2, 5), 1, 5), ((1, 2, 2, 3, 4), 3, (1, 2, 3)), ((2, 2, 2, 2), 3, 1),
    ((0, 2, 3), 1, 2),
):  # fmt: skip
    smooth_ = 0 not in x_shape
    for op_, f_ in zip(ADAPTIVE[n_], (np.mean, np.max), strict=True):
        case(
            op_, distinct(*x_shape), output_size=size_, ref=lambda x, n=n_, o=size_, f=f_: _parts(x, n, o, f),
            note=f"{x_shape}{size_}", smooth=smooth_,
        )  # fmt: skip

case(unpooling.put_along, normal(2, 2), np.array([[1, 3], [0, 2]]), length=4,
     ref=lambda x, i: np.array([[0, x[0, 0], 0, x[0, 1]], [x[1, 0], 0, x[1, 1], 0]]))  # fmt: skip


def _unpooled(x: np.ndarray, i: np.ndarray, n: int, out: tuple[int, ...]) -> np.ndarray:
    y = np.zeros((*x.shape[: x.ndim - n], math.prod(out)))
    for at in np.ndindex(*x.shape):
        y[(*at[: x.ndim - n], i[at])] = x[at]
    return y.reshape(*x.shape[: x.ndim - n], *out)


for n_, x_shape, out_, settings_ in (
    (1, (2, 2), (4,), {"kernel_size": 2}),
    (2, (1, 2, 2, 2), (4, 4), {"kernel_size": 2}),
    (2, (1, 2, 2), (5, 4), {"kernel_size": 2, "output_size": (5, 4)}),
    (3, (1, 2, 1, 1), (3, 1, 2), {"kernel_size": (2, 1, 2), "stride": (1, 1, 2)}),
):
    x_ = normal(*x_shape)
    lead_, k_ = x_shape[: len(x_shape) - n_], math.prod(x_shape[len(x_shape) - n_ :])
    i_ = np.stack([np.random.default_rng(j).permutation(math.prod(out_))[:k_] for j in range(math.prod(lead_))])
    case(
        POOLS[n_][3], x_, i_.reshape(x_shape), **settings_, note=f"{x_shape}{out_}",
        ref=lambda x, i, n=n_, o=out_: _unpooled(x, i, n, o),
    )  # fmt: skip
