"""Cutting out a part of the image: the middle, a random part, a random part resized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepa.errors import DataError
from jepa.masks.box import Box, box_place, box_size
from jepa.transforms.base import Images, Transform
from jepa.transforms.resize import Size, crop_resize, sides

__all__ = ["CenterCrop", "RandomCrop", "RandomResizedCrop"]


def _room(owner: Transform, x: Images, size: Size) -> tuple[int, int]:
    """Return how many rows and columns are left over beside a crop; DataError if it does not fit."""
    (h, w), (high, wide) = x.shape[2:], sides(size)
    if high > h or wide > w:
        raise DataError(f"{owner!r} does not fit into an image of {h} x {w} pixels: resize it first")
    return h - high, w - wide


@dataclass(frozen=True)
class CenterCrop(Transform):
    """Cut out the middle; with an odd number of pixels left over, the extra one is cut at the bottom or right.

    >>> CenterCrop(2)(np.arange(16, dtype=np.float32).reshape(1, 4, 4), None)
    array([[[ 5.,  6.],
            [ 9., 10.]]], dtype=float32)
    """

    size: Size

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return the middle of each image."""
        (rows, columns), (high, wide) = _room(self, x, self.size), sides(self.size)
        top, left = rows // 2, columns // 2
        return x[:, :, top : top + high, left : left + wide].copy()


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Cut out a part of this size; every place is as likely as any other.

    `padding` pixels of the value `fill` are put around the image first.
    """

    size: Size
    padding: int = 0
    fill: float = 0.0

    def draw(self, generator: np.random.Generator | None) -> Any:
        """Return two uniform numbers: the place, as a share of all places."""
        assert generator is not None, "RandomCrop needs a generator"
        return generator.random(2).tolist()

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return a part of each image."""
        p = self.padding
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=self.fill) if p else x
        _room(self, x, self.size)
        (h, w), size = x.shape[2:], sides(self.size)
        return crop_resize(x, [box_place(h, w, u, v, size) for u, v in draws], size)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """Cut out a part of random area, proportions and place, and resize it to `size`; antialiased, see `crop_resize`.

    `scale`: area as a share of the image; `ratio`: width / height, log-uniform. torchvision draws again, up to 10
    times, what does not fit, which favours small areas; here the area is uniform, and the ratio is drawn among those
    that fit (the nearest, where none does).
    """

    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if not (0 < self.scale[0] <= self.scale[1] <= 1 and 0 < self.ratio[0] <= self.ratio[1]):
            raise DataError(f"{self!r}: scale must be (smallest, largest) in 0 to 1, ratio (smallest, largest) above 0")

    def draw(self, generator: np.random.Generator | None) -> Any:
        """Return four uniform numbers: area, ratio, row, column."""
        assert generator is not None, "RandomResizedCrop needs a generator"
        return generator.random(4).tolist()

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return a part of each image, resized."""
        return crop_resize(x, self.boxes(x.shape[2], x.shape[3], draws), self.size)

    def boxes(self, height: int, width: int, draws: Sequence[Any]) -> list[Box]:
        """Return the boxes that these draws mean."""
        boxes = []
        for a, b, c, d in draws:
            size = box_size(height, width, a, b, scale=self.scale, aspect=self.ratio)
            boxes.append(box_place(height, width, c, d, size))
        return boxes
