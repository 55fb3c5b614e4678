"""A Joint-Embedding Predictive Architecture: predict the embedding of one part of an image from another part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import JEPAConfig, ViTConfig
from jepa.models.configured import image_encoder
from jepa.models.encoder import TargetEncoder
from jepa.models.predictor import Predictor


class Embeddings(NamedTuple):
    """What one batch becomes; n images with t targets each, embeddings of size d."""

    context: mt.Tensor
    """(n, d) of the context images"""
    prediction: mt.Tensor
    """(n, t, d) predicted for the targets"""
    target: mt.Tensor
    """(n, t, d) true ones of the targets"""


class JEPAModel(mt.nn.Layer):
    """Context encoder, target encoder and predictor (LeCun 2022; Assran et al. 2023).

        s = context_encoder(context)     ŝ = predictor(s, geometry)     s* = target_encoder(target)

    and a loss draws ŝ towards s*. `config.target` decides what keeps s* from following: "ema", a moving average of the
    context encoder; "stopgrad", the context encoder itself without gradient; "shared", itself with gradient, which
    needs a loss that forbids constant embeddings. `config.encoder` names the encoder; a vision transformer's size is in
    `vit`.

    >>> model = JEPAModel(JEPAConfig(widths=(8, 16), embedding_dim=32))
    >>> images = mt.zeros((5, 3, 32, 32))
    >>> model(images, images[:, None], mt.zeros((5, 1, 4))).prediction.shape
    (5, 1, 32)
    """

    def __init__(self, config: JEPAConfig, vit: ViTConfig | None = None) -> None:
        self.config, self.vit = config, vit or ViTConfig()
        self.context_encoder: Any = image_encoder(config, self.vit)
        self.predictor = Predictor(
            config.embedding_dim, config.predictor_width, config.predictor_depth, config.geometry
        )
        self.target_encoder = TargetEncoder(self.context_encoder) if config.target == "ema" else None

    def forward(self, context: mt.Tensor, target: mt.Tensor, geometry: mt.Tensor) -> Embeddings:
        """Return the embeddings of a batch: context (n, c, h, w), target (n, t, c, h', w'), geometry (n, t, 4)."""
        n, t = target.shape[:2]
        true = self.encode_target(target.reshape(n * t, *target.shape[2:]))  # (n t, d)
        s = self.context_encoder(context)  # (n, d)
        return Embeddings(s, self.predictor(s, geometry), true.reshape(n, t, true.shape[1]))

    def encode_target(self, x: mt.Tensor) -> mt.Tensor:
        """Return the true embeddings of target images: (n, c, h, w) -> (n, d)."""
        if self.target_encoder is not None:
            return self.target_encoder(x)  # type: ignore[no-any-return]
        if self.config.target == "shared":
            return self.context_encoder(x)  # type: ignore[no-any-return]
        with mt.no_grad(), mt.nn.frozen_statistics(self.context_encoder):
            return self.context_encoder(x)  # type: ignore[no-any-return]

    def encoder(self, which: str = "target") -> Any:
        """Return one of the two encoders; where the target has none of its own, they are the same."""
        if which not in ("target", "context"):
            raise ValueError(f"encoder is 'target' or 'context'; got {which!r}")
        return (
            self.context_encoder if which == "context" or self.target_encoder is None else self.target_encoder.encoder
        )

    def features(
        self, images: NDArray[np.float32], encoder: str = "target", batch_size: int = 256
    ) -> NDArray[np.float32]:
        """Return the frozen encoder's features of whole images, normalised as in training: (n, c, h, w) -> (n, d).

        What comes before the encoder's last Linear, for all but the MLP the mean over all places: what a probe reads
        best; d is widths[-1] for the CNN, 512 for the ResNet and the MLP, 160 for the ConvNeXt, vit.dim for the ViT.
        """
        chosen = self.encoder(encoder)
        training, device = chosen.training, next(iter(chosen.parameters())).device
        chosen.eval()
        with mt.no_grad():
            parts = [
                mt.data_parallel(chosen.pooled, mt.Tensor(images[i : i + batch_size], device=device)).numpy()
                for i in range(0, len(images), batch_size)
            ]
        chosen.train(training)
        return np.concatenate(parts)
