"""Cases: resampling on a grid of another size, and at any places."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.ops.windows import grid_sample as grids
from minitensor.ops.windows import interpolation
from tests.minitensor.cases.case import case, normal


def _triangle(t: float) -> float:
    return max(1 - abs(t), 0.0)


def _keys(a: float) -> Callable[[float], float]:
    def kernel(t: float) -> float:
        t = abs(t)
        if t < 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    return kernel


def _box(t: float) -> float:
    return float(abs(t) < 0.5)


def _sinc(t: float) -> float:
    return float(np.sinc(t) * np.sinc(t / 3)) if abs(t) < 3 else 0.0


def _matrix(m: int, out: int, scale: float, mode: str, align: bool, antialias: bool) -> np.ndarray:
    """Return the weights of all entries of an axis in all of the result, (out, m)."""
    w = np.zeros((out, m))
    for i in range(out):
        if mode == "nearest":
            w[i, min(math.floor(i * scale), m - 1)] = 1
        elif mode == "nearest-exact":
            w[i, min(math.floor((i + 0.5) * scale), m - 1)] = 1
        elif mode == "area":
            a, b = i * m // out, math.ceil((i + 1) * m / out)
            w[i, a:b] = 1 / (b - a)
        elif antialias:
            kernel = {"bilinear": _triangle, "bicubic": _keys(-0.5), "lanczos": _sinc}[mode]
            wide = max(scale, 1.0)
            w[i] = [kernel((j + 0.5 - scale * (i + 0.5)) / wide) for j in range(m)]
            w[i] /= w[i].sum()
        else:
            kernel = _keys(-0.75) if mode == "bicubic" else _triangle
            x = i * (m - 1) / max(out - 1, 1) if align else scale * (i + 0.5) - 0.5
            for j in range(-4, m + 4):
                w[i, min(max(j, 0), m - 1)] += kernel(x - j)
    return w


def _resampled(x: np.ndarray, sizes: Any, scales: Any, mode: str, align: bool = False, antialias: bool = False) -> Any:
    for axis, (out, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        m = x.shape[axis]
        w = _matrix(m, out, scale or m / out, mode, align, antialias)
        x = np.moveaxis(np.tensordot(w, x, (1, axis)), 0, axis)
    return x


for mode_, x_shape, sizes_, more_ in (
    ("nearest", (1, 2, 3), (5,), {}), ("nearest", (2, 1, 3, 2), (2, 4), {}),
    ("nearest", (1, 1, 2, 1, 2), (3, 1, 4), {}),
    ("nearest-exact", (1, 2, 4), (3,), {}), ("nearest-exact", (1, 1, 3, 2), (5, 2), {}),
    ("area", (1, 2, 5), (2,), {}), ("area", (1, 1, 4, 3), (2, 2), {}),
    ("linear", (1, 2, 3), (7,), {}), ("linear", (2, 1, 4), (3,), {"align_corners": True}),
    ("linear", (1, 1, 3), (1,), {"align_corners": True}), ("bilinear", (1, 2, 2, 3), (5, 2), {}),
    ("bilinear", (1, 1, 3, 3), (2, 4), {"align_corners": True}), ("bicubic", (1, 1, 3, 4), (5, 3), {}),
    ("bicubic", (1, 1, 2, 3), (3, 4), {"align_corners": True}), ("trilinear", (1, 1, 2, 3, 2), (3, 2, 4), {}),
    ("trilinear", (1, 1, 2, 2, 2), (3, 1, 2), {"align_corners": True}),
    ("bilinear", (1, 1, 6, 5), (2, 3), {"antialias": True}), ("bilinear", (1, 1, 2, 3), (5, 4), {"antialias": True}),
    ("bicubic", (1, 1, 7, 5), (2, 3), {"antialias": True}), ("bicubic", (1, 1, 2, 3), (5, 4), {"antialias": True}),
    ("lanczos", (1, 1, 7, 5), (2, 3), {"antialias": True}),
):  # fmt: skip
    flags_ = {"align": more_.get("align_corners", False), "antialias": more_.get("antialias", False)}
    case(
        interpolation.interpolate, normal(*x_shape), size=sizes_, mode=mode_, **more_, note=f"{mode_}{sizes_}{more_}",
        ref=lambda x, s=sizes_, m=mode_, f=flags_: _resampled(x, s, [None] * len(s), m, **f),
    )  # fmt: skip
for mode_, x_shape, factor_, sizes_ in (
    ("linear", (1, 2, 5), 1.5, (7,)), ("bilinear", (1, 1, 5, 3), (0.5, 1.7), (2, 5)),
    ("bicubic", (1, 1, 3, 3), 1.4, (4, 4)), ("nearest", (1, 1, 5), 1.5, (7,)),
):  # fmt: skip
    factors_ = factor_ if isinstance(factor_, tuple) else (factor_,) * len(sizes_)
    case(
        interpolation.interpolate, normal(*x_shape), scale_factor=factor_, mode=mode_, note=f"{mode_}, {factor_}",
        ref=lambda x, s=sizes_, m=mode_, f=factors_: _resampled(x, s, [1 / v for v in f], m),
    )  # fmt: skip
    case(
        interpolation.interpolate, normal(*x_shape), scale_factor=factor_, mode=mode_, recompute_scale_factor=True,
        ref=lambda x, s=sizes_, m=mode_: _resampled(x, s, [None] * len(s), m), note=f"{mode_}, {factor_}, recomputed",
    )  # fmt: skip


def _mirrored(x: float, m: int, align: bool) -> float:
    low, high = (0.0, m - 1.0) if align else (-0.5, m - 0.5)
    if low == high:
        return 0.0
    while not low <= x <= high:
        x = 2 * low - x if x < low else 2 * high - x
    return x


def _place(x: float, m: int, padding: str, align: bool) -> float:
    if padding == "reflection":
        x = _mirrored(x, m, align)
    return x if padding == "zeros" else min(max(x, 0.0), m - 1.0)


def _sampled(
    x: np.ndarray,
    grid: np.ndarray,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> np.ndarray:
    lengths, n = x.shape[2:], x.ndim - 2
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for b, *i in np.ndindex(*grid.shape[:-1]):
        point = []
        for g, m in zip(grid[(b, *i)][::-1], lengths, strict=True):
            p = (g + 1) / 2 * (m - 1) if align_corners else ((g + 1) * m - 1) / 2
            point.append(p if mode == "bicubic" else _place(p, m, padding_mode, align_corners))
        for corner in np.ndindex(*(4,) * n):
            at, weight = [], 1.0
            for p, k, m in zip(point, corner, lengths, strict=True):
                j = math.floor(p) - 1 + k
                kernel = {"bilinear": _triangle, "bicubic": _keys(-0.75), "nearest": _box}[mode]
                weight *= kernel(p - j)
                at.append(int(_place(j, m, padding_mode, align_corners)) if mode == "bicubic" else j)
            if all(0 <= j < m for j, m in zip(at, lengths, strict=True)):
                y[(b, slice(None), *i)] += weight * x[(b, slice(None), *at)]
    return y


_grid = np.array([[[-0.31, 0.72], [0.13, -0.4]], [[-1.27, 0.93], [2.61, -1.83]]])[None]
for mode_ in ("bilinear", "nearest", "bicubic"):
    for padding_ in ("zeros", "border", "reflection"):
        for align_ in (False, True):
            kw_: Any = {"mode": mode_, "padding_mode": padding_, "align_corners": align_}
            case(
                grids.grid_sample, normal(1, 2, 3, 4), _grid, **kw_, ref=lambda x, g, s=kw_: _sampled(x, g, **s),
                note=f"{mode_}, {padding_}, {align_}", smooth=mode_ != "nearest",
            )  # fmt: skip
_volumes = np.array([[-0.31, 0.72, 0.2], [0.13, -0.44, -1.3]]).reshape(1, 1, 2, 1, 3)
case(grids.grid_sample, normal(1, 1, 2, 3, 2), _volumes, ref=_sampled, note="volume")
case(grids.grid_sample, normal(1, 2, 1, 1), _grid[:, :1], padding_mode="reflection", align_corners=True,
     ref=lambda x, g: _sampled(x, g, padding_mode="reflection", align_corners=True), note="one pixel")  # fmt: skip
case(grids.lattice, normal(3, 2), nearest=False, ref=np.floor, smooth=False)
case(grids.lattice, normal(3, 2), nearest=True, ref=np.round, smooth=False)


_index, _weight = np.array([[0, 2, 1, 1], [2, 1, 1, 0]]), normal(2, 4)


def _weighed(x: np.ndarray, axis: int) -> np.ndarray:
    rows = np.moveaxis(x, axis, 0)
    y = [sum(w * rows[k] for w, k in zip(*pair, strict=True)) for pair in zip(_weight.T, _index.T, strict=True)]
    return np.moveaxis(np.array(y), 0, axis)


for axis_ in (1, 2):
    case(
        interpolation.resampled,
        normal(2, 3, 3),
        _index,
        _weight,
        axis=axis_,
        ref=lambda x, i, w, a=axis_: _weighed(x, a),
    )


def _affine(theta: np.ndarray, lengths: Any, align: bool = False) -> np.ndarray:
    y = np.empty((theta.shape[0], *lengths, len(lengths)))
    for i in np.ndindex(*lengths):
        at = [
            0.0 if m == 1 else 2 * j / (m - 1) - 1 if align else (2 * j + 1) / m - 1
            for j, m in zip(i, lengths, strict=True)
        ]
        y[(slice(None), *i)] = theta @ np.array([*at[::-1], 1.0])
    return y


for lengths_, align_ in (((2, 3), False), ((3, 1), True), ((1, 2, 2), False), ((2, 3, 1), True)):
    n_ = len(lengths_)
    case(
        grids.affine_grid, normal(2, n_, n_ + 1), size=(2, 1, *lengths_), align_corners=align_,
        ref=lambda t, m=lengths_, a=align_: _affine(t, m, a), note=f"{lengths_}{align_}",
    )  # fmt: skip
