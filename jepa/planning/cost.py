"""What a plan costs: how far from the goal it leads, by a model's imagination or by a world's own dynamics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

import minitensor as mt
from jepa.contracts import DynamicsModel
from jepa.planning.base import Array, Cost
from jepa.worlds import World, of
from jepa.worlds.base import State

NUMBERS = 5_000_000  # in the codes that are imagined at once, by all threads together: they stay near the processor
Over = Literal["all", "last"]
"""which steps count: all of them alike, or the last alone"""


class Seen(NamedTuple):
    """What was seen of each of n tasks."""

    codes: Array
    """(n, K, d): of the last K frames, the present one last"""
    actions: Array
    """(n, K - 1, a): what was done between them"""


class Imagined(Cost):
    """The mean squared difference between imagined codes and the goal's, and what actions are imagined to be without.

        J(a) = mean over t of mean_d (ẑ_t - z*)² + w · mean over t of mean (b(ẑ_{t-1}, ẑ_t) - a_t)²

    where ẑ_1, ..., ẑ_H = imagine(ẑ_0, a). The first mean is over all steps, or over the last one alone.

    model: a predictor of dynamics; b is its `inverse`. seen: the frames so far. goal (n, d). effect: the weight w. A
    model is seldom sure that a wall stops a thing, and imagines that it gets through bit by bit. An action that is
    stopped, or half stopped, is not read again in what it did, and so the way around the wall costs less. Some
    sequences are imagined at a time, by as many threads as there are, without a graph.
    """

    slopes: ClassVar[bool] = True

    def __init__(
        self,
        model: DynamicsModel,
        seen: Seen,
        goal: Array,
        over: Over = "all",
        effect: float = 0.0,
        device: str = "cpu",
    ) -> None:
        self.model, self.seen, self.goal, self.over = model, seen, goal, over
        self.effect, self.device = effect, device

    def __call__(self, actions: Array) -> Array:
        with mt.no_grad():
            return self._by_rows(lambda *rows: (mt.data_parallel(self._of, *rows).numpy(),), actions)[0]

    def slope(self, actions: Array) -> tuple[Array, Array]:
        def both(codes: mt.Tensor, a: mt.Tensor, goal: mt.Tensor) -> tuple[Array, Array]:
            a.requires_grad = True
            value = mt.data_parallel(self._of, codes, a, goal)
            (g,) = mt.grad(value.sum(), [a])
            return value.numpy(), g.numpy()[:, codes.shape[1] - 1 :]

        value, g = self._by_rows(both, actions)
        return value, g.reshape(actions.shape)

    def _of(self, codes: mt.Tensor, actions: mt.Tensor, goal: mt.Tensor) -> mt.Tensor:
        """Return the costs of rows: codes (rows, K, d), actions (rows, K - 1 + H, a), goal (rows, 1, d) -> (rows,)."""
        z = self.model.imagine(codes, actions)
        y: mt.Tensor = (((z[:, -1:] if self.over == "last" else z) - goal) ** 2).mean(axis=(1, 2))
        if self.effect:
            read = self.model.inverse(mt.concatenate([codes[:, -1:], z[:, :-1]], axis=1), z)  # (rows, H, a)
            y = y + self.effect * ((read - actions[:, codes.shape[1] - 1 :]) ** 2).mean(axis=(1, 2))
        return y

    def _by_rows(self, f: Callable[..., tuple[Array, ...]], actions: Array) -> list[Array]:
        """Return what f makes of the rows, n P of them, a part at a time."""
        n, count = actions.shape[:2]
        flat = actions.reshape(n * count, *actions.shape[2:])
        few = max(NUMBERS // (actions.shape[2] * self.goal.shape[-1]), 1)
        found = []
        for i in range(0, len(flat), few):
            task = np.arange(i, min(i + few, len(flat))) // count
            told = np.concatenate([self.seen.actions[task], flat[i : i + few]], axis=1)
            rows = self.seen.codes[task], told, self.goal[task][:, None]
            found.append(f(*(mt.Tensor(x, dtype=np.float32, device=self.device) for x in rows)))
        first, *rest = (np.concatenate(column) for column in zip(*found, strict=True))
        return [first.reshape(n, count), *rest]


class Known(Cost):
    """The squared distance of places to the goal's, by the dynamics of the world itself: of all steps, or of the last.

    What a plan would cost for one who knew the world: the ceiling of a learned model.
    """

    def __init__(self, world: World, state: State, goal: State, over: Over = "last") -> None:
        self.world, self.state, self.goal, self.over = world, state, goal, over

    def __call__(self, actions: Array) -> Array:
        n, count, steps, _ = actions.shape
        each = np.repeat(np.arange(n), count)
        state, goal = of(self.state, each), of(self.goal, each)
        flat: Any = actions.reshape(n * count, steps, -1)
        total = np.zeros(n * count)
        for t in range(steps):
            state = self.world.step(state, flat[:, t])
            if self.over == "all" or t == steps - 1:
                total += self.world.distance(state, goal) ** 2
        return (total / (steps if self.over == "all" else 1)).reshape(n, count).astype(np.float32)
