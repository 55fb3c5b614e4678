"""Schedules as pure functions of the step: what a setting is at step t follows from t alone, so that nothing is saved.

>>> for step in range(4):
...     print(round(warmup(step, lambda t: cosine(t, start=1.0, end=0.0, steps=2), steps=2), 3))
0.5
1.0
1.0
0.5
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["constant", "cosine", "linear", "warmup"]


def _progress(step: float, steps: float) -> float:
    if steps <= 0:
        raise ValueError(f"a schedule takes at least one step; got steps={steps}")
    return min(max(step / steps, 0.0), 1.0)


def constant(step: float, *, start: float) -> float:
    """Return `start`, whatever the step."""
    return start


def linear(step: float, *, start: float, end: float, steps: float) -> float:
    """Return start + (end - start) t / T: from `start` at step 0 to `end` at step `steps`, and from there on.

    >>> linear(5, start=0.0, end=1.0, steps=10)
    0.5
    """
    return start + (end - start) * _progress(step, steps)


def cosine(step: float, *, start: float, end: float, steps: float) -> float:
    """Return end - (end - start)(1 + cos(π t / T)) / 2: flat at both ends (Loshchilov & Hutter 2017).

    With start = m₀, end = 1 it is the moving average's momentum of BYOL and DINO, 1 - (1 - m₀)(1 + cos(π t / T)) / 2.

    >>> cosine(0, start=0.996, end=1.0, steps=100), cosine(100, start=0.996, end=1.0, steps=100)
    (0.996, 1.0)
    """
    return end - (end - start) * (1 + math.cos(math.pi * _progress(step, steps))) / 2


def warmup(step: float, schedule: Callable[[float], float], *, steps: float) -> float:
    """Return (t + 1) / steps of schedule(0) for the first `steps` steps, then the schedule, counted from there.

    >>> [warmup(t, lambda t: constant(t, start=1.0), steps=4) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    return schedule(0) * (step + 1) / steps if step < steps else schedule(step - steps)
