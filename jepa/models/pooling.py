"""One embedding of an image from the tokens of its patches."""

from __future__ import annotations

from typing import Any

import minitensor as mt

__all__ = ["PooledEncoder"]


class PooledEncoder(mt.nn.Layer):
    """An encoder of tokens, then their mean and a Linear to the embedding.

    body: images (n, c, h, w) to tokens (n, N, d), with `dim`, and `cls_token`, which is None if the first token is a
    patch as all others; the mean is without it. Shapes: (n, c, h, w) -> (n, embedding_dim).

    >>> from jepa.models import VisionTransformer
    >>> encoder = PooledEncoder(VisionTransformer(8, 4, dim=12, depth=1, heads=2), 5)
    >>> encoder(mt.ones((2, 3, 8, 8))).shape, encoder.pooled(mt.ones((2, 3, 8, 8))).shape
    ((2, 5), (2, 12))
    """

    def __init__(self, body: Any, embedding_dim: int) -> None:
        self.body = body
        self.dim = embedding_dim
        self.head = mt.nn.Linear(self.body.dim, embedding_dim)

    def pooled(self, images: mt.Tensor) -> mt.Tensor:
        """Return the mean of the patches' tokens: (n, c, h, w) -> (n, d)."""
        tokens = self.body(images)
        return tokens[:, 0 if self.body.cls_token is None else 1 :].mean(axis=1)  # type: ignore[no-any-return]

    def forward(self, images: mt.Tensor) -> mt.Tensor:
        """Return the embeddings: (n, c, h, w) -> (n, embedding_dim)."""
        return self.head(self.pooled(images))  # type: ignore[no-any-return]
