"""InfoNCE: a prediction must be nearer to its own target than to those of all others."""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor


@dataclass(frozen=True)
class InfoNCE(Objective):
    """`-log of e^(cos(ŝᵢ, s*ᵢ)/τ) / Σⱼ e^(cos(ŝᵢ, s*ⱼ)/τ)`, averaged over i. van den Oord et al. 2018, eq. 4, cosines.

    j runs over all targets of a set in the batch: a token of one of I-JEPA's target blocks is told from those of that
    block in all images, a quarter of the pairs of four blocks, at a quarter of the cost. "accuracy" is the share of i
    whose own target is nearest.

    >>> import numpy as np
    >>> z = mt.eye(4)[:, None]
    >>> round(float(InfoNCE(0.1).compare(z, z, [z[:, 0]], np.random.default_rng(0))["loss"]), 6)
    0.000136
    """

    temperature: float = setting(0.1, between(1e-4, 1e4))
    """divides the cosines"""
    _: KW_ONLY
    normalize: bool = setting(False)
    """layer norm without parameters on the targets first, (s - mean) / √(var + 1e-5), as in I-JEPA"""
    spreads = True
    contrasts: ClassVar[bool] = True

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        d = prediction.shape[-1]
        p = mt.nn.functional.normalize(prediction.reshape(-1, d), dim=-1)  # (n k, d)
        s = mt.nn.functional.normalize(target.reshape(-1, d), dim=-1)  # (n k, d)
        logits = p @ s.T / self.temperature  # (n k, n k)
        own = mt.arange(logits.shape[0], device=logits.device)
        hits = (logits.detach().argmax(axis=1) == own).astype(logits.dtype)
        return {"loss": mt.nn.functional.cross_entropy(logits, own), "accuracy": hits.mean()}
