"""Pooling of windows that tile the image: the k·k places of all windows are k·k strided slices of it.

y = max over places of x[place]        dx[place] = g where x[place] = y and no earlier place did
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.kernels.cpu.layout import to_first, to_last
from minitensor.ops.convolution import pair
from minitensor.ops.pooling import avg_pool2d, max_pool2d

Array = np.ndarray[Any, Any]


def _tiles(x: Array, kernel_size: Any, stride: Any, padding: Any) -> list[tuple[slice, ...]] | None:
    """Return the slice of (n, h, w, c) at each place of a window, row by row; None if the windows do not tile."""
    kh, kw = pair(kernel_size)
    if (
        pair(kernel_size if stride is None else stride) != (kh, kw)
        or pair(padding) != (0, 0)
        or x.ndim != 4
        or 0 in x.shape
    ):
        return None
    if x.shape[2] % kh or x.shape[3] % kw:
        return None
    return [(slice(None), slice(i, None, kh), slice(j, None, kw)) for i in range(kh) for j in range(kw)]


@max_pool2d.fused("cpu")
def max_pool2d_cpu(x: Array, *, needs: tuple[bool, ...], kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Run max_pool2d over tiles; keeps x and y."""
    tiles = _tiles(x, kernel_size, stride, padding)
    if tiles is None:
        return NotImplemented
    last = to_last(x)
    y = last[tiles[0]].copy()
    for tile in tiles[1:]:
        np.maximum(y, last[tile], out=y)

    def pullback(g: Array) -> tuple[Array]:
        g = to_last(g).copy()  # what is not handed out yet
        dx = np.empty_like(last)
        for tile in tiles[:-1]:
            part = np.multiply(g, last[tile] == y, out=dx[tile])
            g -= part
        dx[tiles[-1]] = g
        return (to_first(dx),)

    return to_first(y), pullback


@avg_pool2d.fused("cpu")
def avg_pool2d_cpu(x: Array, *, needs: tuple[bool, ...], kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Run avg_pool2d over tiles; keeps nothing."""
    tiles = _tiles(x, kernel_size, stride, padding)
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
