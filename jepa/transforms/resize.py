"""Cutting a box out of each example and resizing it, averaging where it shrinks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, floor

import numpy as np

from jepa.errors import DataError
from jepa.transforms.base import Examples

__all__ = ["Size", "crop_resize"]

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
    for k, box in enumerate(boxes):
        starts, sides = box[:axes], box[axes:]
        if min(starts) < 0 or min(sides) < 1 or any(a + b > m for a, b, m in zip(starts, sides, lengths, strict=True)):
            raise DataError(
                f"the box of {_said(sides)} at {_said(starts, ', ')} does not lie in an example of {_said(lengths)}"
            )
        part = x[(k, slice(None), *(slice(a, a + b) for a, b in zip(starts, sides, strict=True)))]  # (c, *sides)
        for axis in reversed(range(axes)):
            part = _resized(part, axis, new[axis], None if axis else y[k])
    return y


def _resized(x: Examples, axis: int, length: int, out: Examples | None) -> Examples:
    """Bring one axis behind the channels to a new length: (c, *lengths)."""
    old, last = x.shape[1 + axis], axis == x.ndim - 2
    y = np.empty((*x.shape[: 1 + axis], length, *x.shape[2 + axis :]), np.float32) if out is None else out
    weights = _weights(old, length)
    if last:
        for into, of in _pieces(old, length, x.shape[-2]):
            np.matmul(x[..., of], weights[into, of].T, out=y[..., into])
        return y
    behind = math.prod(x.shape[2 + axis :])
    flat, result = x.reshape(-1, old, behind), y.reshape(-1, length, behind)
    for into, of in _pieces(old, length, behind):
        np.matmul(weights[into, of], flat[:, of], out=result[:, into])
    return y


def _said(numbers: Sequence[int], by: str = " x ") -> str:
    return by.join(map(str, numbers))


@lru_cache(maxsize=2048)
def _pieces(inside: int, outside: int, other: int) -> tuple[tuple[slice, slice], ...]:
    """Cut a product of weights into pieces: which new pixels, and which old ones they are made of.

    So that each is small enough for BLAS to compute it in one thread: several threads would wait for each other longer
    than they compute, and round in another way than one. `other` is the number of pixels along the other axis.
    """
    s = inside / outside
    f = max(s, 1.0)
    if inside * outside * other <= ALONE:
        return ((slice(0, outside), slice(0, inside)),)
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
