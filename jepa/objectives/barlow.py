"""Barlow Twins: each dimension of a prediction goes with its own of the target, and with no other (Zbontar 2021)."""

from dataclasses import dataclass

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.objectives.base import Objective, Parts, Random, Tensor

EPS = 1e-5  # added to a variance, as batch norm does


def correlation(p: Tensor, s: Tensor) -> Tensor:
    """Return the correlation of each dimension of p with each of s, (n, d), (n, d) -> (d, d). Their eq. 2.

    >>> z = mt.Tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> correlation(z, z).numpy().round(3)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    p, s = ((x - x.mean(axis=0)) / mt.sqrt(x.var(axis=0) + EPS) for x in (p, s))
    return p.T @ s / len(p)


@dataclass(frozen=True)
class BarlowTwins(Objective):
    """scale · (Σ_i (1 - C_ii)² + redundancy · Σ_ij C_ij², i ≠ j), C the `correlation` over the batch. Their eq. 1.

    Pairs of views are rows of one batch, both ways: with two views C is the mean of their C and its transpose. A
    constant has no correlation with itself.

    Public codes differ in the scale: the authors' has 1 (0.024 in an early version), solo-learn 0.1, lightly 1; and
    the first two have redundancy 0.0051, lightly 0.005.
    """

    redundancy: float = setting(0.0051, between(0, 1000))
    """weight of the correlations between different dimensions"""
    scale: float = setting(0.1, between(1e-9, 1e6))
    """weight of all"""
    spreads = True

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        d = prediction.shape[-1]
        c = correlation(prediction.reshape(-1, d), target.reshape(-1, d))
        own = mt.diagonal(c)
        alike, squares = ((1 - own) ** 2).sum(), (c * c).sum() - (own * own).sum()
        return {
            "loss": self.scale * (alike + self.redundancy * squares),
            "invariance": alike / d,
            "redundancy": squares / d,
        }
