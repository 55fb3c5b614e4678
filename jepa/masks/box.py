"""A rectangle of pixels: its size and place at random, and where it lies seen from another one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Range", "box_place", "box_size", "geometry"]

Range = tuple[float, float]


class Box(NamedTuple):
    """Rows top .. top + height and columns left .. left + width of an image, in whole pixels.

    >>> Box(0, 0, 4, 6).area, Box(0, 0, 4, 6).overlap(Box(2, 3, 4, 6))
    (24, 6)
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def overlap(self, other: Box) -> int:
        """Return the number of pixels that lie in both boxes."""
        rows = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        columns = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        return max(rows, 0) * max(columns, 0)

    def moved(self, down: int, right: int) -> Box:
        """Return the same box so many pixels further down and to the right."""
        return Box(self.top + down, self.left + right, self.height, self.width)


def box_size(height: int, width: int, u: float, v: float, *, scale: Range, aspect: Range) -> tuple[int, int]:
    """Turn two uniform numbers u, v in [0, 1) into the size of a box in an image of `height` x `width` pixels.

    The area is uniform in `scale`, a share of the image's; width / height is log-uniform in that part of `aspect`
    that fits into the image with that area. An area is never given up for an aspect: where nothing in `aspect` fits
    (a large area of a panorama), the aspect nearest to it that does fit is taken. Nothing is rejected, so the area
    is not biased towards small boxes, as it is where misfits are drawn again (torchvision's `RandomResizedCrop`).

    Returns
    -------
    (h, w) with 1 <= h <= height, 1 <= w <= width and |h w - area| <= max(h, w) / 2, which is what whole pixels allow;
    an area of less than a pixel becomes one.

    >>> box_size(32, 32, 0.5, 0.5, scale=(0, 0.5), aspect=(1, 1))
    (16, 16)
    """
    share = scale[0] + u * (scale[1] - scale[0])
    area = max(share * height * width, 1.0)
    tallest = max(area / height**2, 1 / area)  # aspect of the tallest box of this area: h = height, or w = 1
    widest = min(width**2 / area, area)
    low = min(max(aspect[0], tallest), widest)
    high = max(min(aspect[1], widest), tallest)
    w = min(max(round(math.sqrt(area * low * (high / low) ** v)), 1), width)
    return min(max(round(area / w), 1), height), w


def box_place(height: int, width: int, u: float, v: float, size: tuple[int, int]) -> Box:
    """Turn two uniform numbers u, v in [0, 1) into a place for a box of this size: all are equally likely.

    >>> box_place(10, 10, 0.0, 0.999, (3, 3))
    Box(top=0, left=7, height=3, width=3)
    """
    return Box(int(u * (height - size[0] + 1)), int(v * (width - size[1] + 1)), *size)


def geometry(context: Sequence[int] | NDArray[Any], targets: Sequence[Sequence[int]] | NDArray[Any]) -> NDArray[Any]:
    """Return where targets lie, seen from the context: what the predictor is told.

    ((ty - cy) / ch, (tx - cx) / cw, log(th / ch), log(tw / cw)), with (cy, cx) and (ty, tx) the centres of context
    and target, (ch, cw) and (th, tw) their sizes. Target equal to context: four zeros.

    Parameters
    ----------
    context : Box, or int array (..., 4)
        (top, left, height, width), in pixels of the source image.
    targets : list of T Boxes, or int array (..., T, 4)
        The same.

    Returns
    -------
    float32 array (..., T, 4)

    Examples
    --------
    >>> geometry(Box(0, 0, 32, 32), [Box(0, 0, 16, 16), Box(0, 0, 32, 32)]).round(3)
    array([[-0.25 , -0.25 , -0.693, -0.693],
           [ 0.   ,  0.   ,  0.   ,  0.   ]], dtype=float32)
    """
    c = np.asarray(context, dtype=np.float64)[..., None, :]  # (..., 1, 4)
    t = np.asarray(targets, dtype=np.float64)  # (..., T, 4)
    move = (t[..., :2] + t[..., 2:] / 2 - c[..., :2] - c[..., 2:] / 2) / c[..., 2:]  # (..., T, 2)
    return np.concatenate([move, np.log(t[..., 2:] / c[..., 2:])], axis=-1).astype(np.float32)
