"""Reading images at any places: a grid of them, and the grid of an affine map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable, describe
from minitensor.op import op
from minitensor.ops.elementwise import abs, astype, equal, logical_and, where
from minitensor.ops.indexing.gather import read_along
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.shaping.shape import broadcast_to

__all__ = ["affine_grid", "grid_sample", "lattice"]


@op
def lattice(x: Array, nearest: bool) -> Array:
    """y = ⌊x⌋, or the nearest whole number (the even one of two), as a float; without a gradient"""
    xp = namespace(x)
    return xp.rint(x) if nearest else xp.floor(x)


def _clipped(x: Array, m: int) -> Array:
    """Bring places into [0, m - 1], NaN to 0; no gradient at the bounds."""
    x = where(x > 0, x, 0.0)
    return where(x < m - 1, x, float(m - 1))


def _within(x: Array, m: int, padding_mode: str, align: bool) -> Array:
    """Bring places on an axis of length m to where they are read; "zeros" leaves them."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, span = (0.0, m - 1) if align else (-0.5, m)
        if not span:
            return x * 0.0
        t = abs(x - low)
        turns = lattice(t / span, nearest=False)
        rest = t - turns * span
        x = where(equal(turns, 2 * lattice(turns / 2, nearest=False)), rest, span - rest) + low
    return _clipped(x, m)


def _read(flat: Array, places: Sequence[Array], lengths: Sequence[int]) -> Array:
    """Read (n, c, Π lengths) at whole places (n, p) on each axis: (n, c, p); 0 outside."""
    inside: Array = None
    index: Array = 0
    for x, m in zip(places, lengths, strict=True):
        ok = logical_and(x >= 0, x <= m - 1)
        index = index * m + astype(where(ok, x, 0.0), dtype="int64")
        inside = ok if inside is None else logical_and(inside, ok)
    (n, c, _), p = flat.shape, index.shape[1]
    values = read_along(flat, broadcast_to(index[:, None], shape=(n, c, p)), axis=2)
    return where(inside[:, None], values, 0.0)


