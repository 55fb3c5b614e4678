"""Where a patch lies, as a vector: the fixed sine-cosine code of a grid, and codes of one grid for another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

import minitensor as mt

__all__ = ["interpolate_positions", "position_parameter", "sincos", "sincos_positions"]

Grid = tuple[int, int]


def sincos(places: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """Return the 2-D sine-cosine code of places (row, column), in units of a patch: (n, 2) -> (n, dim).

    The first half of a code tells the column, the second the row; each half is (sin(p ω), cos(p ω)) with
    ω_j = 10000^(-j / (dim / 4)), j = 0 .. dim/4 - 1 (Vaswani et al. 2017, section 3.5; the order of I-JEPA's code).

    >>> sincos(np.array([[0.0, 1.0]]), 4).round(2).tolist()  # sin 1, cos 1, sin 0, cos 0
    [[0.84, 0.54, 0.0, 1.0]]
    """
    if dim % 4 or dim < 4:
        raise ValueError(f"sine-cosine positions need a dim that 4 divides (sine and cosine of two axes); got {dim}")
    omega = 10000.0 ** (-np.arange(dim // 4) / (dim / 4))  # (dim / 4,)
    halves = [np.outer(axis, omega) for axis in (places[:, 1], places[:, 0])]  # 2 of (n, dim / 4)
    return np.concatenate([f(half) for half in halves for f in (np.sin, np.cos)], axis=1)


def sincos_positions(grid: Grid, dim: int) -> NDArray[np.float64]:
    """Return the sine-cosine positions of a grid of patches, in raster order: (rows · columns, dim).

    >>> sincos_positions((2, 3), 8).shape
    (6, 8)
    """
    return sincos(np.indices(grid, dtype=np.float64).reshape(2, -1).T, dim)


def position_parameter(kind: str, grid: Grid, dim: int) -> mt.nn.Parameter:
    """Return positions (1, rows · columns, dim): "sincos", fixed, or "learned", from N(0, 0.02²) cut at ±2.

    Fixed ones are a parameter too, without a gradient, so that they are counted and saved as in I-JEPA's code.

    >>> position_parameter("sincos", (2, 2), 8).requires_grad
    False
    """
    if kind not in ("sincos", "learned"):
        raise ValueError(f"positions is 'sincos' or 'learned'; got {kind!r}")
    if kind == "sincos":
        fixed = mt.nn.Parameter(sincos_positions(grid, dim)[None].astype(np.float32))
        fixed.requires_grad_(False)
        return fixed
    learned = mt.nn.Parameter(np.zeros((1, math.prod(grid), dim), np.float32))
    mt.nn.init.trunc_normal_(learned, std=0.02)
    return learned


def interpolate_positions(positions: mt.Tensor, grid: Grid, to: Grid) -> mt.Tensor:
    """Return the positions (1, rows · columns, dim) of one grid for another one, by bicubic interpolation.

    The image stays the same and is cut into more or fewer patches: the corners of the grids coincide with the image's.

    >>> interpolate_positions(mt.ones((1, 4, 8)), (2, 2), (3, 5)).shape
    (1, 15, 8)
    """
    if grid == to:
        return positions
    if positions.shape[1] != math.prod(grid):
        raise ValueError(f"{positions.shape[1]} positions are no grid of {grid[0]} x {grid[1]} patches")
    dim = positions.shape[2]
    planes = positions.reshape(1, *grid, dim).transpose(0, 3, 1, 2)  # (1, dim, rows, columns)
    planes = mt.nn.functional.interpolate(planes, size=to, mode="bicubic")
    return planes.transpose(0, 2, 3, 1).reshape(1, math.prod(to), dim)
