"""The line search of L-BFGS: how far to go along a direction, by the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minitensor.backend import Array

__all__ = ["Point", "strong_wolfe"]

C1, C2 = 1e-4, 0.9  # how much of the slope the loss has to fall by; how much of it may be left


class Point(NamedTuple):
    """A point along a direction d: x + t d."""

    t: float
    loss: float
    slope: float
    """dloss/dt"""
    gradient: Array


def strong_wolfe(
    probe: Callable[[float], Point], start: Point, t: float, budget: int, is_narrow: Callable[[float], bool]
) -> Point:
    """Return a point with f(t) ≤ f(0) + c₁ t f'(0) and |f'(t)| ≤ c₂ |f'(0)|, or the best one that was found.

    t grows until an interval [low, high] with such a point is known (Nocedal & Wright 2006, algorithm 3.5), which then
    shrinks (3.6). `low` is the best point so far. probe(t) is called at most `budget` times, and at least once; the
    search gives up where the interval `is_narrow`.

    >>> best = strong_wolfe(lambda t: Point(t, (t - 2) ** 2, 2 * (t - 2), None), Point(0, 4, -4, None), 1, 9, bool)
    >>> best.t
    1
    """
    low: Point = start
    high: Point | None = None
    for _ in range(max(budget, 1)):
        now = probe(t)
        low, high = _bracket(start, low, high, now)
        if low is now and abs(now.slope) <= -C2 * start.slope:
            break
        if high is None:
            t *= 3
            continue
        left, right = sorted((low.t, high.t))
        if is_narrow(right - left):
            break
        edge = 0.1 * (right - left)
        t = min(max(_cubic(low, high), left + edge), right - edge)
    return low


def _bracket(start: Point, low: Point, high: Point | None, now: Point) -> tuple[Point, Point | None]:
    """Return the interval with what is known now: `high` is None while nothing was too far."""
    first = low is start and high is None
    if not now.loss <= start.loss + C1 * now.t * start.slope or (now.loss >= low.loss and not first):
        return low, now  # too far
    if high is None:
        return now, (low if now.slope >= 0 else None)
    return now, (low if now.slope * (high.t - low.t) >= 0 else high)


def _cubic(a: Point, b: Point) -> float:
    """Return the minimizer of the cubic with the values and slopes of two points (3.59); the middle, if it has none."""
    (ta, fa, ga, _), (tb, fb, gb, _) = sorted((a, b), key=lambda p: p.t)
    if ta == tb:
        return tb
    d1 = ga + gb - 3 * (fa - fb) / (ta - tb)
    square = d1 * d1 - ga * gb
    if not square >= 0:
        return (ta + tb) / 2
    d2 = square**0.5
    return float(tb - (tb - ta) * (gb + d2 - d1) / (gb - ga + 2 * d2))
