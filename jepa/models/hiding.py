"""The masked objective for encoders that see whole images: hidden patches are blanked before the encoder looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.models.vit import gather_tokens

__all__ = ["context_tokens", "hide"]

Indices = NDArray[np.int64]
Valid = NDArray[np.bool_]


def hide(images: mt.Tensor, grid: tuple[int, int], context: Indices, valid: Valid | None = None) -> mt.Tensor:
    """Return images in which only the patches of the context are left; all others are 0, the mean of normalised ones.

    Here, in pixels, and not in a feature map: a convolution would have carried what is hidden to its neighbours.

    images (n, c, h, w), cut into `grid` rows and columns of patches; context (n, K), indices in raster order, of which
    `valid` (n, K) says which are no padding.

    >>> hide(mt.ones((1, 1, 2, 4)), (1, 2), np.array([[1]]))[0, 0]
    Tensor float32 (2, 4): [[0. 0. 1. 1.] [0. 0. 1. 1.]]
    """
    (n, _, height, width), (rows, columns) = images.shape, grid
    seen = np.zeros((n, rows * columns), bool)
    row, column = np.nonzero(np.ones(context.shape, bool) if valid is None else valid)
    seen[row, context[row, column]] = True
    of_pixel = np.arange(height) * rows // height, np.arange(width) * columns // width
    mask = seen.reshape(n, 1, rows, columns)[:, :, of_pixel[0][:, None], of_pixel[1][None, :]]  # (n, 1, h, w)
    return images * mt.Tensor(mask, device=images.device).astype(images.dtype)  # type: ignore[no-any-return]


def context_tokens(
    encoder: mt.nn.Layer, images: mt.Tensor, masks: Sequence[Indices], valid: Sequence[Valid] | None = None
) -> mt.Tensor:
    """Return an encoder's tokens at the places of each context, when it sees no other: (E · n, Kc, dim), list-major.

    encoder: with `tokens(images)`, (n, c, h, w) -> (n, rows · columns, dim), and `grid`, such as `FeatureMapEncoder`.

    >>> from jepa.models import ResNet
    >>> encoder = ResNet((1, 1), width=4, image_size=8)  # 4 x 4 places
    >>> context_tokens(encoder, mt.ones((2, 3, 8, 8)), [np.array([[0, 1, 5], [2, 3, 7]])]).shape
    (2, 3, 8)
    """
    grid: tuple[int, int] = encoder.grid  # type: ignore[attr-defined]
    shown = [hide(images, grid, mask, None if valid is None else valid[e]) for e, mask in enumerate(masks)]
    tokens = encoder.tokens(mt.concatenate(shown))  # type: ignore[attr-defined]
    return gather_tokens(tokens, [np.concatenate(masks)])
