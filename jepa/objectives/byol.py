"""BYOL: a predictor, a target that follows, and nothing else (Grill et al. 2020)."""

from dataclasses import dataclass
from typing import Any

import minitensor as mt
from jepa.objectives.base import Objective, Parts, Random, Tensor


@dataclass(frozen=True)
class BYOL(Objective):
    """Mean of |ŝ/|ŝ| - s*/|s*||² = 2 - 2 cos(ŝ, s*). Their eq. 2; both ways of a pair are the task multiview.

    Nothing in it forbids constants: they are kept away by a predictor that learns and a target that follows the
    context's branch, and it is refused without these two (their table 5). The paper adds the two ways, as do
    solo-learn and lightly; here they are averaged.

    >>> import numpy as np
    >>> p, s = mt.Tensor([[[1.0, 0.0]]]), mt.Tensor([[[0.0, 3.0]]])
    >>> float(BYOL().compare(p, s, [p[:, 0]], np.random.default_rng(0))["loss"])
    2.0
    """

    def lacks(self, target: Any, learns: bool) -> str:
        if not target.lags:
            return "nothing in this loss forbids constants but a target that follows: use target=ema"
        return "" if learns else "without a predictor that learns it must collapse: use predictor=mlp"

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        return {"loss": 2 - 2 * mt.nn.functional.cosine_similarity(prediction, target, dim=-1).mean()}
