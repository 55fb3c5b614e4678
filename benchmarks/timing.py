"""Timing as a ratio in one run: the candidates take turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class Timing(NamedTuple):
    """Milliseconds a call."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:9.3f} ({self.low:.3f} to {self.high:.3f})"


def interleaved(
    candidates: Mapping[K, Callable[[], object]], rounds: int = 9, seconds: float = 0.05
) -> dict[K, Timing]:
    """Time the candidates in turn, `rounds` times each after a warm-up, a round being about `seconds` long."""
    repeats = {}
    for name, f in candidates.items():
        f()
        start = time.perf_counter()
        f()
        repeats[name] = max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))
    taken: dict[K, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                f()
            taken[name].append((time.perf_counter() - start) / repeats[name] * 1e3)
    return {name: Timing(statistics.median(t), min(t), max(t)) for name, t in taken.items()}
