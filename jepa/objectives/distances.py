"""Objectives that say how far apart prediction and target are, and nothing else: a target that learns collapses."""

from dataclasses import dataclass

import minitensor as mt
from jepa.config.settings import setting
from jepa.objectives.base import Objective, Parts, Random, Tensor

F = mt.nn.functional


@dataclass(frozen=True)
class _OfNormalized(Objective):
    normalize: bool = setting(True)
    """layer norm without parameters on the targets first, (s - mean) / √(var + 1e-5), as in I-JEPA"""


@dataclass(frozen=True)
class L2(_OfNormalized):
    """Mean (ŝ - s*)² over all entries. Assran et al. 2023, eq. 1, up to a factor.

    >>> import numpy as np
    >>> from jepa.contracts import Embeddings
    >>> z = Embeddings(mt.ones((2, 1, 4)), [mt.ones((2, 1, 4))], [mt.zeros((2, 1, 4))])
    >>> float(L2(normalize=False)(z, np.random.default_rng(0))["loss"])
    1.0
    """

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        return {"loss": F.mse_loss(prediction, target)}


@dataclass(frozen=True)
class SmoothL1(_OfNormalized):
    """Mean of d²/2 where |d| < 1, else |d| - 1/2, for d = ŝ - s*: what I-JEPA's code minimizes.

    >>> import numpy as np
    >>> rng, views = np.random.default_rng(0), [mt.ones((2, 4))]
    >>> float(SmoothL1().compare(mt.full((2, 1, 4), 3.0), mt.zeros((2, 1, 4)), views, rng)["loss"])
    2.5
    """

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        return {"loss": F.smooth_l1_loss(prediction, target)}


@dataclass(frozen=True)
class Cosine(Objective):
    """Mean of 1 - ŝ · s* / (|ŝ| |s*|). Half of BYOL's loss (Grill et al. 2020, eq. 2).

    >>> import numpy as np
    >>> rng, views = np.random.default_rng(0), [mt.ones((2, 4))]
    >>> float(Cosine().compare(mt.ones((2, 1, 4)), 3 * mt.ones((2, 1, 4)), views, rng)["loss"])
    0.0
    """

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        return {"loss": 1 - F.cosine_similarity(prediction, target, dim=-1).mean()}
