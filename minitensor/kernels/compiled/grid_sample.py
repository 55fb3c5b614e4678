"""Reading images at any places between four pixels, all channels at once; places outside are 0, or the nearest border.

With t what the place lies behind the whole numbers a, v the four pixels and s what a place moves by with the grid,

    y = Σ_kl w_k(t₀) w_l(t₁) v_kl, w = (1 - t, t)      dv_kl = w_k w_l g      dgrid = s Σ_kl ∂(w_k w_l)/∂t <g, v_kl>

The gradient of an image is added up in float64.
"""

from typing import Any

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.compiled.compiler import compiled, inlined, real
from minitensor.kernels.compiled.layout import packed, share, to_last
from minitensor.kernels.cpu.layout import to_first
from minitensor.ops.windows.grid_sample import grid_sample

Array = np.ndarray


@inlined
def place(g: Any, length: Any, align: Any, border: Any) -> Any:
    """Return where on an axis of pixels a number from -1 to 1 lies, and what it moves by with that number."""
    slope = (real(length) - 1.0) / 2.0 if align else real(length) / 2.0
    x = (g + 1.0) * slope if align else (g + 1.0) * slope - 0.5
    if border:
        x = x if x > 0.0 else 0.0
        slope = slope if 0.0 < x < real(length) - 1.0 else 0.0
        x = x if x < real(length) - 1.0 else real(length) - 1.0
    return x, slope


@compiled
def forward(x: Array, grid: Array, y: Array, align: bool, border: bool) -> None:
    """y (n, places, c) of images (n, h, w, c) at a grid (n, places, 2)"""
    n, h, w, channels = x.shape
    for i in range(n):
        for p in range(grid.shape[1]):
            row, _ = place(grid[i, p, 1], h, align, border)
            column, _ = place(grid[i, p, 0], w, align, border)
            a, b = np.floor(row), np.floor(column)
            s, t = row - a, column - b
            for c in range(channels):
                y[i, p, c] = 0.0
            for k in range(4):
                u, v = a + real(k // 2), b + real(k % 2)
                weight = (s if k // 2 else 1.0 - s) * (t if k % 2 else 1.0 - t)
                if 0.0 <= u < h and 0.0 <= v < w:
                    q, r = int(u), int(v)
                    for c in range(channels):
                        y[i, p, c] += weight * x[i, q, r, c]
                elif weight != weight:
                    for c in range(channels):
                        y[i, p, c] = weight


@compiled(sums=True)
def backward(g: Array, x: Array, grid: Array, dx: Array, dgrid: Array, align: bool, border: bool) -> None:
    """dx (n, h, w, c) and dgrid (n, places, 2) of g (n, places, c)"""
    n, h, w, channels = x.shape
    total, along = np.empty((h, w, channels), np.float64), np.empty(4, np.float64)
    for i in range(n):
        total[:] = np.float64(0.0)
        for p in range(grid.shape[1]):
            row, row_slope = place(grid[i, p, 1], h, align, border)
            column, column_slope = place(grid[i, p, 0], w, align, border)
            a, b = np.floor(row), np.floor(column)
            s, t = row - a, column - b
            for k in range(4):
                u, v = a + real(k // 2), b + real(k % 2)
                weight = (s if k // 2 else 1.0 - s) * (t if k % 2 else 1.0 - t)
                along[k] = np.float64(0.0)
                if 0.0 <= u < h and 0.0 <= v < w:
                    q, r = int(u), int(v)
                    product = 0.0
                    for c in range(channels):
                        product += g[i, p, c] * x[i, q, r, c]
                        total[q, r, c] += weight * g[i, p, c]
                    along[k] = product
            down, right = along[2] - along[0], along[1] - along[0]
            below, beside = along[3] - along[1], along[3] - along[2]
            dgrid[i, p, 1] = real(((1.0 - t) * down + t * below) * row_slope)
            dgrid[i, p, 0] = real(((1.0 - s) * right + s * beside) * column_slope)
        for q in range(h):
            for r in range(w):
                for c in range(channels):
                    dx[i, q, r, c] = real(total[q, r, c])


@grid_sample.fused("compiled")
def grid_sample_compiled(
    x: Array,
    grid: Array,
    *,
    needs: tuple[bool, ...],
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Outcome:
    """Run grid_sample of images, bilinear, with zeros or the border around; keeps x and the grid."""
    if x.ndim != 4 or grid.ndim != 4 or len(x) != len(grid) or grid.shape[3] != 2 or not x.size or not grid.size:
        return NotImplemented
    if mode != "bilinear" or padding_mode not in ("zeros", "border") or x.dtype != grid.dtype:
        return NotImplemented
    if x.dtype.char not in "fd":
        return NotImplemented
    n, out, settings = len(x), grid.shape[1:3], (bool(align_corners), padding_mode == "border")
    last, points = to_last(x), packed(grid).reshape(n, -1, 2)
    y = np.empty((n, points.shape[1], x.shape[1]), x.dtype)
    share(forward, (last, points, y), *settings)

    def pullback(g: Array) -> tuple[Array | None, ...]:
        dx, dgrid = np.empty_like(last), np.empty_like(points)
        share(backward, (to_last(g).reshape(y_shape), last, points, dx, dgrid), *settings)
        return to_first(dx), dgrid.reshape(n, *out, 2)

    y_shape = y.shape
    return to_first(y.reshape(n, *out, -1)), pullback if any(needs) else None
