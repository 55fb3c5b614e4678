"""Random shooting: sequences are drawn, and the cheapest one is followed."""

from dataclasses import dataclass

import numpy as np

from jepa.planning.base import Array, Cheapest, Cost, Plan, Planner


@dataclass(frozen=True)
class RandomShooting(Planner):
    """a = the cheapest of `samples` · `rounds` sequences around the first guess, that itself among them.

        aᵖ = guess + spread · limit · εᵖ,   ε colored noise of unit variance;   a = aᵖ with the least J(aᵖ)

    No round learns of the one before: they only keep what is imagined at once small. What the other planners have to
    beat with as many sequences.

    >>> class Far(Cost):
    ...     def __call__(self, actions):
    ...         return ((actions - 0.5) ** 2).mean(axis=(2, 3))
    >>> found = RandomShooting(samples=99).plan(Far(), np.zeros((1, 1, 1), np.float32), 1.0, np.random.default_rng(0))
    >>> abs(float(found.actions[0, 0, 0]) - 0.5) < 0.02
    True
    """

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        seen = Cheapest(start)
        for _ in range(self.rounds):
            tried = self.around(start, self.spread * limit, limit, rng)
            seen.saw(tried, cost(tried))
        return Plan(seen.actions, seen.history)
