"""Saccade-JEPA's loss: a distance there, a distance back, and two terms that forbid constants (LumenPallidium 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import setting
from jepa.contracts import Embeddings
from jepa.objectives.base import Objective, Parts, Random, Tensor
from jepa.objectives.vicreg import WEIGHT, over_sides

F = mt.nn.functional


@dataclass(frozen=True)
class Saccade(Objective):
    """prediction · mean huber(ŝ - s*) + cycle · mean (ĉ - c)² + variance · Σ v(z) + covariance · Σ c(z).

    ŝ = P(c, pose) is predicted from the context's embedding c, and ĉ = P(ŝ, inverse pose) from that prediction: the way
    back must end where it began. huber(d) is d²/2 where |d| < 1, else |d| - 1/2. v = mean relu(1 - std) and c, the sum
    of the squared covariances of different dimensions divided by d, are VICReg's, over both sides of a pair as far as
    they have a gradient: the contexts, and the targets where the target learns.

    Reference: github.com/LumenPallidium/jepa, saccade.py and jepa.py. There the code of the pose is negated for the way
    back, which is the code of no pose; the hinge begins at a standard deviation of 4 and looks at the contexts alone;
    and the covariance has its diagonal, which punishes the variance that the hinge asks for. The weights are the same.

    The published weights leave the distance 25 times lighter than VICReg's. On drawings little of the pose was learned
    in a thousand steps with them, with a linear projector, or with target=ema: nothing drives out of an embedding what
    cannot be foreseen, such as changed colors. With prediction=25, cycle=6, projector=mlp and target=shared it was.
    """

    prediction: float = setting(1.0, WEIGHT)
    """weight of the distance"""
    cycle: float | None = setting(0.25, WEIGHT)
    """weight of the way back; null: it is not gone, so that tasks without one can be asked"""
    variance: float = setting(25.0, WEIGHT)
    """weight of the hinge that keeps each dimension's standard deviation up"""
    covariance: float = setting(1.0, WEIGHT)
    """weight of the squared covariances between dimensions"""
    held_out: ClassVar[str] = "prediction"

    @property
    def spreads(self) -> bool:
        return self.variance > 0

    @property
    def returns(self) -> bool:
        return self.cycle is not None

    def __call__(self, z: Embeddings, rng: Random) -> Parts:
        """Return "loss", "distance" and the parts, "cycle" among them where there is a way back."""
        parts = super().__call__(z, rng)
        if self.cycle is None or not z.returned:
            return parts
        cycle = mt.stack([((back - z.context) ** 2).mean() for back in z.returned]).mean()
        return {**parts, "loss": parts["loss"] + self.cycle * cycle, "cycle": cycle}

    def compare(self, prediction: Tensor, target: Tensor, views: list[Tensor], rng: Random) -> Parts:
        apart = F.smooth_l1_loss(prediction, target)
        variance, covariance = over_sides(views)
        total = self.prediction * apart + self.variance * variance + self.covariance * covariance
        return {"loss": total, "prediction": apart, "variance": variance, "covariance": covariance}
