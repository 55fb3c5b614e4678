"""Model predictive path integral control: the mean of what was drawn, the cheaper weighing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from jepa.config.settings import between, setting
from jepa.planning.base import WORST, Array, Cheapest, Cost, Plan, Planner


@dataclass(frozen=True)
class MPPI(Planner):
    """Each round draws around μ, and moves it to the candidates' mean with weights that fall with their cost.

        aᵖ = μ + σ εᵖ;   wᵖ ∝ exp(-(J(aᵖ) - J_min) / (τ (J̄ - J_min)));   μ <- Σ wᵖ aᵖ

    J̄ is the mean cost of a task's candidates, so that the temperature τ means the same for every model; σ = `spread` ·
    limit, multiplied by `decay` after each round; the first candidate is μ itself. Williams et al. 2017. In eb_jepa the
    weights are exp(.005 (J_min - J)), which are nearly all alike, and one of the elites is then drawn.

    >>> class Far(Cost):
    ...     def __call__(self, actions):
    ...         return ((actions - 0.5) ** 2).mean(axis=(2, 3))
    >>> found = MPPI(rounds=6).plan(Far(), np.zeros((1, 3, 2), np.float32), 1.0, np.random.default_rng(0))
    >>> bool(np.abs(found.actions - 0.5).max() < 0.2)
    True
    """

    tau: float = setting(0.1, between(1e-6, 1e6))
    """the temperature, in units of how far the mean candidate is above the cheapest: low, and the best alone count"""
    decay: float = setting(0.7, between(0.01, 1))
    """what the standard deviation is multiplied by after each round"""
    follow: Literal["best", "mean"] = setting("best")
    """what is followed: the cheapest sequence that was seen, or the mean of the last round"""

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        seen, mean = Cheapest(start), start
        for number in range(self.rounds):
            tried = self.around(mean, self.spread * limit * self.decay**number, limit, rng)
            costs = cost(tried)
            seen.saw(tried, costs)
            mean = np.einsum("np,npha->nha", self.weights(costs), tried)
        return Plan(seen.actions if self.follow == "best" else mean, seen.history)

    def weights(self, costs: Array) -> Array:
        """Return the weight of each candidate, which are 1 together: (n, P) -> (n, P).

        >>> MPPI(tau=1e-3).weights(np.array([[3.0, 1.0, 2.0]], np.float32)).tolist()
        [[0.0, 1.0, 0.0]]
        """
        costs = np.nan_to_num(costs, nan=WORST, posinf=WORST).astype(np.float64)
        above = costs - costs.min(axis=1, keepdims=True)
        w = np.exp(-above / (self.tau * np.maximum(above.mean(axis=1, keepdims=True), 1e-30)))
        found: Array = (w / w.sum(axis=1, keepdims=True)).astype(np.float32)
        return found
