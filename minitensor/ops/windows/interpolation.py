"""Resampling: each entry of the result is a weighted sum of a few of the input, one axis after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable, describe
from minitensor.ops.indexing.gather import read_rows
from minitensor.ops.reductions.reduce import sum
from minitensor.ops.windows.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from minitensor.ops.windows.sliding import Ints, each

__all__ = ["interpolate", "resampled"]

Host = NDArray[Any]
AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3, "lanczos": 2}  # how many each mode interpolates
PLAIN = ("nearest", "nearest-exact", "area")  # for 1, 2 or 3


def _nearest(m: int, out: int, scale: Any, exact: bool, images: bool) -> Host:
    """Return the entry of an axis of length m that each of the result is; for images as PyTorch rounds it there."""
    if images and not exact and out in (m, 2 * m):
        return np.arange(out) * m // out
    dtype = np.dtype(np.float32) if images else scale.dtype
    places = np.arange(out, dtype=dtype) + dtype.type(0.5 if exact else 0.0)
    return np.minimum(np.floor(places * dtype.type(scale)).astype(np.int64), m - 1)


def cubic(t: Host, a: float) -> Host:
    """Keys' kernel at distance t >= 0: 1 at 0, 0 at 1 and from 2 on, with slope a at 1."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t < 1, near, np.where(t < 2, far, t * 0))


def _taps(kernel: str, m: int, out: int, scale: Any, align: bool) -> tuple[Host, Host]:
    """Return which entries (taps, out) of an axis of length m make each of the result, and their weights."""
    places = np.arange(out, dtype=scale.dtype)
    if kernel == "linear" and m == out:
        return np.arange(out)[None], np.ones((1, out))
    x = scale * places if align else scale * (places + places.dtype.type(0.5)) - places.dtype.type(0.5)
    if kernel == "linear":
        x = np.maximum(x, 0)
    first = np.minimum(np.floor(x), m - 1)
    t = np.clip(x - first, 0, 1)
    offsets = np.arange(2) if kernel == "linear" else np.arange(-1, 3)
    distance = np.abs(t - offsets[:, None].astype(t.dtype))
    index = (first + offsets[:, None]).astype(np.int64).clip(0, m - 1)
    return index, 1 - distance if kernel == "linear" else cubic(distance, -0.75)


def _smoothed(kernel: str, m: int, out: int, scale: Any) -> tuple[Host, Host]:
    """Return taps and weights of a kernel as wide as the step between entries of the result."""
    if m == out:
        return np.arange(out)[None], np.ones((1, out))
    dtype = scale.dtype
    half, wide = dtype.type(0.5), max(scale, dtype.type(1))
    reach = {"linear": 1, "cubic": 2, "lanczos": 3}[kernel] * wide
    center = scale * (np.arange(out, dtype=dtype) + half)
    first = np.maximum((center - reach + half).astype(np.int64), 0)
    last = np.minimum((center + reach + half).astype(np.int64), m)  # excluded
    index = first + np.arange(int((last - first).max()))[:, None]
    t = np.abs((index.astype(dtype) - center + half) / wide)
    if kernel == "lanczos":
        weight = np.where(t < 3, np.sinc(t) * np.sinc(t / 3), 0)
    else:
        weight = np.maximum(1 - t, 0) if kernel == "linear" else cubic(t, -0.5)
    weight = np.where(index < last, weight, 0)
    return np.minimum(index, last - 1), weight / weight.sum(axis=0)


def _lengths(x: Array, size: Any, scale_factor: Any, recompute: bool, mode: str) -> tuple[Ints, list[float | None]]:
    """Return the wanted lengths, and the scale of each axis where it is not the quotient of the lengths."""
    n = len(x.shape) - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate takes either size or scale_factor; got {size} and {scale_factor}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is for a scale_factor; got a size")
        if isinstance(size, (tuple, list)) and len(size) != n:
            raise ValueError(f"interpolate: size is one length, or one for each of {n} axes; got {size}")
        return each("interpolate", "size", size, n), [None] * n
    factors = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
    if len(factors) != n:
        raise ValueError(f"interpolate: scale_factor is one number, or one for each of {n} axes; got {scale_factor}")
    lengths = tuple(int(m * float(f)) for m, f in zip(x.shape[2:], factors, strict=True))
    if min(lengths) < (mode != "area"):
        raise ValueError(f"interpolate: scale_factor {scale_factor} makes {lengths} of {tuple(x.shape[2:])}")
    return lengths, [None if recompute else float(f) for f in factors]


