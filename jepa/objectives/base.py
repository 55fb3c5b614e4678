"""What objectives share: sets of targets, their weights, and the layer norm of targets."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import minitensor as mt
from jepa.config.settings import Settings, setting
from jepa.contracts import Embeddings

Tensor = mt.Tensor
Random = np.random.Generator
Parts = dict[str, mt.Tensor]


@dataclass(frozen=True)
class Objective(Settings):
    """Base of the objectives: a subclass says in `compare` what it makes of one set of predictions and targets.

        loss = Σ_s w_s compare(ŝ_s, s*_s)

    Sets of one kind, such as the target blocks of I-JEPA, count alike: they are joined, unless the objective
    `contrasts`. Levels have weights, and are logged apart: "level 0" is the loss of level 0 before its weight,
    "level 0/accuracy" a part of it. It is 0 in a batch that has no target of that level.
    """

    normalize: bool = setting(False)
    """layer norm without parameters on the targets first, (s - mean) / √(var + 1e-5), as in I-JEPA"""
    spreads: ClassVar[bool] = False
    contrasts: ClassVar[bool] = False
    held_out: ClassVar[str] = "loss"
    """the part that says what prediction and target are apart"""

    def compare(self, prediction: Tensor, target: Tensor, context: Tensor, rng: Random) -> Parts:
        """Return "loss" and its parts by name: prediction and target (n, k, d), context (n, d)."""
        raise NotImplementedError

    def targets(self, s: Tensor) -> Tensor:
        """Return targets (..., d) as they are compared."""
        return mt.nn.functional.layer_norm(s, (s.shape[-1],)) if self.normalize else s

    def __call__(self, z: Embeddings, rng: Random) -> Parts:
        """Return "loss", "distance" and the parts."""
        pairs = list(zip(z.predictions, z.targets, strict=True))
        if not z.level_weights and not self.contrasts and len(pairs) > 1:
            shape = (1, -1, pairs[0][0].shape[-1])
            p, t = (mt.concatenate([x.reshape(shape) for x in side], axis=1) for side in zip(*pairs, strict=True))
            pairs = [(p, t)]
        found = [self._set(p, t, z.context, rng) for p, t in pairs]
        if z.level_weights:
            return self._levels(found, z.level_weights)
        parts = {name: mt.stack([f[name] for f in found]).mean() for name in found[0]} if len(found) > 1 else found[0]
        return {**parts, "distance": parts[self.held_out]}

    def _set(self, p: Tensor, t: Tensor, context: Tensor, rng: Random) -> Parts:
        if 0 in p.shape:
            return {"loss": mt.zeros((), device=p.device)}
        return self.compare(p, self.targets(t), context, rng)

    def _levels(self, found: list[Parts], weights: tuple[float, ...]) -> Parts:
        parts: Parts = {}
        distance = found[0].get(self.held_out, found[0]["loss"])
        for k, part in enumerate(found):
            parts[f"level {k}"] = part.pop("loss")
            parts |= {f"level {k}/{name}": value for name, value in part.items()}
        total = sum((w * parts[f"level {k}"] for k, w in enumerate(weights)), mt.zeros((), device=distance.device))
        return {"loss": total, **parts, "distance": distance}
