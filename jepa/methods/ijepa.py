"""I-JEPA: the tokens of target blocks are predicted from the tokens of a context block (Assran et al. 2023)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import Config
from jepa.data.masked import MaskedBatch
from jepa.masks import Masks
from jepa.methods.base import Method
from jepa.models import IJEPA, Embeddings, Tokens

__all__ = ["MaskedJEPA", "Patches", "kept_tokens", "mean_token"]


class Patches(NamedTuple):
    """What a model makes of the hidden patches of n images; a patch that lies in two targets stands here twice."""

    indices: NDArray[np.int64]
    """(n, K): where they are"""
    valid: NDArray[np.bool_]
    """(n, K): False where an entry is padding"""
    prediction: NDArray[np.float32]
    """(n, K, d)"""
    target: NDArray[np.float32]
    """(n, K, d), as the loss sees them"""


class MaskedJEPA(Method[MaskedBatch]):
    """Predicts masked tokens; the loss is the mean over the entries of all predicted tokens."""

    def __init__(self, config: Config, steps: int) -> None:
        super().__init__(config, steps)
        self.model = IJEPA(config.model, config.vit)
        self.contrastive = config.loss.name == "infonce"

    def embed(self, batch: MaskedBatch) -> Embeddings:
        """Return mean context embeddings (E n, d), predicted and true tokens (M E n, Kt, d), as the loss sees them."""
        return self._embeddings(self._tokens(batch))

    def misled(self, batch: MaskedBatch) -> Embeddings:
        """Return the same, with a predictor that is told where another image's targets lie."""
        return self._embeddings(self._tokens(batch, rolled(batch.masks)))

    def _tokens(self, batch: MaskedBatch, asked: Masks | None = None) -> Tokens:
        """Return the tokens of a batch, of which threads compute a part each."""
        seen, true = self.placed(batch.images, batch.target_images)
        sides = mt.data_parallel(self._part, seen, true, batch.masks, asked)
        joined = (side and (mt if isinstance(side[0], mt.Tensor) else np).concatenate(side) for side in sides)
        return Tokens(*joined)

    def _part(
        self, seen: mt.Tensor, true: mt.Tensor, masks: Masks, asked: Masks | None
    ) -> list[list[mt.Tensor] | None]:
        """Return each side of the tokens cut by context and target, so that the images are the first axis."""
        z = self.model(seen, masks, true, asked)
        n = len(seen)
        return [x if x is None else [x[i : i + n] for i in range(0, len(x), n)] for x in z]

    def compare(self, embeddings: Embeddings, batch: MaskedBatch) -> dict[str, mt.Tensor]:
        """Return the loss; a contrastive one is the mean over the targets, each compared within the batch.

        So a token is told from those at the same and at other places of the same target in all images: a quarter of
        the pairs of four targets together, at a quarter of the cost.
        """
        count = len(batch.masks.target)
        if not self.contrastive or batch.masks.target_valid is not None:
            return self.objective(embeddings)
        sides = (mt.split(x, count, axis=0) for x in (embeddings.prediction, embeddings.target))
        found = [self.objective(embeddings._replace(prediction=p, target=t)) for p, t in zip(*sides, strict=True)]
        return {name: mt.stack([parts[name] for parts in found]).mean() for name in found[0]}

    def patches(self, batch: MaskedBatch) -> list[Patches]:
        """Return the predicted and true tokens of every target of the first context, patch by patch: one level."""
        m = batch.masks
        n, targets = len(batch.images), len(m.target)
        first = m._replace(context=m.context[:1], context_valid=m.context_valid and m.context_valid[:1])
        z = self._tokens(batch._replace(masks=first))
        indices = np.concatenate(m.target, axis=1)  # (n, M Kt)
        valid = np.ones(indices.shape, bool) if m.target_valid is None else np.concatenate(m.target_valid, axis=1)

        def joined(x: mt.Tensor) -> NDArray[np.float32]:
            return x.numpy().reshape(targets, n, -1, x.shape[-1]).transpose(1, 0, 2, 3).reshape(n, -1, x.shape[-1])

        return [Patches(indices, valid, joined(z.prediction), joined(self.normalized(z.target)))]

    def _embeddings(self, z: Tokens) -> Embeddings:
        prediction, target = z.prediction, self.normalized(z.target)
        if z.target_valid is not None:
            prediction, target = (kept_tokens(x, z.target_valid)[None] for x in (prediction, target))
        return Embeddings(mean_token(z.context, z.context_valid), prediction, target)


def rolled(masks: Masks) -> Masks:
    """Return masks whose targets are those of the image before."""
    flags = masks.target_valid and [np.roll(valid, 1, axis=0) for valid in masks.target_valid]
    return masks._replace(target=[np.roll(mask, 1, axis=0) for mask in masks.target], target_valid=flags)


def kept_tokens(x: mt.Tensor, valid: NDArray[np.bool_]) -> mt.Tensor:
    """Return the tokens that are no padding: (n, K, d) -> (kept, d)."""
    rows = mt.Tensor(np.flatnonzero(valid), device=x.device)
    return mt.index_select(x.reshape(-1, x.shape[-1]), 0, rows)


def mean_token(x: mt.Tensor, valid: NDArray[np.bool_] | None) -> mt.Tensor:
    """Return the mean of the tokens that are no padding: (n, K, d) -> (n, d)."""
    if valid is None:
        return x.mean(axis=1)
    weight = mt.Tensor((valid / valid.sum(axis=1, keepdims=True)).astype(np.float32), device=x.device)  # (n, K)
    return (x * weight[:, :, None]).sum(axis=1)  # type: ignore[no-any-return]
