"""NT-Xent: of all views in the batch, that of the same example must be the nearest (SimCLR, Chen et al. 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor

F = mt.nn.functional


@dataclass(frozen=True)
class NTXent(Objective):
    """Mean over 2 m rows i of -log e^(cos(z_i, z_i')/τ) / Σ_(j ≠ i) e^(cos(z_i, z_j)/τ), z = (ŝ, s*). Their eq. 1.

    Normalized temperature-scaled cross entropy: z has the m predictions of a set and the m targets, i' is the row of
    i's partner. InfoNCE asks predictions alone, and does not compare them with one another. Of more than two views it
    is the mean over pairs, so that no two views of one example are told apart. "accuracy" is the share of rows whose
    partner is nearest.

    As in the paper, τ is 0.5 for small images (CIFAR-10) and 0.1 for large ones; solo-learn has 0.2, lightly 0.5.

    >>> import numpy as np
    >>> z = mt.eye(2)[:, None]
    >>> loss = NTXent(temperature=1.0).compare(z, z, [z[:, 0]], np.random.default_rng(0))["loss"]
    >>> round(float(loss), 6) == round(float(np.log(1 + 2 / np.e)), 6)
    True
    """

    temperature: float = setting(0.5, between(1e-4, 1e4))
    """divides the cosines"""
    spreads = True
    contrasts: ClassVar[bool] = True

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        d = prediction.shape[-1]
        z = F.normalize(mt.concatenate([prediction.reshape(-1, d), target.reshape(-1, d)]), dim=-1)  # (2 m, d)
        m = len(z) // 2
        itself = mt.eye(2 * m, dtype=z.dtype, device=z.device)
        logits = z @ z.T / self.temperature - itself * 1e9
        partner = (mt.arange(2 * m, device=z.device) + m) % (2 * m)
        hits = (logits.detach().argmax(axis=1) == partner).astype(z.dtype)
        return {"loss": F.cross_entropy(logits, partner), "accuracy": hits.mean()}
