"""JEPA on regions: the embedding of a target region is predicted from the context region and where the target lies."""

from __future__ import annotations

import numpy as np

import minitensor as mt
from jepa.config import Config
from jepa.data.loader import Batch
from jepa.methods.base import Method
from jepa.models import Embeddings, JEPAModel

__all__ = ["CropJEPA"]


class CropJEPA(Method[Batch]):
    """Predicts crops, or blocks, of an image from its context."""

    def __init__(self, config: Config, steps: int) -> None:
        super().__init__(config, steps)
        self.model = JEPAModel(config.model, config.vit)

    def embed(self, batch: Batch) -> Embeddings:
        """Return the embeddings of a batch, in the space of the loss."""
        e: Embeddings = mt.data_parallel(self.model, *self.placed(*batch[:3]))
        return e._replace(target=self.normalized(e.target))

    def misled(self, batch: Batch) -> Embeddings:
        """Return the same, with a predictor that is told another image's geometry."""
        return self.embed(batch._replace(geometry=np.roll(batch.geometry, 1, axis=0)))
