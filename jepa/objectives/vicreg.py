"""VICReg: a distance, and two terms that forbid constant and redundant embeddings (Bardes, Ponce & LeCun 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor, mean_of

WEIGHT = between(0, 1_000_000)


def variance_hinge(z: mt.Tensor, *, floor: float = 1.0, eps: float = 1e-4) -> mt.Tensor:
    """Mean over dimensions of relu(floor - √(var + eps)), var over the batch, unbiased: z (n, d). Their eq. 1.

    >>> round(float(variance_hinge(mt.zeros((8, 3)))), 3)
    0.99
    """
    return mt.relu(floor - mt.sqrt(z.var(axis=0, correction=1) + eps)).mean()


def covariance_penalty(z: mt.Tensor) -> mt.Tensor:
    """Σ of the squared covariances between different dimensions, divided by d: z (n, d). Their eq. 3 and 4."""
    n, d = z.shape
    centred = z - z.mean(axis=0)
    c = centred.T @ centred / (n - 1)  # (d, d)
    others: mt.Tensor = c * (1 - mt.eye(d, dtype=z.dtype, device=z.device))
    penalty: mt.Tensor = (others * others).sum() / d
    return penalty


def over_sides(views: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return `variance_hinge` and `covariance_penalty`, each summed over both sides of a pair; twice a mean of more."""
    sides = min(len(views), 2)
    return sides * mean_of(variance_hinge, views), sides * mean_of(covariance_penalty, views)


@dataclass(frozen=True)
class VICReg(Objective):
    """invariance · mean (ŝ - s*)² + variance · Σ v(z) + covariance · Σ c(z), z over both sides of a pair. Their eq. 6.

    z is the embeddings that have a gradient: the contexts', and the targets' too where the target learns ("shared",
    "own"). Of more than two views Σ is twice the mean over them, so that the weights mean the same.

    Published codes differ in the normalization. Here the covariance is a *sum over pairs divided by d*, as in the
    paper, solo-learn and lightly (weights 25, 25, 1). eb_jepa takes the mean over all d (d - 1) pairs, so that its
    weights 1, 1, 80 at d = 2048 are these divided by 25; H-JEPA takes that mean with weights 25, 25, 1, which makes
    the term d - 1 times weaker. Variances are unbiased.
    """

    invariance: float = setting(25.0, WEIGHT)
    """weight of the distance"""
    variance: float = setting(25.0, WEIGHT)
    """weight of the hinge that keeps each dimension's standard deviation up"""
    covariance: float = setting(1.0, WEIGHT)
    """weight of the squared covariances between dimensions"""
    held_out: ClassVar[str] = "invariance"

    @property
    def spreads(self) -> bool:
        return self.variance > 0

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        apart = mt.nn.functional.mse_loss(prediction, target)
        variance, covariance = over_sides(views)
        total = self.invariance * apart + self.variance * variance + self.covariance * covariance
        return {"loss": total, "invariance": apart, "variance": variance, "covariance": covariance}
