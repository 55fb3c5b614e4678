"""The loss of a world model: a distance, terms that forbid constants, and terms that shape a space to plan in."""

from dataclasses import dataclass
from typing import ClassVar

import minitensor as mt
from jepa.config.settings import setting
from jepa.contracts import Embeddings
from jepa.objectives.base import Objective, Parts, Random, Tensor, learned, mean_of
from jepa.objectives.sigreg import directions, sketched
from jepa.objectives.vicreg import WEIGHT, covariance_penalty, variance_hinge

DIRECTIONS = 256  # that codes are looked at along, in each step


@dataclass(frozen=True)
class Dynamics(Objective):
    """Σ of terms, each with its weight; 0 leaves a term out. ŝ_t are predictions, z_t (n, d) the codes of all T frames.

        prediction      mean (ŝ_t - s*_t)², over the unroll
        variance        mean_j relu(1 - std(z_j)), over all n T codes            (`vicreg`)
        covariance      mean of the squared covariances of different dimensions, over all n T codes
        similarity      mean (z_{t+1} - z_t)²: what follows lies near
        inverse         mean (b(z_t, z_{t+1}) - a_t)²: the predictor's `inverse` reads the action
        straightening   -mean cos(z_{t+1} - z_t, z_{t+2} - z_{t+1}): paths are straight, so that distances are long ways
        sigreg          the statistic of `sigreg`, of each frame over the batch, mean over frames

    The weights are eb_jepa's two rooms' (Sobal et al. 2025), with target=shared, whose gradient flows into both sides.
    There, without inverse plans succeed in 1 % of the tasks, without variance in 47, covariance 46, similarity 61.
    LeWM's (2026) is prediction=1, sigreg=0.09, all others 0. Straightening: Wang et al. 2026.
    """

    prediction: float = setting(1.0, WEIGHT)
    """weight of the distance of predictions from codes"""
    variance: float = setting(16.0, WEIGHT)
    """weight of the hinge that keeps each dimension's standard deviation up"""
    covariance: float = setting(8.0, WEIGHT)
    """weight of the mean squared covariance between dimensions"""
    similarity: float = setting(12.0, WEIGHT)
    """weight of the squared distance of codes that follow one another"""
    inverse: float = setting(1.0, WEIGHT)
    """weight of the squared error of actions that are read out of codes"""
    straightening: float = setting(0.0, WEIGHT)
    """weight of the cosine of steps that follow one another, with a minus"""
    sigreg: float = setting(0.0, WEIGHT)
    """weight of the statistic that is small where codes look normal"""
    held_out: ClassVar[str] = "prediction"
    unrolls: ClassVar[bool] = True

    @property
    def spreads(self) -> bool:
        return self.variance > 0 or self.sigreg > 0

    @property
    def inverts(self) -> bool:
        return self.inverse > 0

    def __call__(self, z: Embeddings, rng: Random) -> Parts:
        """Return "loss", "distance" and the terms that are not left out."""
        predictions, targets = (mt.concatenate(side, axis=1) for side in (z.predictions, z.targets))
        sides = [z.context, *learned(targets, z)]
        parts = {"prediction": mt.nn.functional.mse_loss(predictions, self.targets(targets))}
        parts |= self._spread(sides, rng)
        way = z.context[:, 1:] - z.context[:, :-1]  # (n, T - 1, d)
        if self.similarity and way.shape[1]:
            parts["similarity"] = (way * way).mean()
        if self.straightening and way.shape[1] > 1:
            parts["straightening"] = -mt.nn.functional.cosine_similarity(way[:, 1:], way[:, :-1], -1).mean()
        if self.inverse and z.acted is not None:
            parts["inverse"] = mt.nn.functional.mse_loss(*z.acted)
        terms = [getattr(self, name) * part for name, part in parts.items()]
        return {"loss": sum(terms[1:], terms[0]), **parts, "distance": parts["prediction"]}

    def _spread(self, sides: list[Tensor], rng: Random) -> Parts:
        """Return the terms that forbid constants, of embeddings (n, T, d) that have a gradient."""
        rows, parts = [side.reshape(-1, side.shape[-1]) for side in sides], {}
        if self.variance:
            parts["variance"] = mean_of(variance_hinge, rows)
        if self.covariance:
            parts["covariance"] = mean_of(covariance_penalty, rows) / max(rows[0].shape[1] - 1, 1)
        if self.sigreg:
            a = directions(DIRECTIONS, rows[0].shape[1], rng).to(rows[0].device)
            parts["sigreg"] = mean_of(lambda side: sketched(a, side), sides)
        return parts
