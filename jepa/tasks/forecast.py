"""Forecast: what comes first along the first axis is seen, and what follows is asked for, step by step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import Settings, between, setting
from jepa.contracts import Batch, Generators, Grid, Keep
from jepa.errors import ConfigError
from jepa.tasks.base import Array, Task, chunked, kept_shape
from jepa.tasks.masked import Places
from jepa.text import by_x


class Future(Places):
    """What comes next: set s has all places of step s + 1 behind the past, which is the beginning of the grid.

    All examples are asked the same, so that there is no other question to compare with.
    """

    @property
    def single(self) -> bool:
        return True

    def rolled(self) -> None:
        """Return None."""


@dataclass(frozen=True)
class ForecastSettings(Settings):
    """How much is seen, and how far ahead is asked."""

    usual: ClassVar[Mapping[str, str]] = {"encoder": "frames", "projector": "linear", "predictor": "conv"}
    past: int = setting(2, between(1, 1024))
    """places along the first axis of the grid that are seen: frames, or pieces of a series"""
    steps: int = setting(1, between(1, 1024))
    """places behind them that are predicted, one after the other"""
    steps_end: int | None = setting(None, between(1, 1024))
    """value at the end of training, reached linearly; null: constant"""


class Forecast(Task):
    """The tokens of the next `steps` frames are predicted from those of `past` ones, wherever in the clip these lie.

    Of each example a part of past + steps frames is cut out, at a place that is drawn for each example. Context and
    target encoder are given the same part (each changed by itself, if there is an augmentation); of the context the
    places of the past are kept. "Frame" stands for whatever lies at one place along the first axis of the encoder's
    grid: a tubelet of frames, a piece of a series.

    >>> from jepa.tasks import generators
    >>> batch = Forecast(past=2, steps=3).ask(np.ones((5, 1, 8, 16, 16), np.float32), (8, 4, 4), generators(5))
    >>> batch.seen.shape, batch.keep.index.shape, batch.asked.index.shape
    ((5, 1, 5, 16, 16), (5, 1, 32), (5, 3, 16))
    """

    Settings = ForecastSettings
    asks: ClassVar[type] = Future
    apart = True
    forecasts = True
    pictures = "jepa.pictures.forecast"

    @property
    def span(self) -> int:
        """Places along the first axis that take part."""
        span: int = self.settings.past + self.settings.steps
        return span

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        longest = max(self.at(progress).span for progress in (0.0, 1.0))
        if longest > grid[0]:
            raise ConfigError(
                f"task.past={self.settings.past} and task.steps={longest - self.settings.past} need {longest} places "
                f"along the first axis, and the encoder has {by_x(grid)}: take fewer of them, longer examples of the "
                "source, or an encoder with more places"
            )
        if self.span < grid[0] and shape[1] % grid[0]:
            raise ConfigError(
                f"task=forecast cuts {self.span} of {grid[0]} places out of an example, and the encoder's places are "
                f"no equal shares of {shape[1]} entries: take task.past + task.steps = {grid[0]}, or another encoder"
            )

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        return {"task.steps": (shape[0], self._entries(shape, grid), *shape[2:])}

    def _entries(self, shape: tuple[int, ...], grid: Grid) -> int:
        """Return the entries along the first axis that take part, of examples of a shape."""
        return shape[1] if self.span == grid[0] else shape[1] // grid[0] * self.span

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return a part of each example (n, *shape'), the places of its past, and of each step behind it."""
        entries, unit = self._entries(x.shape[1:], grid), x.shape[2] // grid[0]
        seen, true = chunked(lambda x, each: self._parts(x, each, entries, unit), x, generators.examples)
        keep, asked = self.question(len(x), grid)
        return Batch(seen, keep, true[:, None], asked)

    def question(self, count: int, grid: Grid, steps: int | None = None) -> tuple[Keep, Future]:
        """Return the places of the past, (count, 1, K), and those of so many steps, (count, steps, k)."""
        past, steps, each = self.settings.past, steps or self.settings.steps, math.prod(grid[1:])
        places = np.arange((past + steps) * each)
        seen, asked = places[: past * each], places[past * each :].reshape(steps, each)
        return Keep(_of_each(seen[None], count)), Future(_of_each(asked, count))

    def _parts(self, x: Array, each: list[np.random.Generator], entries: int, unit: int) -> tuple[Array, Array]:
        """First all that is random, example by example, then all entries together."""
        whole = [self.whole.draw(g) for g in each]
        first = [unit * int(g.integers((x.shape[2] - entries) // unit + 1)) for g in each]
        seen, true = ([self.part.draw(g) for g in each] for _ in range(2))
        x = kept_shape(self.whole, x, whole)
        x = np.stack([one[:, k : k + entries] for one, k in zip(x, first, strict=True)])
        return kept_shape(self.part, x, seen), kept_shape(self.part, x, true)


def _of_each(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.broadcast_to(places, (count, *places.shape))
