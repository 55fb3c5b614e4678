"""Pooling of channels-last images, window by window, all channels of an entry at once.

y = max over the entries p of a window of x[p], at = the first p that is largest, the last one that is NaN
dx[p] = Σ g over the windows whose `at` is p
"""

from typing import Any

import numpy as np

from minitensor.kernels.compiled.bits import select
from minitensor.kernels.compiled.compiler import compiled, inlined, real
from minitensor.kernels.compiled.layout import share, to_last
from minitensor.kernels.cpu.layout import to_first
from minitensor.kernels.cpu.pooling import LARGEST
from minitensor.ops.windows.adaptive_pooling import adaptive_avg_pool2d
from minitensor.ops.windows.average_pooling import avg_pool2d
from minitensor.ops.windows.max_pooling import geometry, max_pool2d

__all__ = ["adaptive_avg_pool2d_compiled", "avg_pool2d_compiled", "max_pool2d_compiled"]

Array = np.ndarray
MOST = 255  # entries of a window, which are numbered in bytes
PLAIN = {"padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}


@inlined
def raise_to(x: Any, p: int, first: bool, y: Any, at: Any) -> None:
    """y = max(y, x), and at = p where x is larger; NaN is"""
    if first:
        for k in range(x.size):
            y[k], at[k] = x[k], p
    else:
        for k in range(x.size):
            largest = y[k]
            better = (x[k] > largest) | (x[k] != x[k])
            y[k] = select(better, x[k], largest)
            at[k] = select(better, p, at[k])


@compiled
def max_forward(x: Array, y: Array, at: Array, size: Any, stride: Any, padding: Any, dilation: Any) -> None:
    """y (n, h', w', c) and at of images (n, h, w, c)"""
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                first = True
                for p in range(size[0]):
                    for q in range(size[1]):
                        a = i * stride[0] - padding[0] + p * dilation[0]
                        b = j * stride[1] - padding[1] + q * dilation[1]
                        if 0 <= a < x.shape[1] and 0 <= b < x.shape[2]:
                            raise_to(x[n, a, b], np.uint8(p * size[1] + q), first, y[n, i, j], at[n, i, j])
                            first = False


@inlined
def hand_out(g: Any, p: int, at: Any, dx: Any) -> None:
    """dx = dx + g where at is p"""
    for k in range(g.size):
        dx[k] += select(at[k] == p, g[k], 0.0)


@compiled
def max_backward(g: Array, at: Array, dx: Array, size: Any, stride: Any, padding: Any, dilation: Any) -> None:
    """dx (n, h, w, c), which is 0, of g (n, h', w', c)"""
    for n in range(g.shape[0]):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for p in range(size[0]):
                    for q in range(size[1]):
                        a = i * stride[0] - padding[0] + p * dilation[0]
                        b = j * stride[1] - padding[1] + q * dilation[1]
                        if 0 <= a < dx.shape[1] and 0 <= b < dx.shape[2]:
                            hand_out(g[n, i, j], np.uint8(p * size[1] + q), at[n, i, j], dx[n, a, b])


@max_pool2d.fused("compiled")
def max_pool2d_compiled(
    x: Array,
    *,
    needs: tuple[bool, ...],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Run max_pool2d; keeps where the largest entries stand."""
    if x.ndim != 4 or x.dtype.char not in "fd" or return_indices or not x.size:
        return NotImplemented
    lengths, *axes, counts = geometry("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)
    size, steps, start, apart = axes
    for length, k, s, p, d, count in zip(lengths, *axes, counts, strict=True):
        entries = np.arange(count)[:, None] * s - p + d * np.arange(k)
        if not ((entries >= 0) & (entries < length)).any(axis=1).all():
            return NotImplemented  # the plain Python says what is wrong
    if size[0] * size[1] > MOST:
        return NotImplemented
    last, settings = to_last(x), (size, steps, start, apart)
    shape = last.shape
    y = np.empty((len(x), *counts, shape[3]), x.dtype)
    at = np.empty(y.shape, np.uint8)
    share(max_forward, (last, y, at), *settings)

    def pullback(g: Array) -> tuple[Array]:
        dx = np.zeros(shape, g.dtype)
        g = to_last(g)
        share(max_backward, (g, at, dx), *settings)
        return (to_first(dx),)

    return to_first(y), pullback if needs[0] else None


@inlined
def add(x: Any, factor: Any, y: Any) -> None:
    """y = y + factor x"""
    for k in range(x.size):
        y[k] += factor * x[k]


@compiled
def average_forward(x: Array, y: Array, size: Any, stride: Any, factor: float) -> None:
    """y (n, h', w', c), which is 0, of images (n, h, w, c)"""
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for p in range(size[0]):
                    for q in range(size[1]):
                        add(x[n, i * stride[0] + p, j * stride[1] + q], factor, y[n, i, j])


@compiled
def average_backward(g: Array, dx: Array, size: Any, stride: Any, factor: float) -> None:
    """dx (n, h, w, c), which is 0, of g (n, h', w', c)"""
    for n in range(g.shape[0]):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for p in range(size[0]):
                    for q in range(size[1]):
                        add(g[n, i, j], factor, dx[n, i * stride[0] + p, j * stride[1] + q])


@avg_pool2d.fused("compiled")
def avg_pool2d_compiled(
    x: Array, *, needs: tuple[bool, ...], kernel_size: Any, stride: Any = None, **settings: Any
) -> Any:
    """Run avg_pool2d without padding; keeps nothing."""
    plain = all(value == PLAIN[name] or value == (PLAIN[name],) * 2 for name, value in settings.items())
    if x.ndim != 4 or x.dtype.char not in "fd" or not x.size or not plain:
        return NotImplemented
    _, size, steps, *_, counts = geometry("avg_pool2d", 2, x, kernel_size, stride, 0, 1, False)
    if size[0] * size[1] > LARGEST:
        return NotImplemented
    last, factor = to_last(x), 1 / (size[0] * size[1])
    shape = last.shape
    y = np.zeros((len(x), *counts, shape[3]), x.dtype)
    share(average_forward, (last, y), size, steps, factor)

    def pullback(g: Array) -> tuple[Array]:
        dx = np.zeros(shape, g.dtype)
        g = to_last(g)
        share(average_backward, (g, dx), size, steps, factor)
        return (to_first(dx),)

    return to_first(y), pullback if needs[0] else None


@compiled
def adaptive_forward(x: Array, y: Array) -> None:
    """y (n, h', w', c), means over parts of images (n, h, w, c): of a part, each row is added up, then in float64"""
    _, h, w, c = x.shape
    row, total = np.empty(c, x.dtype), np.empty(c, np.float64)
    for n in range(len(x)):
        for i in range(y.shape[1]):
            top, bottom = i * h // y.shape[1], -((-i - 1) * h // y.shape[1])
            for j in range(y.shape[2]):
                left, right = j * w // y.shape[2], -((-j - 1) * w // y.shape[2])
                for k in range(c):
                    total[k] = np.float64(0.0)
                for a in range(top, bottom):
                    for k in range(c):
                        row[k] = x[n, a, left, k]
                    for b in range(left + 1, right):
                        add(x[n, a, b], 1.0, row)
                    for k in range(c):
                        total[k] += row[k]
                for k in range(c):
                    y[n, i, j, k] = real(total[k] / ((bottom - top) * (right - left)))


@compiled
def adaptive_backward(g: Array, dx: Array) -> None:
    """dx (n, h, w, c), which is 0, of g (n, h', w', c)"""
    _, h, w, _ = dx.shape
    for n in range(len(g)):
        for i in range(g.shape[1]):
            top, bottom = i * h // g.shape[1], -((-i - 1) * h // g.shape[1])
            for j in range(g.shape[2]):
                left, right = j * w // g.shape[2], -((-j - 1) * w // g.shape[2])
                part = 1.0 / real((bottom - top) * (right - left))
                for a in range(top, bottom):
                    for b in range(left, right):
                        add(g[n, i, j], part, dx[n, a, b])


@adaptive_avg_pool2d.fused("compiled")
def adaptive_avg_pool2d_compiled(x: Array, *, needs: tuple[bool, ...], output_size: Any) -> Any:
    """Run adaptive_avg_pool2d; keeps nothing."""
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if x.ndim != 4 or x.dtype.char not in "fd" or not x.size or len(wanted) != 2:
        return NotImplemented
    sizes = [m if o is None else o for o, m in zip(wanted, x.shape[2:], strict=True)]
    if any(type(o) is not int or o < 1 for o in sizes):
        return NotImplemented  # the plain Python says what is wrong
    last = to_last(x)
    shape, y = last.shape, np.empty((len(x), *sizes, x.shape[1]), x.dtype)
    share(adaptive_forward, (last, y))

    def pullback(g: Array) -> tuple[Array]:
        dx = np.zeros(shape, g.dtype)
        share(adaptive_backward, (to_last(g), dx))
        return (to_first(dx),)

    return to_first(y), pullback if needs[0] else None
