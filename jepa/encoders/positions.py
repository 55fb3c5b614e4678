"""Where a patch lies, as a vector: the fixed sine-cosine code of a grid, and codes of one grid for another."""

import math

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Grid
from jepa.errors import ConfigError

STD = 0.02  # of learned positions, at first


def sincos(places: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """Return the sine-cosine code of places, in units of a patch: (n, axes) -> (n, dim).

    Each axis has its share of the code, the last axis first: of images the first half tells the column, the second the
    row. A share of 2 m numbers is (sin(p ω), cos(p ω)) with ω_j = 10000^(-j / m), j = 0 .. m - 1 (Vaswani et al. 2017,
    section 3.5; the order of I-JEPA's code). Where axes do not divide the pairs, the first shares have one more.

    >>> sincos(np.array([[0.0, 1.0]]), 4).round(2).tolist()  # sin 1, cos 1, sin 0, cos 0
    [[0.84, 0.54, 0.0, 1.0]]
    """
    axes, shares = places.shape[1], []
    for k, along in enumerate(places.T[::-1]):
        count = dim // 2 // axes + (k < dim // 2 % axes)
        angles = np.outer(along, 10000.0 ** (-np.arange(count) / count))  # (n, count)
        shares += [np.sin(angles), np.cos(angles)]
    return np.concatenate(shares, axis=1)


def sincos_positions(grid: Grid, dim: int) -> NDArray[np.float64]:
    """Return the sine-cosine positions of a grid of any rank, in raster order: (places, dim).

    >>> sincos_positions((2, 3), 8).shape, sincos_positions((5,), 8).shape
    ((6, 8), (5, 8))
    """
    return sincos(np.indices(grid, dtype=np.float64).reshape(len(grid), -1).T, dim)


def position_parameter(kind: str, grid: Grid, dim: int, role: str = "encoder") -> mt.nn.Parameter:
    """Return positions (1, places, dim): "sincos", fixed, or "learned", from N(0, 0.02²) cut at ±2.

    Fixed ones are a parameter too, without a gradient, so that they are counted and saved as in I-JEPA's code. Raises
    ConfigError, in words for the part of this role, for a dim that is odd or has less than two numbers for each axis.

    >>> position_parameter("sincos", (2, 2), 8).requires_grad
    False
    """
    if kind == "sincos":
        if dim % 2 or dim < 2 * len(grid):
            raise ConfigError(
                f"{role}.dim={dim}: sine-cosine positions need an even number, at least {2 * len(grid)} (sine and "
                f"cosine of each axis); or set {role}.positions=learned"
            )
        fixed = mt.nn.Parameter(sincos_positions(grid, dim)[None].astype(np.float32))
        fixed.requires_grad_(False)
        return fixed
    learned = mt.nn.Parameter(np.zeros((1, math.prod(grid), dim), np.float32))
    mt.nn.init.trunc_normal_(learned, std=STD)
    return learned


def interpolate_positions(positions: mt.Tensor, grid: Grid, to: Grid) -> mt.Tensor:
    """Return the positions (1, places, dim) of one grid for another one, by cubic interpolation along each axis.

    The example stays the same and is cut into more or fewer patches: the corners of the grids coincide with its own.

    >>> interpolate_positions(mt.ones((1, 4, 8)), (2, 2), (3, 5)).shape
    (1, 15, 8)
    """
    if grid == to:
        return positions
    if positions.shape[1] != math.prod(grid):
        raise ValueError(f"{positions.shape[1]} positions are no grid of {' x '.join(map(str, grid))} patches")
    dim, (*lead, rows, columns), (*leads, height, width) = positions.shape[2], (1, *grid), (1, *to)
    planes = positions.reshape(-1, dim).T.reshape(1, -1, rows, columns)  # (1, dim · leading places, rows, columns)
    planes = mt.nn.functional.interpolate(planes, size=(height, width), mode="bicubic")
    done = height * width
    for here, there in zip(reversed(lead), reversed(leads), strict=True):  # the axes before the last two, one by one
        if here != there:
            planes = planes.reshape(1, -1, here, done)
            planes = mt.nn.functional.interpolate(planes, size=(there, done), mode="bicubic")
        done *= there
    return planes.reshape(1, dim, -1).swapaxes(1, 2)
