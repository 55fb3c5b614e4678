"""What convolutional encoders share: the places of their last feature map are tokens, their mean the embedding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import minitensor as mt

__all__ = ["IMAGE_SIZE", "FeatureMapEncoder", "pair"]

Pair = int | tuple[int, int]
IMAGE_SIZE = 32  # pixels of a side, where nobody says: CIFAR's


def pair(value: Pair) -> tuple[int, int]:
    """Return (height, width) of a side or of both.

    >>> pair(32), pair((24, 32))
    ((32, 32), (24, 32))
    """
    return (value, value) if isinstance(value, int) else (value[0], value[1])


class FeatureMapEncoder(mt.nn.Layer):
    """Images to a feature map; each of its places is a token, in raster order.

    A subclass sets `dim`, `image_size` and `stride` (pixels from one place to the next) and defines `feature_map`.

    Shapes: `feature_map` (n, channels, h, w) -> (n, dim, rows, columns); `tokens` -> (n, rows · columns, dim);
    `forward` -> (n, dim), their mean. `grid`: rows and columns for images of `image_size`; images of other sizes have
    other grids.

    >>> class Stripes(FeatureMapEncoder):
    ...     dim, stride, image_size = 3, 2, (4, 8)
    ...     def feature_map(self, images):
    ...         return images[:, :, ::2, ::2]
    >>> encoder, images = Stripes(), mt.ones((5, 3, 4, 8))
    >>> encoder.grid, encoder.tokens(images).shape, encoder(images).shape
    ((2, 4), (5, 8, 3), (5, 3))
    """

    dim: int
    stride: int
    image_size: tuple[int, int]
    feature_map: Callable[[mt.Tensor], mt.Tensor]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the feature map of an image of `image_size`."""
        return self.places(self.image_size[0]), self.places(self.image_size[1])

    def places(self, side: int) -> int:
        """Return how many places a side of so many pixels has; one that the stride does not divide has one more."""
        return int(np.ceil(side / self.stride))

    def tokens(self, images: mt.Tensor) -> mt.Tensor:
        """Return one token for each place: (n, channels, h, w) -> (n, rows · columns, dim)."""
        y = self.feature_map(images)
        return y.reshape(*y.shape[:2], -1).swapaxes(1, 2)

    def forward(self, images: mt.Tensor) -> mt.Tensor:
        """Return the mean over all places: (n, channels, h, w) -> (n, dim)."""
        return self.feature_map(images).mean(axis=(2, 3))
