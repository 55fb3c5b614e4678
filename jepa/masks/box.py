"""A box of an array of any rank: its size and place at random; of images, where it lies seen from another one."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

    def overlap(self, other: "Box") -> int:
        """Return the number of pixels that lie in both boxes."""
        rows = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        columns = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        return max(rows, 0) * max(columns, 0)


def drawn_box(lengths: Sequence[int], numbers: Sequence[float], *, scale: Range, aspect: Range) -> tuple[int, ...]:
    """Turn 2 + axes uniform numbers in [0, 1) into a box: its size by the first two, its place by the others."""
    return box_place(lengths, numbers[2:], box_size(lengths, *numbers[:2], scale=scale, aspect=aspect))


def box_size(lengths: Sequence[int], u: float, v: float, *, scale: Range, aspect: Range) -> tuple[int, ...]:
    """Turn two uniform numbers u, v in [0, 1) into the size of a box in an array with these lengths.

    Its share of the array is uniform in `scale`. On one axis it is an interval. On two, width / height is log-uniform
    in that part of `aspect` that fits into the array with that area. An area is never given up for an aspect: where
    nothing in `aspect` fits (a large area of a panorama), the aspect nearest to it that does fit is taken. Nothing is
    rejected, so the area is not biased towards small boxes, as it is where misfits are drawn again (torchvision's
    `RandomResizedCrop`). Of k axes, more than two, each before the last two has the k-th root of the share, and those
    two, with `aspect`, what is then left.

    Returns the length along each axis, at least 1. Of two: |h w - area| <= max(h, w) / 2, which is what whole pixels
    allow; an area of less than a pixel becomes one.

    >>> [box_size(lengths, 0.5, 0.5, scale=(0, 0.5), aspect=(1, 1)) for lengths in ((100,), (32, 32), (8, 32, 32))]
    [(25,), (16, 16), (5, 20, 20)]
    """
    share = scale[0] + u * (scale[1] - scale[0])
    if len(lengths) == 2:
        return rectangle(lengths[0], lengths[1], share, v, aspect)
    if len(lengths) == 1:
        return (min(max(round(share * lengths[0]), 1), lengths[0]),)
    first = tuple(min(max(round(n * share ** (1 / len(lengths))), 1), n) for n in lengths[:-2])
    left = min(share * math.prod(lengths[:-2]) / math.prod(first), 1.0)
    return *first, *rectangle(lengths[-2], lengths[-1], left, v, aspect)


def rectangle(height: int, width: int, share: float, v: float, aspect: Range) -> tuple[int, int]:
    """Return the height and width of a box with a share of an image: see `box_size`."""
    area = max(share * height * width, 1.0)
    tallest = max(area / height**2, 1 / area)  # aspect of the tallest box of this area: h = height, or w = 1
    widest = min(width**2 / area, area)
    low = min(max(aspect[0], tallest), widest)
    high = max(min(aspect[1], widest), tallest)
    w = min(max(round(math.sqrt(area * low * (high / low) ** v)), 1), width)
    return min(max(round(area / w), 1), height), w


def box_place(lengths: Sequence[int], numbers: Sequence[float], size: Sequence[int]) -> tuple[int, ...]:
    """Turn a uniform number in [0, 1) for each axis into a place for a box of this size: all are equally likely.

    Returns where the box begins along each axis, then its lengths: of two axes the numbers of a `Box`.

    >>> box_place((10, 10), (0.0, 0.999), (3, 3))
    (0, 7, 3, 3)
    """
    return (*[int(u * (n - k + 1)) for n, u, k in zip(lengths, numbers, size, strict=True)], *size)


def filled(lengths: Sequence[int], boxes: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Return which entries of an array with these lengths lie in any of the boxes.

    >>> filled((2, 3), [(0, 1, 1, 2)]).astype(int).tolist()
    [[0, 1, 1], [0, 0, 0]]
    """
    inside, axes = np.zeros(lengths, bool), len(lengths)
    for box in boxes:
        inside[slices(box[:axes], box[axes:])] = True
    return inside


def slices(starts: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Return what cuts a box out of an array."""
    return tuple(map(slice, starts, map(operator.add, starts, sizes)))


def geometry(context: Sequence[int] | NDArray[Any], targets: Sequence[Sequence[int]] | NDArray[Any]) -> NDArray[Any]:
    """Return where targets lie, seen from the context: what the predictor is told.

    ((ty - cy) / ch, (tx - cx) / cw, log(th / ch), log(tw / cw)), with (cy, cx) and (ty, tx) the centers of context
    and target, (ch, cw) and (th, tw) their sizes. Target equal to context: four zeros.

    context: a Box, or int (..., 4), (top, left, height, width), in pixels of the source image; targets: T Boxes, or int
    (..., T, 4). Returns float32 (..., T, 4).

    >>> geometry(Box(0, 0, 32, 32), [Box(0, 0, 16, 16), Box(0, 0, 32, 32)]).round(3)
    array([[-0.25 , -0.25 , -0.693, -0.693],
           [ 0.   ,  0.   ,  0.   ,  0.   ]], dtype=float32)
    """
    c = np.asarray(context, dtype=np.float64)[..., None, :]  # (..., 1, 4)
    t = np.asarray(targets, dtype=np.float64)  # (..., T, 4)
    move = (t[..., :2] + t[..., 2:] / 2 - c[..., :2] - c[..., 2:] / 2) / c[..., 2:]  # (..., T, 2)
    return np.concatenate([move, np.log(t[..., 2:] / c[..., 2:])], axis=-1).astype(np.float32)
