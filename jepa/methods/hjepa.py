"""H-JEPA: hidden patches and groups of them, level by level, from the tokens of a context block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import Config
from jepa.data.masked import MaskedBatch
from jepa.masks import Masks, from_binary, to_binary
from jepa.methods.base import Method
from jepa.methods.ijepa import Patches, kept_tokens, mean_token
from jepa.models import HJEPA, Embeddings, token_encoder

__all__ = ["HierarchicalJEPA"]


class HierarchicalJEPA(Method[MaskedBatch]):
    """Predicts every level; the loss is Σ_l w_l loss_l, over the union of the target blocks that the masks draw."""

    def __init__(self, config: Config, steps: int) -> None:
        super().__init__(config, steps)
        v, h = config.vit, config.hierarchy
        self.weights = h.weights
        self.model = HJEPA(
            token_encoder(config.model, v),
            h.levels,
            v.predictor_dim,
            v.predictor_depth,
            v.predictor_heads,
            v.mlp_ratio,
            v.positions,
            h.fusion,
            config.model.target,
            normalize_targets=config.loss.normalize_targets,
        )
        self.normalizes = config.loss.normalize_targets  # of every loss: it belongs to the tokens of a group

    def levels(self, batch: MaskedBatch, misplaced: bool = False) -> list[Embeddings]:
        """Return the embeddings of each level, finest first, without their padding."""

        def part(batch: MaskedBatch) -> tuple[mt.Tensor, list[tuple[mt.Tensor, mt.Tensor]]]:
            z = self._outputs(batch, misplaced)
            sides = zip(z["predictions"], z["targets"], z["valid"], strict=True)
            kept = [(kept_tokens(p, valid), kept_tokens(t, valid)) for p, t, valid in sides]
            return mean_token(z["context"], z["context_valid"]), kept

        there: Any = self.placed(batch.images, batch.target_images)
        mean, levels = mt.data_parallel(part, batch._replace(images=there[0], target_images=there[1]))
        return [Embeddings(mean, p[None], t[None]) for p, t in levels]

    def hidden(self, masks: Masks) -> NDArray[np.bool_]:
        """Return which patches lie in any target, (n, N)."""
        count = len(self.model.groups[0].members)
        flags: Any = masks.target_valid or [None] * len(masks.target)
        sets = [to_binary(target, count, valid) for target, valid in zip(masks.target, flags, strict=True)]
        return np.logical_or.reduce(sets)  # type: ignore[no-any-return]

    def _outputs(self, batch: MaskedBatch, misplaced: bool = False) -> dict[str, Any]:
        images, true = self.placed(batch.images, batch.target_images)
        m = batch.masks
        context = m.context[0], None if m.context_valid is None else m.context_valid[0]
        return self.model(  # type: ignore[no-any-return]
            images, self.hidden(m), context=context, target_images=true, misplaced=misplaced
        )

    def patches(self, batch: MaskedBatch) -> list[Patches]:
        """Return the predicted and true tokens of each level, finest first, group by group."""
        z, hidden = self._outputs(batch), self.hidden(batch.masks)
        sets = [from_binary(level.hidden(hidden)) for level in self.model.groups]
        pairs = zip(sets, z["predictions"], z["targets"], strict=True)
        return [Patches(*where, prediction.numpy(), target.numpy()) for where, prediction, target in pairs]

    def embed(self, batch: MaskedBatch) -> Embeddings:
        """Return the embeddings of the finest level."""
        return self.levels(batch)[0]

    def misled(self, batch: MaskedBatch) -> Embeddings:
        """Return the same, with a predictor that is told of each target where another one lies."""
        return self.levels(batch, misplaced=True)[0]

    def loss(self, batch: MaskedBatch) -> tuple[dict[str, mt.Tensor], Embeddings]:
        """Return the weighted sum over the levels, each level's loss and its parts, and the embeddings of the finest.

        "level 1" is the loss of level 1 before its weight, "level 1/accuracy" a part of it. It is 0 in a batch whose
        masks hide half of no group of that level, so that there is nothing to predict.
        """
        embeddings, parts = self.levels(batch), dict[str, mt.Tensor]()
        for k, e in enumerate(embeddings):
            found = self.objective(e) if e.target.shape[1] else {"loss": mt.zeros((), device=self.device)}
            parts[f"level {k}"] = found.pop("loss")
            parts |= {f"level {k}/{name}": part for name, part in found.items()}
        total: Any = sum(w * parts[f"level {k}"] for k, w in enumerate(self.weights))
        return {"loss": total, **parts}, embeddings[0]

    def told_apart(self, parts: dict[str, mt.Tensor]) -> mt.Tensor:
        """Return, of the parts of a loss, what prediction and target of the finest level are apart."""
        return super().told_apart({"loss": parts["level 0"], **_of_level_0(parts)} if "level 0" in parts else parts)


def _of_level_0(parts: dict[str, mt.Tensor]) -> dict[str, mt.Tensor]:
    return {name.removeprefix("level 0/"): part for name, part in parts.items() if name.startswith("level 0/")}
