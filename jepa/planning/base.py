"""What a planner is: settings, and a search for the cheapest sequence of actions, for many tasks at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import Settings, between, setting
from jepa.worlds.base import shortened

Array = NDArray[np.float32]
WORST = 1e30  # what a cost that is no number counts as


class Cost:
    """What sequences of actions cost: (n, P, H, a), P candidates for each of n tasks, to (n, P).

    A cost that has a gradient says so in `slopes`, and has `slope`.
    """

    slopes: ClassVar[bool] = False

    def __call__(self, actions: Array, /) -> Array:
        """Return the cost of each candidate: (n, P, H, a) -> (n, P)."""
        raise NotImplementedError

    def slope(self, actions: Array, /) -> tuple[Array, Array]:
        """Return the costs (n, P), and their gradient (n, P, H, a)."""
        raise NotImplementedError


class Plan(NamedTuple):
    """What a search has found."""

    actions: Array
    """(n, H, a): the sequence that is to be followed"""
    costs: list[float]
    """after each round, the lowest cost that was seen, averaged over the tasks"""


@dataclass(frozen=True)
class Planner(Settings):
    """Base of the planners: frozen settings, and `plan`.

    H actions of a numbers are chosen for each of n tasks at once, P = `samples` candidates for each of them, so that a
    model imagines n P sequences in one product of matrices. No action is longer than `limit`: a candidate's longer ones
    are shortened before they cost anything. `slopes` says that a planner needs a cost with a gradient.
    """

    slopes: ClassVar[bool] = False

    samples: int = setting(32, between(1, 100_000))
    """candidates in a round"""
    rounds: int = setting(3, between(1, 10_000))
    """rounds of a search, each around what the one before has found"""
    spread: float = setting(1.0, between(1e-6, 1e6))
    """standard deviation of what is drawn first, in units of the largest action"""
    color: float = setting(2.0, between(0, 10))
    """exponent of the noise along a sequence: 0 white, each step for itself; 2 sequences that keep to a direction"""

    def plan(self, cost: Cost, start: Array, limit: float, rng: np.random.Generator) -> Plan:
        """Return what to do, (n, H, a), from a first guess of that shape, such as the rest of the plan before.

        cost: see `Cost`; limit: the largest Euclidean norm of an action; rng: what candidates are drawn from. The same
        arguments give the same bits.
        """
        raise NotImplementedError

    @property
    def sequences(self) -> int:
        """How many sequences of actions a model imagines for one plan of one task."""
        return self.samples * self.rounds

    def scaled(self, share: float) -> Self:
        """Return the planner with such a share of its candidates, at least one in each round."""
        return replace(self, samples=max(round(share * self.samples), 1))

    def around(
        self, mean: Array, deviation: Array | float, limit: float, rng: np.random.Generator, count: int = 0
    ) -> Array:
        """Return candidates around (n, H, a), the first of which is that itself: (n, count or `samples`, H, a)."""
        noise = drawn(rng, (len(mean), count or self.samples, *mean.shape[1:]), self.color)
        noise[:, 0] = 0
        wide = deviation[:, None] if isinstance(deviation, np.ndarray) else np.float32(deviation)
        return shortened(mean[:, None] + wide * noise, limit).astype(np.float32)


class Cheapest:
    """The cheapest sequence of each of n tasks that a search has seen, and what it costs."""

    def __init__(self, start: Array) -> None:
        self.actions = start
        """(n, H, a)"""
        self.cost = np.full(len(start), WORST, np.float32)
        """(n,)"""
        self.history: list[float] = []
        """the mean of `cost` after each round"""

    def saw(self, actions: Array, costs: Array, count: int = 1) -> Array:
        """Take note of candidates (n, P, H, a) and their costs (n, P); return the `count` cheapest, best first."""
        costs = np.nan_to_num(costs, nan=WORST, posinf=WORST)
        order = np.argsort(costs, axis=1, kind="stable")[:, :count]
        found: Array = np.take_along_axis(actions, order[:, :, None, None], axis=1)
        least = np.take_along_axis(costs, order[:, :1], axis=1)[:, 0]
        better = least < self.cost
        self.actions = np.where(better[:, None, None], found[:, 0], self.actions)
        self.cost = np.where(better, least, self.cost)
        self.history.append(float(self.cost.mean()))
        return found


def drawn(rng: np.random.Generator, shape: tuple[int, ...], color: float = 0.0) -> Array:
    """Return noise (..., H, a) of unit variance whose power falls with the frequency along H as 1 / f^color.

    The lowest frequency counts as the one above it, so that a sequence may go one way from its beginning to its end.
    Timmer & König 1995; for planning, Pinneri et al. 2020.

    >>> noise = drawn(np.random.default_rng(0), (1000, 20, 2), color=2.0)
    >>> noise.shape, round(float(noise.std()), 1), bool((noise[:, 1:] * noise[:, :-1]).mean() > 0.8)
    ((1000, 20, 2), 1.0, True)
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    length = shape[-2]
    if color == 0 or length < 2:
        return white
    weight = np.maximum(np.arange(length // 2 + 1), 1.0)[:, None] ** (-color / 2)
    stands = np.full_like(weight, 2.0)  # for two frequencies, but for the first, and the last one of an even length
    stands[0] = 1
    stands[-1] -= length % 2 == 0
    weight *= np.sqrt(length / (stands * weight**2).sum())
    return np.fft.irfft(np.fft.rfft(white, axis=-2) * weight, length, axis=-2).astype(np.float32)
