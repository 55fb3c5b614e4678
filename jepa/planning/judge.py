"""Judging: n tasks in a world at once, by whatever chooses the actions, and how often the goal is reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config import PlanSettings
from jepa.planning.base import Array, Planner
from jepa.planning.cem import CEM
from jepa.planning.control import Agent, Receding
from jepa.planning.cost import Known
from jepa.progress import shown_progress
from jepa.worlds import World
from jepa.worlds.base import State

Policy = Callable[[int, Any], NDArray[Any]]
"""step and states (n,) -> actions (n, a)"""
SURE = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True)
class Tasks:
    """n tasks in a world."""

    world: World
    start: State
    goal: State
    steps: int
    """that there are to reach the goal"""

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.start[0])


class Walk(NamedTuple):
    """Where a policy went."""

    places: NDArray[np.float64]
    """(n, steps + 1, p)"""
    distances: NDArray[np.float64]
    """(n, steps + 1): to the goal"""
    reached: NDArray[np.bool_]
    """(n, steps + 1)"""


def walked(tasks: Tasks, policy: Policy, doing: str) -> Walk:
    """Follow a policy through all tasks at once, for all their steps, whether or not the goal is reached before."""
    world, state, found = tasks.world, tasks.start, []
    for t in shown_progress(range(tasks.steps + 1), tasks.steps, doing, "steps"):
        found.append((world.place(state), world.distance(state, tasks.goal), world.reached(state, tasks.goal)))
        if t < tasks.steps:
            state = world.step(state, policy(t, state))
    return Walk(*(np.stack(arrays, axis=1) for arrays in zip(*found, strict=True)))


def figures(walk: Walk) -> dict[str, Any]:
    """Return how often the goal was reached, with 95 % intervals, and how soon.

        {"tasks": 100, "at_end": 0.97, "at_end_interval": [0.92, 0.99], "ever": ..., "ever_interval": ...,
         "steps": 41.0, "distance": 1.2}

    at_end: at the last step; ever: at any; steps: until it was reached first, the median of the tasks in which it ever
    was (None: of none); distance: to the goal at the last step, the mean.
    """
    n, ever = len(walk.reached), walk.reached.any(axis=1)
    first = walk.reached.argmax(axis=1)[ever]
    shares = {"at_end": float(walk.reached[:, -1].mean()), "ever": float(ever.mean())}
    return {
        "tasks": n,
        **{
            key: value for name, p in shares.items() for key, value in ((name, p), (f"{name}_interval", interval(p, n)))
        },
        "steps": float(np.median(first)) if len(first) else None,
        "distance": float(walk.distances[:, -1].mean()),
    }


def interval(share: float, n: int) -> list[float]:
    """Return the 95 % interval of a share of n tries (Wilson 1927).

    >>> [round(p, 3) for p in interval(0.97, 100)], [round(p, 3) for p in interval(1.0, 20)]
    ([0.915, 0.99], [0.839, 1.0])
    """
    z = SURE**2 / n
    middle, half = share + z / 2, SURE * math.sqrt((share * (1 - share) + z / 4) / n)
    return [max(0.0, (middle - half) / (1 + z)), min(1.0, (middle + half) / (1 + z))]


def by_model(agent: Agent, tasks: Tasks) -> Policy:
    """Return the policy that plans by a model, which sees the world's pictures and nothing else."""
    shown: Callable[[State], Array] = agent.run.parts.source.shown
    agent.aim(shown(tasks.goal))
    return lambda t, state: agent.act(shown(state), tasks.steps - t)


def knowing(tasks: Tasks, planner: Planner, settings: PlanSettings, seed: int) -> Policy:
    """Return the ceiling: the same planner on the world's own dynamics, that its last step may be near the goal.

    Of all steps, the distance would keep it in front of a wall that it is to go around. A planner that needs gradients,
    which a world has not, has `CEM` as its ceiling.
    """
    control = Receding(CEM() if planner.slopes else planner, settings, tasks.world.limit, seed)
    shape = (tasks.n, tasks.world.actions)
    return lambda t, state: control.next(lambda: Known(tasks.world, state, tasks.goal), shape, tasks.steps - t)


def floors(tasks: Tasks, seed: int) -> dict[str, Policy]:
    """Return what has learned nothing: random actions, straight to the goal, and what the data do."""
    world, rng = tasks.world, np.random.default_rng(seed)
    lived = world.behavior(tasks.n, tasks.steps, rng)[1]

    def anything(t: int, state: State) -> NDArray[Any]:
        way = rng.normal(size=(tasks.n, world.actions))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        return np.asarray(way * world.limit * rng.random((tasks.n, 1)) ** (1 / world.actions))

    return {
        "random": anything,
        "straight": lambda t, state: world.straight(state, tasks.goal),
        "behavior": lambda t, state: lived[:, t],
    }