def _check(x: Array, mode: str, align_corners: bool | None, antialias: bool) -> None:
    n = len(x.shape) - 2
    if mode not in PLAIN and mode not in AXES:
        raise ValueError(f"interpolate: mode is one of {', '.join([*PLAIN, *AXES])}; got {mode!r}")
    if n not in ((1, 2, 3) if mode in PLAIN else (AXES[mode],)) or 0 in x.shape[1:]:
        axes = "1, 2 or 3" if mode in PLAIN else AXES[mode]
        raise ValueError(
            f"interpolate: mode {mode!r} takes (n, c, ...) with {axes} more axes, not empty; got {describe(x)}"
        )
    if mode in PLAIN and align_corners is not None:
        raise ValueError(f"interpolate: align_corners is for {', '.join(AXES)}; got it with mode={mode!r}")
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        raise ValueError(f"interpolate: antialias is for bilinear, bicubic and lanczos; got it with mode={mode!r}")
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError("interpolate: lanczos takes antialias=True and no align_corners")
    if mode not in ("nearest", "nearest-exact") and x.dtype.kind not in "fV":
        raise TypeError(f"interpolate: mode {mode!r} takes floats; got {describe(x)}: use .astype('float32')")


@composite
def resampled(x: Array, index: Array, weight: Array, axis: int) -> Array:
    """y[..., j, ...] = Σ_t weight[t, j] x[..., index[t, j], ...] along an axis

    (..., n, ...) with index and weight (taps, m) -> (..., m, ...). Differs from PyTorch: it has no public one.

    >>> import numpy as np
    >>> resampled(np.array([0.0, 4.0]), np.array([[0], [1]]), np.array([[0.75], [0.25]]), axis=0).tolist()
    [1.0]
    """
    before, after = tuple(x.shape[:axis]), tuple(x.shape[axis + 1 :])
    parts = read_rows(x, index.reshape((-1,)), axis=axis).reshape((*before, *index.shape, *after))
    return sum(parts * weight.reshape((*weight.shape, *(1,) * len(after))), axis=axis)


@composite
def interpolate(
    input: Array,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Array:
    """y = x resampled on a grid of `size`, or of its lengths times `scale_factor`

    (n, c, ...) -> (n, c, *size). Modes: "nearest", "nearest-exact" (that of the pixel's middle) and "area" (the mean,
    `adaptive_avg_pool`) for 1 to 3 axes; "linear" for 1, "bilinear" and "bicubic" (a = -0.75) for 2, "trilinear" for 3.
    Entry i is read at (i + 1/2) / scale - 1/2, or with `align_corners` at i (m - 1) / (m' - 1). A scale_factor is used
    as it is, unless `recompute_scale_factor` takes the quotient of the lengths. `antialias` widens the kernel of
    bilinear, bicubic (a = -1/2) and "lanczos" (3) to the step when it shrinks. Raises ValueError for other modes or
    shapes, or both size and scale. Reference: Keys 1981. Differs from PyTorch: "nearest" takes integers of any dtype.

    >>> import minitensor as mt
    >>> mt.nn.functional.interpolate(mt.Tensor([[[0.0, 4.0]]]), scale_factor=2, mode="linear")
    Tensor float32 (1, 1, 4): [[[0. 1. 3. 4.]]]
    """
    _check(input, mode, align_corners, antialias)
    lengths, scales = _lengths(input, size, scale_factor, bool(recompute_scale_factor), mode)
    if mode == "area":
        pool = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[len(lengths) - 1]
        return pool(input, output_size=lengths)
    xp = namespace(input.data if isinstance(input, Variable) else input)
    y, align = input, bool(align_corners)
    dtype = np.dtype("float64" if input.dtype == np.float64 else "float32")  # of the places, as in PyTorch
    for axis, (out, given) in enumerate(zip(lengths, scales, strict=True), 2):
        m = input.shape[axis]
        if align:
            scale = dtype.type(m - 1) / dtype.type(out - 1) if out > 1 else dtype.type(0)
        else:
            scale = dtype.type(1 / given) if given else dtype.type(m) / dtype.type(out)
        if mode in PLAIN:
            places = _nearest(m, out, scale, mode == "nearest-exact", images=len(lengths) == 2)
            y = read_rows(y, xp.asarray(places), axis=axis)
            continue
        kernel = {"bicubic": "cubic", "lanczos": "lanczos"}.get(mode, "linear")
        index, weight = _smoothed(kernel, m, out, scale) if antialias else _taps(kernel, m, out, scale, align)
        y = resampled(y, xp.asarray(index), xp.asarray(weight.astype(y.dtype)), axis=axis)
    return y
