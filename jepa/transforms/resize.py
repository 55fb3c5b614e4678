"""Cutting a box out of each example and resizing it, averaging where it shrinks."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, floor
from typing import Any

import numpy as np

from jepa.errors import DataError
from jepa.text import by_x
from jepa.transforms import loops
from jepa.transforms.base import Examples

Size = int | Sequence[int]
ALONE = 1 << 18  # multiplications of a product that OpenBLAS does not share out to threads
SMALL = 1 << 16  # weights; larger matrices, of whole photographs, are not kept


def crop_resize(x: Examples, boxes: Sequence[Sequence[int]], size: Size) -> Examples:
    """Cut a box out of each example and resize it along each axis behind the channels: of images y = Wy x[box] Wxᵀ.

    Output entry i of an axis sees the box around c_i = (i + 1/2) s, s = length / size, through a triangle of half-width
    f = max(s, 1): W_ij ~ max(0, 1 - |j + 1/2 - c_i| / f), each row of W summing to 1. Enlarging (s < 1), this is
    linear interpolation; shrinking, it averages, so that nothing aliases. Nothing outside the box is seen. Of images it
    is Pillow's `crop(box).resize(size, BILINEAR)` and torchvision's `resized_crop` with `antialias=True`, in float32.

    x: float32 (n, c, *lengths); boxes: n of them, where each begins along each axis, then its lengths, such as (top,
    left, height, width); size: of the result, (n, c, *size), one number for the same along each axis. Raises DataError
    for a box that leaves its example, or is empty.

    >>> x = np.float32([0, 1, 2, 3]).reshape(1, 1, 1, 4)
    >>> crop_resize(x, [(0, 2, 1, 2)], (1, 4))
    array([[[[2.  , 2.25, 2.75, 3.  ]]]], dtype=float32)
    """
    n, c, *lengths = x.shape
    axes = len(lengths)
    new = (size,) * axes if isinstance(size, int) else tuple(size)
    y = np.empty((n, c, *new), np.float32)
    where = np.asarray(boxes, np.int64).reshape(n, 2 * axes)
    starts, sides = where[:, :axes], where[:, axes:]
    outside = (starts < 0) | (sides < 1) | (starts + sides > lengths)
    if outside.any():
        k = int(outside.any(axis=1).argmax())
        place = ", ".join(map(str, starts[k]))
        raise DataError(f"the box of {by_x(sides[k])} at {place} does not lie in an example of {by_x(lengths)}")
    if axes == 2 and loops.chosen():
        return loops.resize(y, x, where)
    if np.isnan(x).any():
        return _with_gaps(x, boxes, new)
    for k, (start, end) in enumerate(zip(starts.tolist(), (starts + sides).tolist(), strict=True)):
        part: Any = (k, slice(None), *map(slice, start, end))
        _resize(x[part], new, y[k])
    return y


def _with_gaps(x: Examples, boxes: Sequence[Sequence[int]], size: Sequence[int]) -> Examples:
    """Return the crops of examples with gaps: of what is there, NaN where more than half of an entry is missing."""
    there = (~np.isnan(x)).astype(np.float32)
    y, share = (crop_resize(part, boxes, size) for part in (np.nan_to_num(x), there))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Examples = np.where(share >= 0.5, y / share, np.nan).astype(np.float32)
    return found


def _resize(x: Examples, new: Sequence[int], y: Examples) -> None:
    """Bring each axis behind the channels to its new length, the last one first: (c, *lengths) -> y (c, *new)."""
    shape, axes, behind = list(x.shape), x.ndim - 1, 1
    for axis in range(axes, 0, -1):
        old, length = shape[axis], new[axis - 1]
        shape[axis] = length
        weights, out = _weights(old, length), y if axis == 1 else np.empty(shape, np.float32)
        if axis == axes:
            pieces = _pieces(old, length, shape[axis - 1])
            if not pieces:
                np.matmul(x, weights.T, out=out)
            for into, of in pieces:
                np.matmul(x[..., of], weights[into, of].T, out=out[..., into])
        else:
            flat, result = (x, out) if axes == 2 else (x.reshape(-1, old, behind), out.reshape(-1, length, behind))
            pieces = _pieces(old, length, behind)
            if not pieces:
                np.matmul(weights, flat, out=result)
            for into, of in pieces:
                np.matmul(weights[into, of], flat[:, of], out=result[:, into])
        x, behind = out, behind * length


@lru_cache(maxsize=2048)
def _pieces(inside: int, outside: int, other: int) -> tuple[tuple[slice, slice], ...]:
    """Cut a product of weights into pieces: which new pixels, and which old ones they are made of; () for the whole.

    So that each is small enough for BLAS to compute it in one thread: several threads would wait for each other longer
    than they compute, and round in another way than one. `other` is the number of pixels along the other axis.
    """
    s = inside / outside
    f = max(s, 1.0)
    if inside * outside * other <= ALONE:
        return ()
    many = outside
    while many > 1 and many * (many * s + 2 * f + 2) * other > ALONE:
        many //= 2
    return tuple(
        (
            slice(k, min(k + many, outside)),
            slice(max(0, floor((k + 0.5) * s - f - 0.5)), min(inside, ceil((k + many - 0.5) * s + f) + 1)),
        )
        for k in range(0, outside, many)
    )


def _weights(inside: int, outside: int) -> Examples:
    """Return the weights (outside, inside) of the old pixels in each new one, along one axis."""
    return _small_weights(inside, outside) if inside * outside <= SMALL else _triangles(inside, outside)


def _triangles(inside: int, outside: int) -> Examples:
    s = inside / outside  # old pixels for each new one
    center = (np.arange(outside) + 0.5)[:, None] * s  # (outside, 1)
    w = np.maximum(0, 1 - np.abs(np.arange(inside) + 0.5 - center) / max(s, 1.0))  # (outside, inside)
    return np.asarray(w / w.sum(axis=1, keepdims=True), dtype=np.float32)


_small_weights = lru_cache(maxsize=512)(_triangles)  # the crops of a run have few different sides
