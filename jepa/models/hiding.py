"""The masked objective for encoders that see whole images: hidden patches are blanked before the encoder looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.models.vit import gather_tokens

__all__ = ["TokenEncoder", "context_tokens", "hide"]

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


class TokenEncoder(mt.nn.Layer):
    """An encoder of whole images, to be called as a vision transformer is: images to tokens, some of them left out.

    body: with `tokens(images)`, `grid` and `dim`, such as `ResNet`, `ConvNeXt` and `ContextEncoder`. It sees blanked
    (`hide`) what the masks leave out; batch norm in it has the statistics of such images, too.

    Shapes: (n, c, h, w) -> (n, N, dim); with E masks, index arrays (n, K), of which `valid` (E · n, K) says which are
    no padding, -> (E · n, K, dim), list-major.

    >>> from jepa.models import ResNet
    >>> encoder = TokenEncoder(ResNet((1, 1), width=4, image_size=8))  # 4 x 4 places
    >>> encoder(mt.ones((2, 3, 8, 8))).shape, encoder(mt.ones((2, 3, 8, 8)), [np.array([[0, 1], [5, 6]])]).shape
    ((2, 16, 8), (2, 2, 8))
    """

    cls_token = None
    """no token but those of the patches"""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.dim = int(self.body.dim)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the places."""
        return self.body.grid  # type: ignore[no-any-return]

    def forward(
        self, images: mt.Tensor, masks: Sequence[Indices] | None = None, valid: Valid | None = None
    ) -> mt.Tensor:
        """Return the tokens of the places that the masks keep (None: of all)."""
        if masks is None:
            return self.body.tokens(images)  # type: ignore[no-any-return]
        flags = None if valid is None else np.split(valid, len(masks))
        return context_tokens(self.body, images, masks, flags)
