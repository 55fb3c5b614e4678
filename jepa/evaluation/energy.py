"""The energy over actions: what the code one step ahead costs for each of them, least where the true one is, or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.measures import Table
from jepa.evaluation.rollout import codes, imagined
from jepa.learner import JEPA
from jepa.runs.run import Run

CASES = 200  # steps of held-out trajectories that are looked at
SIDE = 21  # values of each number of an action
NEAR = 0.15  # of the largest action: so far a minimum may be off, which is a step of the grid and a half
ROWS = {"jepa": "trained", "random": "untrained", "chance": "an action at random"}
Array = NDArray[np.float32]


class Energy(NamedTuple):
    """The energy of actions around true ones."""

    values: Array
    """(n, SIDE, SIDE), first number of an action by second, or (n, SIDE) if it has one; NaN: longer than `limit`"""
    offsets: Array
    """(SIDE,): of each number from that of the true action"""
    true: Array
    """(n, a): the actions that were taken"""
    limit: float
    """largest norm of an action"""

    @property
    def off(self) -> Array:
        """How far the minimum lies from the true action, in units of the largest one: (n,)."""
        n, rank = len(self.values), self.values.ndim - 1
        least = np.nanargmin(self.values.reshape(n, -1), axis=1)
        at = np.stack(np.unravel_index(least, (SIDE,) * rank), axis=1)
        return np.asarray(np.linalg.norm(self.offsets[at], axis=1) / self.limit, np.float32)


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return how far the minimum of the energy over actions is from the action that was taken.

        {"off": {"jepa": 0.05, "random": 0.8, "chance": 0.7}, "near": {"jepa": 0.97, ...}, "limit": 2.45, "cases": 200}

    E(a) = mean (imagine(z_t, a) - z_{t+1})² for actions a on a grid around a_t, none longer than the largest one. A
    planner can only be right where E is least at a_t. off: median distance of the minimum from a_t, in units of the
    largest action; near: share of cases at most 0.15 off. Rows as `ROWS`. Of actions of more than two numbers the first
    two vary. Public code of V-JEPA 2-AC is known to have its minimum elsewhere.
    """
    models = {"jepa": run.model} | ({} if twin is None else {"random": twin})
    every = {row: energies(run, model, CASES) for row, model in models.items()}
    off = {row: e.off for row, e in every.items()}
    some = every["jepa"]
    drawn = np.where(np.isnan(some.values), np.nan, np.random.default_rng(0).random(some.values.shape))
    off["chance"] = some._replace(values=drawn.astype(np.float32)).off
    return {
        "off": {row: float(np.median(o)) for row, o in off.items()},
        "near": {row: float((o <= NEAR).mean()) for row, o in off.items()},
        "limit": some.limit,
        "cases": len(some.true),
    }


def energies(run: Run, model: JEPA, count: int) -> Energy:
    """Return the energy around the actions of at most so many steps, each of another held-out trajectory."""
    held: Any = run.source("val")
    n, past, limit = min(count, len(held)), run.task.settings.past, longest(run)
    rows = np.linspace(0, len(held) - 1, n).astype(np.int64)
    actions, frames = np.asarray(held.actions[rows], np.float32), held.read(rows)
    last = actions.shape[1] - 1
    t = np.random.default_rng(0).integers(min(past - 1, last), last, n, endpoint=True)  # whose action is looked at
    each = np.arange(n)[:, None]
    z = codes(run, model, frames)
    seen, after = z[each, t[:, None] + np.arange(1 - past, 1)], z[np.arange(n), t + 1]
    before, true = actions[each, t[:, None] + np.arange(1 - past, 0)], actions[np.arange(n), t]
    offsets = np.linspace(-limit, limit, SIDE).astype(np.float32)
    tried, shape = around(true, offsets)
    cells = tried.shape[1]
    told = np.concatenate([np.repeat(before, cells, axis=0), tried.reshape(n * cells, 1, -1)], axis=1)
    found = imagined(model, np.repeat(seen, cells, axis=0), told)[:, 0].reshape(n, cells, -1)
    values = ((found - after[:, None]) ** 2).mean(axis=2)
    longer = np.linalg.norm(tried, axis=2) > limit * 1.0001
    longer[:, cells // 2] = False  # the true action itself, which may be as long as it was
    values[longer] = np.nan
    return Energy(values.reshape(n, *shape), offsets, true, limit)


def around(true: Array, offsets: Array) -> tuple[Array, tuple[int, ...]]:
    """Return actions on a grid around each of some: (n, a) -> (n, G, a), and the shape of the grid."""
    rank = min(true.shape[1], 2)
    grid = np.stack(np.meshgrid(*[offsets] * rank, indexing="ij"), axis=-1)  # (SIDE, SIDE, 2)
    shift = np.zeros((grid[..., 0].size, true.shape[1]), np.float32)
    shift[:, :rank] = grid.reshape(-1, rank)
    return true[:, None] + shift, grid.shape[:-1]


def longest(run: Run) -> float:
    """Return the largest norm of an action: that of the source's world, or of the longest one in the data."""
    source: Any = run.parts.source
    if source.world is not None:
        return float(source.world.limit)
    return float(np.linalg.norm(source.actions, axis=-1).max())


def sentences(found: dict[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say where the energy is least."""
    others = ", ".join(f"{ROWS[row]} {of:.0%}" for row, of in found["off"].items() if row != "jepa")
    return [
        f"The energy over actions is least {found['off']['jepa']:.0%} of the largest action away from the true one, "
        f"the median of {found['cases']} cases ({others}); at most {NEAR:.0%} away in {found['near']['jepa']:.0%}."
    ]


def tables(found: dict[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return how far off the minimum is, of each row."""
    cells = [[ROWS[row], f"{off:.0%}", f"{found['near'][row]:.0%}"] for row, off in found["off"].items()]
    note = (
        "The code one step ahead is predicted for actions on a grid around the one that was taken, and compared with "
        f"the code of the true next frame, in {found['cases']} steps of held-out trajectories. Distances are shares of "
        f"the largest action, {found['limit']:.3g}; the grid has steps of a tenth of it. A planner can be right only "
        "where the energy is least at the true action."
    )
    return [Table(["minimum of the energy over actions", "off, median", f"at most {NEAR:.0%} off"], cells, note)]
