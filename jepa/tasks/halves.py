"""Halves: what there is of an example is divided into two parts, and the code of one is predicted from the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import SHARES, Range, Settings, setting
from jepa.contracts import Batch, Generators, Grid
from jepa.errors import ConfigError
from jepa.tasks.base import Array, Task, chunked, kept_shape
from jepa.tasks.multiview import Mutual

ENDS = (33, 46, 63)
"""the tokens of ! . ? (`jepa.sources.texts.vocabulary`)"""


@dataclass(frozen=True)
class HalvesSettings(Settings):
    """How an example is divided."""

    usual: ClassVar[Mapping[str, str]] = {"projector": "mlp", "predictor": "none", "target": "shared"}
    by: Literal["places", "cut", "sentence"] = setting("places")
    """places: each falls to one part at random; cut: what comes before a place, and what comes after; sentence: the
    same, behind a . ! or ? where there is one within"""
    share: Range = setting((0.4, 0.6), SHARES)
    """share of the places that the first part has, smallest and largest"""


class Halves(Task):
    """An example is divided along its last axis; the two parts predict one another's mean embedding.

    What is not in a part is NaN there: nothing is in both, so that nothing can be predicted by what it is itself, only
    by what it goes along with. `by=sentence` is the question of what is said next. Each part has at least one place of
    an example that has two.

    >>> from jepa.tasks import generators
    >>> batch = Halves(by="cut", share=(0.5, 0.5)).ask(np.ones((5, 1, 8), np.float32), (8,), generators(5))
    >>> [x.shape for x in batch.seen], np.isnan(batch.seen[0][0, :, 0]).astype(int).tolist()
    ([(5, 2, 1, 8)], [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0]])
    """

    Settings = HalvesSettings
    asks = Mutual
    apart = True
    gaps = True

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        if len(shape) < 2 or shape[-1] < 2:
            raise ConfigError(
                f"task=halves divides examples along their last axis; the source has examples of {shape}: take "
                "task=views, or another source"
            )

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return both parts of each example, one view each: (n, 2, *shape)."""
        return Batch(chunked(self._parts, x, generators.examples), None, None, Mutual(2, 0, False))

    def _parts(self, x: Array, each: list[np.random.Generator]) -> tuple[Any]:
        x = kept_shape(self.whole, x, [self.whole.draw(g) for g in each])
        first = np.stack([self._first(row, g) for row, g in zip(x, each, strict=True)])  # (n, length)
        sides = first.reshape(len(x), *[1] * (x.ndim - 2), -1)
        views = [np.where(side, x, np.float32(np.nan)) for side in (sides, ~sides)]
        changes = [[self.part.draw(g) for g in each] for _ in views]
        return (np.stack([kept_shape(self.part, v, d) for v, d in zip(views, changes, strict=True)], axis=1),)

    def _first(self, x: Array, generator: np.random.Generator) -> NDArray[np.bool_]:
        """Return which places along the last axis are in the first part."""
        s, there = self.settings, ~np.isnan(x).all(axis=tuple(range(x.ndim - 1)))
        places, u = np.flatnonzero(there), generator.random()
        order = generator.permutation(len(places)) if s.by == "places" else np.arange(len(places))
        count = round((s.share[0] + u * (s.share[1] - s.share[0])) * len(places))
        if s.by == "sentence":
            ends = np.flatnonzero(np.isin(x.reshape(-1, x.shape[-1])[0, places[:-1]], ENDS)) + 1
            count = int(generator.choice(ends)) if len(ends) else count
        first = np.zeros(x.shape[-1], bool)
        first[places[order[: min(max(count, 1), len(places) - 1)]]] = True
        return first
