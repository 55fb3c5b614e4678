"""The context encoder, and the target encoder that follows it as a moving average."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import minitensor as mt
from jepa.models.feature_map import IMAGE_SIZE, FeatureMapEncoder, Pair, pair


class ContextEncoder(FeatureMapEncoder):
    """A small convolutional network: images to one embedding each.

    Each stage is Conv2d 3x3, batch norm and ReLU; between two stages a 2x2 max-pool halves the image. Then the mean
    over all places, and a Linear to the embedding.

    channels: of the images; widths: channels of each stage; embedding_dim: size of the embedding; norm: "batch" or
    "none"; image_size: the images for which `grid` tells rows and columns. Shapes: (n, channels, h, w) -> (n,
    embedding_dim), for any h and w that can be halved so often; `tokens`: (n, rows · columns, embedding_dim), the
    Linear at each place, so that their mean is the embedding.

    >>> ContextEncoder(3, (8, 16), 32)(mt.zeros((5, 3, 8, 8))).shape
    (5, 32)
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        embedding_dim: int,
        norm: str = "batch",
        image_size: Pair = IMAGE_SIZE,
    ) -> None:
        self.dim, self.stride, self.image_size = embedding_dim, 2 ** (len(widths) - 1), pair(image_size)
        layers: list[mt.nn.Layer] = []
        for k, (inputs, outputs) in enumerate(zip((channels, *widths[:-1]), widths, strict=True)):
            layers += [mt.nn.MaxPool2d(2)] if k else []
            layers += [mt.nn.Conv2d(inputs, outputs, 3, padding=1, bias=norm != "batch")]
            layers += [mt.nn.BatchNorm2d(outputs)] if norm == "batch" else []
            layers += [mt.nn.ReLU()]
        self.stages = mt.nn.Sequential(*layers)
        self.head = mt.nn.Linear(widths[-1], embedding_dim)

    def places(self, side: int) -> int:
        """Return how many places a side of so many pixels has; max-pools leave out what is over."""
        return side // self.stride

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        """Return the Linear at each place of the last stage: -> (n, embedding_dim, rows, columns)."""
        return self.head(self.stages(x).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # type: ignore[no-any-return]

    def pooled(self, x: mt.Tensor) -> mt.Tensor:
        """Return the mean of the last stage over all places: (n, channels, h, w) -> (n, widths[-1])."""
        return self.stages(x).mean(axis=(2, 3))  # type: ignore[no-any-return]

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embeddings: (n, channels, h, w) -> (n, embedding_dim)."""
        return self.head(self.pooled(x))  # type: ignore[no-any-return]


class TargetEncoder(mt.nn.Layer):
    """A copy of the context encoder that follows it: target = m · target + (1 - m) · context, without a gradient.

    In training its batch norm uses the statistics of its own batch, and leaves its buffers alone: those follow the
    context encoder's, like the weights (integer buffers are copied).
    """

    def __init__(self, context: mt.nn.Layer) -> None:
        self.encoder: Any = copy.deepcopy(context)
        self._ema = mt.optim.EMA(self.encoder, context)

    def update(self, momentum: float) -> None:
        """Move towards the context encoder by 1 - momentum."""
        self._ema.update(momentum)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return what the encoder makes of images (n, channels, h, w), without a graph."""
        with mt.no_grad(), mt.nn.frozen_statistics(self.encoder):
            return self.encoder(x)  # type: ignore[no-any-return]
