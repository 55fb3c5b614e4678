"""SimSiam: a predictor, a target without a gradient, and nothing else (Chen & He 2021)."""

from dataclasses import dataclass
from typing import Any

import minitensor as mt
from jepa.objectives.base import Objective, Parts, Random, Tensor


@dataclass(frozen=True)
class SimSiam(Objective):
    """Mean of -cos(ŝ, s*). Their eq. 1; eq. 2, the mean over both ways of a pair, is the task multiview.

    Nothing in it forbids constants: they are kept away by a predictor that learns and a target that is the context's
    own branch without a gradient, and it is refused without these two (their table 1 and 2: 0.1 % of ImageNet). The
    least is -1. Public codes agree.

    >>> import numpy as np
    >>> z = mt.ones((2, 1, 4))
    >>> float(SimSiam().compare(z, z, [z[:, 0]], np.random.default_rng(0))["loss"])
    -1.0
    """

    def lacks(self, target: Any, learns: bool) -> str:
        if target.learns or target.lags:
            return "nothing in this loss forbids constants but a target without a gradient: use target=stopgrad"
        return "" if learns else "without a predictor that learns it must collapse: use predictor=mlp"

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        return {"loss": -mt.nn.functional.cosine_similarity(prediction, target, dim=-1).mean()}
