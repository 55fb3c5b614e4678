"""Settings that change in the course of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from jepa.errors import ConfigError
from jepa.masks.box import Range

__all__ = ["Curriculum"]


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """Base of the samplers. A setting NAME with a NAME_end moves linearly from the one to the other (a curriculum)."""

    def at(self, progress: float) -> Self:
        """Return the sampler as it is at a progress of 0 (start) to 1 (end), without a curriculum of its own.

        Beyond 0 and 1 it stays as it is there.
        """
        now = {name: _between(start, end, progress) for name, start, end in self._moving()}
        return replace(self, **now, **{f"{name}_end": None for name in now}) if now else self

    def values(self, progress: float) -> dict[str, float]:
        """Return the moving settings at a progress, by name, for the log; empty if nothing moves."""
        return {
            f"{name}_{side}": value
            for name, start, end in self._moving()
            for side, value in zip(("min", "max"), _between(start, end, progress), strict=True)
        }

    def _moving(self) -> Iterator[tuple[str, Range, Range]]:
        for field in fields(self):
            if field.name.endswith("_end") and (end := getattr(self, field.name)) is not None:
                name = field.name.removesuffix("_end")
                yield name, getattr(self, name), end

    def _check(self, *names: str, low: float, high: float) -> None:
        """Raise ConfigError unless each named range (or its end) is a pair low <= smallest <= largest <= high."""
        for name in names:
            value = getattr(self, name)
            if value is None:
                continue
            if len(value) != 2 or not low <= value[0] <= value[1] <= high or value[1] <= 0:
                limits = f"{low:g} <= smallest <= largest" + (f" <= {high:g}" if np.isfinite(high) else "")
                raise ConfigError(f"{type(self).__name__}: {name}={value} must be (smallest, largest), {limits}")


def _between(start: Range, end: Range, progress: float) -> Range:
    t = min(max(progress, 0.0), 1.0)
    return (1 - t) * start[0] + t * end[0], (1 - t) * start[1] + t * end[1]
