"""What objectives share: sets of targets, their weights, and the layer norm of targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

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
    contrasts: ClassVar[bool] = False
    unrolls: ClassVar[bool] = False
    held_out: ClassVar[str] = "loss"
    """the part that says what prediction and target are apart"""

    @property
    def spreads(self) -> bool:
        """Whether it forbids constants by itself, so that a target may learn."""
        return False

    @property
    def returns(self) -> bool:
        """Whether it compares the context with what is predicted back from the prediction."""
        return False

    @property
    def inverts(self) -> bool:
        """Whether it compares actions that are read out of embeddings with the true ones."""
        return False

    def lacks(self, target: Any, learns: bool) -> str:
        """Say what it needs not to collapse, beside what `spreads` says to all, and does not have; "": nothing."""
        return ""

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        """Return "loss" and its parts by name: prediction and target (n, k, d).

        views: the embeddings that have a gradient, of each view of the context (m, d), and of the targets where they
        learn and are not made of these.
        """
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
        views = [z.context[:, v] for v in range(z.context.shape[1])]
        found = [self._set(p, t, [*views, *(s.reshape(-1, s.shape[-1]) for s in learned(t, z))], rng) for p, t in pairs]
        if z.level_weights:
            return self._levels(found, z.level_weights)
        parts = {name: mt.stack([f[name] for f in found]).mean() for name in found[0]} if len(found) > 1 else found[0]
        return {**parts, "distance": parts[self.held_out]}

    def _set(self, p: Tensor, t: Tensor, views: list[Tensor], rng: Random) -> Parts:
        if 0 in p.shape:
            return {"loss": mt.zeros((), device=p.device)}
        return self.compare(p, self.targets(t), views, rng)

    def _levels(self, found: list[Parts], weights: tuple[float, ...]) -> Parts:
        parts: Parts = {}
        distance = found[0].get(self.held_out, found[0]["loss"])
        for k, part in enumerate(found):
            parts[f"level {k}"] = part.pop("loss")
            parts |= {f"level {k}/{name}": value for name, value in part.items()}
        total = sum((w * parts[f"level {k}"] for k, w in enumerate(weights)), mt.zeros((), device=distance.device))
        return {"loss": total, **parts, "distance": distance}


def mean_of(f: Callable[[Tensor], Tensor], views: list[Tensor]) -> Tensor:
    """Return the mean of f over views: a statistic of each view by itself, over the examples."""
    found = [f(z) for z in views]
    total: Tensor = sum(found[1:], found[0])
    return total / len(found)


def learned(t: Tensor, z: Embeddings) -> list[Tensor]:
    """Return targets that have a gradient and are not made of the contexts; [] for others."""
    return [t] if t.requires_grad and not z.same else []
