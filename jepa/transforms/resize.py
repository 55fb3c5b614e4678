"""Cutting a box out of each image and resizing it, averaging where it shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Any

import numpy as np

from jepa.errors import DataError
from jepa.transforms.base import Images, Transform

__all__ = ["Resize", "Size", "crop_resize", "sides"]

Size = int | tuple[int, int]
ALONE = 1 << 18  # multiplications of a product that OpenBLAS does not share out to threads
SMALL = 1 << 16  # weights; larger matrices, of whole photographs, are not kept


def crop_resize(x: Images, boxes: Sequence[Sequence[int]], size: Size) -> Images:
    """Cut a box out of each image and resize it: y = Wy x[box] Wxᵀ.

    Output pixel i sees the box around c_i = (i + 1/2) s, s = length / size, through a triangle of half-width
    f = max(s, 1): W_ij ~ max(0, 1 - |j + 1/2 - c_i| / f), each row of W summing to 1. Enlarging (s < 1), this is
    bilinear interpolation; shrinking, it averages, so that nothing aliases. Nothing outside the box is seen. It is
    Pillow's `crop(box).resize(size, BILINEAR)` and torchvision's `resized_crop` with `antialias=True`, in float32.

    Parameters
    ----------
    x : float32 array (N, C, H, W)
        The images.
    boxes : N tuples of int
        (top, left, height, width) in pixels, within the image.
    size : int or (height, width)
        Of the result, in pixels.

    Returns
    -------
    float32 array (N, C, height, width)

    Raises
    ------
    DataError
        A box that leaves the image, or is empty.

    Examples
    --------
    >>> x = np.float32([0, 1, 2, 3]).reshape(1, 1, 1, 4)
    >>> crop_resize(x, [(0, 2, 1, 2)], (1, 4))
    array([[[[2.  , 2.25, 2.75, 3.  ]]]], dtype=float32)
    """
    n, c, rows, columns = x.shape
    high, wide = sides(size)
    y = np.empty((n, c, high, wide), np.float32)
    for k, (top, left, h, w) in enumerate(boxes):
        if min(top, left) < 0 or min(h, w) < 1 or top + h > rows or left + w > columns:
            raise DataError(
                f"the box of {h} x {w} pixels at row {top}, column {left} does not lie in an image of "
                f"{rows} x {columns} pixels"
            )
        part = x[k, :, top : top + h, left : left + w]  # (C, h, w)
        down, over = _weights(h, high), _weights(w, wide)
        across = np.empty((c, h, wide), np.float32)
        for into, of in _pieces(w, wide, h):
            np.matmul(part[:, :, of], over[into, of].T, out=across[:, :, into])
        for into, of in _pieces(h, high, wide):
            np.matmul(down[into, of], across[:, of], out=y[k, :, into])
    return y


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


def _weights(inside: int, outside: int) -> Images:
    """Return the weights (outside, inside) of the old pixels in each new one, along one axis."""
    return _small_weights(inside, outside) if inside * outside <= SMALL else _triangles(inside, outside)


def _triangles(inside: int, outside: int) -> Images:
    s = inside / outside  # old pixels for each new one
    centre = (np.arange(outside) + 0.5)[:, None] * s  # (outside, 1)
    w = np.maximum(0, 1 - np.abs(np.arange(inside) + 0.5 - centre) / max(s, 1.0))  # (outside, inside)
    return np.asarray(w / w.sum(axis=1, keepdims=True), dtype=np.float32)


_small_weights = lru_cache(maxsize=512)(_triangles)  # the crops of a run have few different sides


def sides(size: Size) -> tuple[int, int]:
    """Return (height, width); a single number means a square."""
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise DataError(f"a size of {size} pixels is not possible: each side needs at least 1")
    return height, width


@dataclass(frozen=True)
class Resize(Transform):
    """Resize to `size` (a square, or (height, width)), whatever the proportions; antialiased, see `crop_resize`.

    >>> Resize(8)(np.zeros((3, 5, 20), np.float32), None).shape
    (3, 8, 8)
    """

    size: Size

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return the resized images (N, C, *size)."""
        return crop_resize(x, [(0, 0, *x.shape[2:])] * len(x), self.size)
