"""Max pooling of signals, images and volumes: the largest entry of each window, and where it stands."""

from __future__ import annotations

import math
from typing import Any

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import describe
from minitensor.op import op
from minitensor.ops.elementwise.selection import select
from minitensor.ops.indexing.gather import read_along
from minitensor.ops.windows.sliding import Ints, PerAxis, each

__all__ = ["geometry", "largest", "max_pool1d", "max_pool2d", "max_pool3d", "spatial", "window_argmax"]

Setting = int | tuple[int, ...]
Places = tuple[tuple[int, ...], ...]  # along one axis, for each entry of a window: where it stands in each window


def spatial(name: str, n: int, x: Array, empty: bool = False) -> Ints:
    """Return the lengths of the last n axes of (c, ...) or (n, c, ...); refuse other shapes, and empty axes."""
    shape = tuple(x.shape)
    if len(shape) not in (n + 1, n + 2):
        raise ValueError(f"{name} takes (n, c, ...) or (c, ...) with {n} axes after the channels; got {describe(x)}")
    if 0 in shape[-n - 1 :] and not empty:
        raise ValueError(f"{name}: an axis is empty, and it is not the batch: {describe(x)}")
    return shape[-n:]


def geometry(
    name: str,
    n: int,
    x: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    dilation: PerAxis,
    ceil_mode: bool,
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """Return lengths, sizes, strides, paddings, dilations, and how many windows there are, on each axis."""
    lengths = spatial(name, n, x)
    size, padding = each(name, "kernel_size", kernel_size, n), each(name, "padding", padding, n, least=0)
    stride = size if stride is None or stride == () else each(name, "stride", stride, n)
    dilation = each(name, "dilation", dilation, n)
    if any(p > k // 2 for p, k in zip(padding, size, strict=True)):
        raise ValueError(f"{name}: padding {padding} is more than half of the window {size}")
    counts = []
    for m, k, s, p, d in zip(lengths, size, stride, padding, dilation, strict=True):
        count = (m + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        counts.append(
            count - (ceil_mode and (count - 1) * s >= m + p)
        )  # a window starts in x, or in the padding before
    if min(counts) < 1:
        raise ValueError(
            f"{name}: windows of {size} entries, {dilation} apart, do not fit in {lengths} with padding {padding}"
        )
    return lengths, size, stride, padding, dilation, tuple(counts)


# -- the largest entry -------------------------------------------------------------------------------------------------


@op
def window_argmax(x: Array, places: tuple[Places, ...]) -> Array:
    """y[..., i] = where the largest entry of window i stands, counted row by row over the windowed axes; no gradient

    Of equal ones the first, of several NaN the last. One axis is reduced after the other, from the last one on.
    """
    xp = namespace(x)
    at: Array = None
    step = 1
    for axis, table in zip(range(-1, -len(places) - 1, -1), reversed(places), strict=True):
        length = x.shape[axis]
        best: Array = None
        where: Array = None
        for row in table:
            index = xp.asarray(row, dtype="int64")
            here = x.take(index, axis=axis)
            there = index.reshape((-1, *(1,) * (-1 - axis))) * step
            there = there + (xp.zeros(here.shape, "int64") if at is None else at.take(index, axis=axis))
            if best is None:
                best, where = here, there
            else:
                better = (here > best) | (here != here)
                best, where = select(better, here, best), select(better, there, where)
        x, at, step = best, where, step * length
    return at


def largest(input: Array, places: tuple[Places, ...], return_indices: bool) -> Array:
    """Return the largest entry of each window, and where it stands if that is asked for."""
    n = len(places)
    lead = input.shape[: len(input.shape) - n]
    where = window_argmax(input, places=places)
    rows = math.prod(lead)
    flat = where.reshape((rows, math.prod(where.shape[len(lead) :])))
    y = read_along(input.reshape((rows, math.prod(input.shape[len(lead) :]))), flat, axis=1).reshape(where.shape)
    return (y, where) if return_indices else y


def _max_pool(
    name: str,
    n: int,
    input: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    dilation: PerAxis,
    ceil_mode: bool,
    return_indices: bool,
) -> Array:
    if input.dtype.kind == "b":
        raise TypeError(f"{name} takes numbers; got {describe(input)}")
    lengths, *axes = geometry(name, n, input, kernel_size, stride, padding, dilation, ceil_mode)
    places = []
    for m, k, s, p, d, count in zip(lengths, *axes, strict=True):
        windows = [range(i * s - p, i * s - p + d * k, d) for i in range(count)]
        inside = [[j for j in window if 0 <= j < m] for window in windows]
        if not all(inside):
            raise ValueError(f"{name}: a window of {k} entries, {d} apart, meets only the padding of an axis of {m}")
        # an entry in the padding is read at the window's first or last entry in x, which changes no maximum
        ends = [(v[0], v[-1]) for v in inside]
        places.append(
            tuple([tuple([min(max(w[e], a), b) for w, (a, b) in zip(windows, ends, strict=True)]) for e in range(k)])
        )
    return largest(input, tuple(places), return_indices)


@composite
def max_pool1d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[..., i] = max over p of x[..., i·stride + p·dilation - padding]

    (n, c, l) -> (n, c, l'), or without n; conventions and errors are those of `max_pool2d`.
    Differs from PyTorch: integers are taken.

    >>> import minitensor as mt
    >>> mt.nn.functional.max_pool1d(mt.Tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    Tensor float32 (1, 2): [[3. 2.]]
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composite
def max_pool2d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[..., i, j] = max over p, q of x[..., i·stride + p·dilation - padding, j·stride + q·dilation - padding]

    (n, c, h, w) -> (n, c, h', w'), or without n; h' = (h + 2 padding - dilation (k - 1) - 1) // stride + 1, rounded up
    with `ceil_mode`, whose last window still starts in x or before it. `stride` None is the kernel's size; padding
    counts as -inf. A tie takes the first entry, row by row; NaN is the largest. With `return_indices` also int64
    places, counted row by row in (h, w). Raises ValueError for padding of more than half the kernel, or if no window
    fits. Differs from PyTorch: refuses a window that meets only padding.

    >>> import minitensor as mt
    >>> mt.nn.functional.max_pool2d(mt.arange(16.0).reshape(1, 4, 4), 2)
    Tensor float32 (1, 2, 2): [[[ 5. 7.] [13. 15.]]]
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composite
def max_pool3d(
    input: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[..., i] = max over p of x[..., i·stride + p·dilation - padding], i and p with one index per axis

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `max_pool2d`.
    Differs from PyTorch: refuses a window that meets only padding.

    >>> import minitensor as mt
    >>> mt.nn.functional.max_pool3d(mt.arange(8.0).reshape(1, 2, 2, 2), 2)
    Tensor float32 (1, 1, 1, 1): [[[[7.]]]]
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
