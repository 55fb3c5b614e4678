"""The context encoder, and the target encoder that follows it as a moving average."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import minitensor as mt


class ContextEncoder(mt.nn.Layer):
    """A small convolutional network: images to one embedding each.

    Each stage is Conv2d 3x3, batch norm, ReLU and a 2x2 max-pool, which halves the image; then the mean over all
    places and a Linear to the embedding.

    channels: of the images; widths: channels of each stage; embedding_dim: size of the embedding; norm: "batch" or
    "none". Shapes: (n, channels, h, w) -> (n, embedding_dim), h and w at least 2 to the number of stages.

    >>> ContextEncoder(3, (8, 16), 32)(mt.zeros((5, 3, 8, 8))).shape
    (5, 32)
    """

    def __init__(self, channels: int, widths: Sequence[int], embedding_dim: int, norm: str = "batch") -> None:
        super().__init__()
        stages = []
        for inputs, outputs in zip((channels, *widths[:-1]), widths, strict=True):
            batch_norm = norm == "batch"
            layers = [mt.nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm)]
            layers += [mt.nn.BatchNorm2d(outputs)] if batch_norm else []
            stages.append(mt.nn.Sequential(*layers, mt.nn.MaxPool2d(2), mt.nn.ReLU()))  # pooling and ReLU commute
        self.stages = mt.nn.Sequential(*stages)
        self.head = mt.nn.Linear(widths[-1], embedding_dim)

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

    def __init__(self, context: ContextEncoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(context)
        self._ema = mt.optim.EMA(self.encoder, context)

    def update(self, momentum: float) -> None:
        """Move towards the context encoder by 1 - momentum."""
        self._ema.update(momentum)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embeddings, without a graph: (n, channels, h, w) -> (n, embedding_dim)."""
        with mt.no_grad(), mt.nn.frozen_statistics(self.encoder):
            return self.encoder(x)  # type: ignore[no-any-return]
