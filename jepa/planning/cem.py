"""The cross-entropy method, and the improved one: a normal distribution moves to the best of what it has drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from jepa.config.settings import between, setting
from jepa.planning.base import Array, Cheapest, Cost, Plan, Planner


@dataclass(frozen=True)
class _Elites(Planner):
    elites: int = setting(4, between(1, 100_000))
    """cheapest candidates of a round, which the next one is drawn around; at most `samples`"""

    def problems(self) -> Iterator[str]:
        if self.elites > self.samples:
            yield f"elites={self.elites}: must be at most samples={self.samples}, as they are the best of these"

    def scaled(self, share: float) -> Self:
        fewer = max(round(share * self.samples), 1)
        return replace(self, samples=fewer, elites=min(self.elites, fewer))


@dataclass(frozen=True)
class CEM(_Elites):
    """Each round draws around mean and deviation, and takes both from its `elites`, the cheapest candidates.

        aᵖ = μ + σ εᵖ;   μ, σ <- mean and standard deviation of the elites

    σ begins at `spread` · limit in each number of each step; the first candidate of a round is μ itself. Rubinstein
    1999. In eb_jepa (200 candidates, 20 elites, 20 rounds, white noise) it is μ that is followed. Where there are two
    ways around a wall, elites of both have a mean that leads into it, and with so few candidates as here the cheapest
    sequence is the better plan.

    >>> class Far(Cost):
    ...     def __call__(self, actions):
    ...         return ((actions - 0.5) ** 2).mean(axis=(2, 3))
    >>> found = CEM(rounds=6).plan(Far(), np.zeros((1, 3, 2), np.float32), 1.0, np.random.default_rng(0))
    >>> bool(np.abs(found.actions - 0.5).max() < 0.2)
    True
    """

    least: float = setting(0.05, between(0, 1e6))
    """smallest standard deviation, in units of the largest action"""
    follow: Literal["best", "mean"] = setting("best")
    """what is followed: the cheapest sequence that was seen, or the mean of the last elites"""

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        seen, mean, deviation = Cheapest(start), start, np.full_like(start, self.spread * limit)
        for _ in range(self.rounds):
            tried = self.around(mean, deviation, limit, rng)
            elites = seen.saw(tried, cost(tried), self.elites)
            mean, deviation = elites.mean(axis=1), np.maximum(elites.std(axis=1), np.float32(self.least * limit))
        return Plan(seen.actions if self.follow == "best" else mean, seen.history)


@dataclass(frozen=True)
class ICEM(_Elites):
    """CEM that keeps elites from round to round, moves mean and deviation by a step, and draws ever fewer.

        μ <- (1 - α) μ + α mean of the elites,   σ likewise with their standard deviation,   α = `step`

    `kept` elites of a round are candidates of the next one too. The cheapest sequence is followed. Pinneri et al. 2020,
    with α = .9, noise of color 2 to 4 and decay 1.25 there; what goes on from plan to plan here is the sequence, not
    the elites.

    >>> class Far(Cost):
    ...     def __call__(self, actions):
    ...         return ((actions - 0.5) ** 2).mean(axis=(2, 3))
    >>> found = ICEM(rounds=6).plan(Far(), np.zeros((1, 3, 2), np.float32), 1.0, np.random.default_rng(0))
    >>> bool(np.abs(found.actions - 0.5).max() < 0.2)
    True
    """

    kept: int = setting(2, between(0, 100_000))
    """elites that are candidates of the next round too; at most `elites`"""
    step: float = setting(0.9, between(0.01, 1))
    """how far mean and deviation move towards those of the elites in a round"""
    decay: float = setting(1.25, between(1, 100))
    """each round draws so many times fewer candidates than the one before, but no fewer than twice the elites"""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.kept > self.elites:
            yield f"kept={self.kept}: must be at most elites={self.elites}, as they are some of these"

    def scaled(self, share: float) -> Self:
        fewer = max(round(share * self.samples), 1)
        elites = min(self.elites, fewer)
        return replace(self, samples=fewer, elites=elites, kept=min(self.kept, elites))

    @property
    def draws(self) -> list[int]:
        """How many candidates each round draws."""
        fewest = min(2 * self.elites, self.samples)
        return [max(fewest, int(self.samples * self.decay**-k)) for k in range(self.rounds)]

    @property
    def sequences(self) -> int:
        return sum(self.draws) + self.kept * (self.rounds - 1)

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        seen, mean, deviation = Cheapest(start), start, np.full_like(start, self.spread * limit)
        elites, step = start[:, None][:, :0], np.float32(self.step)  # (n, 0, H, a)
        for count in self.draws:
            tried = self.around(mean, deviation, limit, rng, count)
            tried = np.concatenate([tried, elites[:, : self.kept]], axis=1)
            elites = seen.saw(tried, cost(tried), self.elites)
            mean = mean + step * (elites.mean(axis=1) - mean)
            deviation = deviation + step * (elites.std(axis=1) - deviation)
        return Plan(seen.actions, seen.history)
