"""Planning by the gradient: the cost's gradient with respect to the actions, through all imagined steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from jepa.config.settings import between, setting
from jepa.planning.base import Array, Cheapest, Cost, Plan, Planner
from jepa.worlds.base import shortened


@dataclass(frozen=True)
class Gradient(Planner):
    """Adam on the actions, from `samples` beginnings; the cheapest sequence that was seen is followed.

        a <- a - rate · limit · m / (√v + ε),   m and v running means of g = dJ/da and of g² (Kingma & Ba 2014)

    After each of `rounds` steps actions that are too long are shortened. The first beginning is the first guess itself,
    the others lie around it. A gradient takes about three times as long as a cost alone, and leads to the nearest
    minimum: where a wall is in the way, it takes a beginning that already leads around it.

    >>> class Far(Cost):
    ...     def __call__(self, actions):
    ...         return ((actions - 0.5) ** 2).sum(axis=(2, 3))
    ...     def slope(self, actions):
    ...         return self(actions), 2 * (actions - 0.5)
    >>> planner = Gradient(samples=1, rounds=30)
    >>> found = planner.plan(Far(), np.zeros((1, 3, 2), np.float32), 1.0, np.random.default_rng(0))
    >>> bool(np.abs(found.actions - 0.5).max() < 0.05)
    True
    """

    slopes: ClassVar[bool] = True

    samples: int = setting(8, between(1, 100_000))
    """beginnings, each of which is followed downhill"""
    rounds: int = setting(5, between(1, 10_000))
    """steps downhill"""
    rate: float = setting(0.15, between(1e-6, 1e3))
    """length of a step in each number of an action, in units of the largest action"""

    @property
    def sequences(self) -> int:
        return self.samples * (self.rounds + 1)

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        seen, at = Cheapest(start), self.around(start, self.spread * limit, limit, rng)
        m, v = np.zeros_like(at), np.zeros_like(at)
        for k in range(1, self.rounds + 1):
            value, g = cost.slope(at)
            seen.saw(at, value)
            g = np.nan_to_num(g, posinf=0, neginf=0)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            step = (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-12)
            at = shortened(at - self.rate * limit * step, limit).astype(np.float32)
        seen.saw(at, cost(at))
        return Plan(seen.actions, seen.history)