def _cubic(t: Array) -> list[Array]:
    """Return the weights of the entries at -1, 0, 1, 2, for a place t after 0: Keys' kernel with a = -3/4."""
    a = -0.75

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _check(input: Array, grid: Array, mode: str, padding_mode: str) -> None:
    n = len(input.shape) - 2
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: mode is 'bilinear', 'nearest' or 'bicubic'; got {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode is 'zeros', 'border' or 'reflection'; got {padding_mode!r}")
    if n not in (2, 3) or (mode == "bicubic" and n == 3) or 0 in input.shape[2:]:
        raise ValueError(
            f"grid_sample takes (n, c, h, w) or, not bicubic, (n, c, d, h, w), not empty; got {describe(input)}"
        )
    if len(grid.shape) != n + 2 or grid.shape[-1] != n or grid.shape[0] != input.shape[0]:
        raise ValueError(
            f"grid_sample: a grid for {describe(input)} has {n + 2} axes, the same batch and {n} numbers at each "
            f"place; got {describe(grid)}"
        )
    for x in (input, grid):
        if x.dtype.kind not in "fV":
            raise TypeError(f"grid_sample takes floats; got {describe(x)}: use .astype('float32')")


@composite
def grid_sample(
    input: Array,
    grid: Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Array:
    """y[n, c, i, j] = x[n, c] read at the place (x, y) = grid[n, i, j], -1 and 1 being the image's borders

    x (n, c, h, w), grid (n, h', w', 2) -> (n, c, h', w'); or volumes (n, c, d, h, w) with (n, d', h', w', 3). The first
    number counts along the last axis. ±1 is the outer edge of the border pixels, with `align_corners` their middle.
    Outside x is 0 ("zeros"), the nearest border ("border") or mirrored ("reflection"). "nearest" has no gradient for
    the grid; halves go to the even pixel. Raises ValueError for other modes and shapes, TypeError for integers.
    Reference: Jaderberg et al. 2015. Differs from PyTorch: has second derivatives; dtypes are promoted.

    >>> import minitensor as mt
    >>> mt.nn.functional.grid_sample(mt.Tensor([[[[0.0, 4.0]]]]), mt.Tensor([[[[0.0, 0.0], [0.5, 0.0]]]]))
    Tensor float32 (1, 1, 1, 2): [[[[2. 4.]]]]
    """
    _check(input, grid, mode, padding_mode)
    align = bool(align_corners)
    (count, c, *lengths), out = input.shape, tuple(grid.shape[1:-1])
    n = len(lengths)
    flat = input.reshape((count, c, math.prod(lengths)))
    points = grid.reshape((count, math.prod(out), n))
    places = []
    for k, m in enumerate(lengths):
        g = points[:, :, n - 1 - k]
        places.append((g + 1) * ((m - 1) / 2) if align else (g + 1) * (m / 2) - 0.5)
    if mode != "bicubic":
        places = [_within(x, m, padding_mode, align) for x, m in zip(places, lengths, strict=True)]
    base = [lattice(x, nearest=mode == "nearest") for x in places]
    if mode == "nearest":
        y = _read(flat, base, lengths)
        return y.reshape((count, c, *out))
    parts = [x - b for x, b in zip(places, base, strict=True)]  # what follows the whole number
    weights = [_cubic(t) if mode == "bicubic" else [1 - t, t] for t in parts]
    first = -1 if mode == "bicubic" else 0
    y = None
    for corner in product(*[range(len(w)) for w in weights]):
        at = [b + (k + first) for b, k in zip(base, corner, strict=True)]
        if mode == "bicubic":
            at = [_within(x, m, padding_mode, align) for x, m in zip(at, lengths, strict=True)]
        weight = weights[0][corner[0]]
        for w, k in zip(weights[1:], corner[1:], strict=True):
            weight = weight * w[k]
        term = _read(flat, at, lengths) * weight[:, None]
        y = term if y is None else y + term
    return y.reshape((count, c, *out))


@composite
def affine_grid(theta: Array, size: Sequence[int], align_corners: bool | None = None) -> Array:
    """y[n, i, j] = θ_n (x_j, y_i, 1): where `grid_sample` reads an image of `size` for an affine map

    θ (n, 2, 3) with size (n, c, h, w) -> (n, h, w, 2); θ (n, 3, 4) with size (n, c, d, h, w) -> (n, d, h, w, 3). x and
    y are the pixels' middles on an image from -1 to 1, or with `align_corners` evenly spaced from -1 to 1. Raises
    ValueError for other shapes or an empty size, TypeError for integers.

    >>> import minitensor as mt
    >>> mt.nn.functional.affine_grid(mt.Tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 1, 2))
    Tensor float32 (1, 1, 2, 2): [[[[-0.5 0. ] [ 0.5 0. ]]]]
    """
    size = tuple(size)
    n = len(size) - 2
    if theta.dtype.kind not in "fV":
        raise TypeError(f"affine_grid takes floats; got {describe(theta)}: use .astype('float32')")
    if n not in (2, 3) or tuple(theta.shape) != (size[0], n, n + 1) or min(size) < 1:
        raise ValueError(
            f"affine_grid takes θ (n, 2, 3) or (n, 3, 4) and a size (n, c, ...); got {describe(theta)}, {size}"
        )
    xp = namespace(theta.data if isinstance(theta, Variable) else theta)
    columns = []
    for k, m in enumerate(reversed(size[2:])):
        step = 2 / (m - 1 if align_corners else m) if m > 1 else 0.0
        line = (xp.arange(m) - (m - 1) / 2) * step
        columns.append(xp.broadcast_to(line.reshape((-1, *(1,) * k)), size[2:]).reshape((-1, 1)))
    base = xp.concatenate([*columns, xp.ones_like(columns[0])], axis=1).astype(theta.dtype)  # (places, n + 1)
    return bmm(base, theta.mT).reshape((size[0], *size[2:], n))
