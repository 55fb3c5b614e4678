"""Pooling of windows that tile the image: the k·k places of all windows are k·k strided slices of it.

y = max over places of x[place]        dx[place] = g where x[place] = y and no earlier place did
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import to_first, to_last
from minitensor.ops.windows.average_pooling import avg_pool2d
from minitensor.ops.windows.max_pooling import max_pool2d
from minitensor.sums import total

Array = np.ndarray
LARGEST = 1024  # entries of a window that are added one by one
PLAIN = {
    "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False, "count_include_pad": True,
    "divisor_override": None,
}  # fmt: skip


def _window(x: Array, kernel_size: Any, stride: Any = None, **settings: Any) -> tuple[int, int] | None:
    """Return the height and width of the windows; None if they do not tile."""
    plain = all(value == PLAIN[name] or value == (PLAIN[name],) * 2 for name, value in settings.items())
    size, step = ((v, v) if isinstance(v, int) else v for v in (kernel_size, kernel_size if stride is None else stride))
    if not plain or size != step or x.ndim != 4 or 0 in x.shape or not (isinstance(size, tuple) and len(size) == 2):
        return None
    kh, kw = size
    if kh < 1 or kw < 1 or x.shape[2] % kh or x.shape[3] % kw:
        return None
    return kh, kw


def _tiles(x: Array, **settings: Any) -> list[tuple[slice, ...]] | None:
    """Return the slice of (n, h, w, c) at each place of a window, row by row; None if the windows do not tile."""
    window = _window(x, **settings)
    if window is None:
        return None
    kh, kw = window
    return [(slice(None), slice(i, None, kh), slice(j, None, kw)) for i in range(kh) for j in range(kw)]


@max_pool2d.fused("cpu")
def max_pool2d_cpu(x: Array, *, needs: tuple[bool, ...], **settings: Any) -> Outcome:
    """Run max_pool2d over tiles; keeps x and y."""
    tiles = _tiles(x, **settings)
    if tiles is None:
        return NotImplemented
    last = to_last(x)
    y = last[tiles[0]].copy()
    for tile in tiles[1:]:
        np.maximum(y, last[tile], out=y)
    if np.isnan(y.max()):  # it stands at the last NaN, not at the first largest entry
        return NotImplemented

    def pullback(g: Array) -> tuple[Array]:
        g = to_last(g).copy()  # what is not handed out yet
        dx = np.empty_like(last)
        for tile in tiles[:-1]:
            part = np.multiply(g, last[tile] == y, out=dx[tile])
            g -= part
        dx[tiles[-1]] = g
        return (to_first(dx),)

    return to_first(y), pullback


def _large(x: Array, kh: int, kw: int) -> Outcome:
    """Average windows of so many entries that adding them one by one would be slow and wrong."""
    n, c, h, w = x.shape
    y = total(x.reshape(n, c, h // kh, kh, w // kw, kw), (3, 5))
    y *= 1 / (kh * kw)

    def pullback(g: Array) -> tuple[Array]:
        share = (g * np.asarray(1 / (kh * kw), g.dtype))[:, :, :, None, :, None]
        return (np.broadcast_to(share, (n, c, h // kh, kh, w // kw, kw)).reshape(x.shape),)

    return y, pullback


@avg_pool2d.fused("cpu")
def avg_pool2d_cpu(x: Array, *, needs: tuple[bool, ...], **settings: Any) -> Outcome:
    """Run avg_pool2d over tiles; keeps nothing."""
    window = _window(x, **settings)
    if window is not None and window[0] * window[1] > LARGEST:
        return _large(x, *window)
    tiles = _tiles(x, **settings)
    if tiles is None:
        return NotImplemented
    last = to_last(x)
    y = last[tiles[0]].copy()
    for tile in tiles[1:]:
        y += last[tile]
    y *= 1 / len(tiles)
    shape = last.shape

    def pullback(g: Array) -> tuple[Array]:
        share = to_last(g) * np.asarray(1 / len(tiles), g.dtype)
        dx = np.empty(shape, g.dtype)
        for tile in tiles:
            dx[tile] = share
        return (to_first(dx),)

    return to_first(y), pullback
