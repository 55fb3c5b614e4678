"""The future: of a part of an example, the embeddings of parts that come later are predicted, near, further, far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from jepa.config.settings import Rule, Settings, between, setting
from jepa.contracts import Batch, Flags, Generators, Grid, Index
from jepa.errors import ConfigError
from jepa.tasks.base import Array, Task, chunked, kept_shape
from jepa.tasks.crops import Geometry

HALF: Rule = (lambda v: 0 < v <= 0.5), "must be above 0 and at most 0.5"


class Ahead(Geometry):
    """One target for each later part, in order of time, its mean token; the predictor is told how far ahead it begins.

    places (n, v, 4) is (0, distance in lengths of a part, 0, 0): a `Geometry` of parts of one length.
    """

    __slots__ = ()

    def rolled(self) -> "Ahead":
        return Ahead(np.roll(self.places, 1, axis=0))


@dataclass(frozen=True)
class FutureSettings(Settings):
    """How long a part is, and how many later ones are predicted from one."""

    usual: ClassVar[Mapping[str, str]] = {"encoder": "vit", "predictor": "geometry", "projector": "none"}
    window: float = setting(0.25, HALF)
    """length of a part, as a share of the example's"""
    horizons: int = setting(3, between(1, 64))
    """later parts: what lies ahead is divided into so many stretches, near to far, and one begins in each"""


class Future(Task):
    """A part of a series is seen, and later ones are to be predicted (CF-JEPA, 2606.07031).

    The part that is seen begins at random where at least as much lies ahead as it is long. The stretch from its end to
    the last begin of another part is divided into `horizons` equal ones, and one target begins at random in each. Parts
    are not stretched: all have `window` times the example's length. Of a series that ends early (NaN), only what is
    there counts. Each part changes apart.

    >>> from jepa.tasks import generators
    >>> batch = Future(window=0.25).ask(np.ones((5, 2, 64), np.float32), (4,), generators(5))
    >>> batch.seen.shape, batch.true.shape, batch.asked.places.shape
    ((5, 2, 16), (5, 3, 2, 16), (5, 3, 4))
    """

    Settings = FutureSettings
    asks = Ahead
    apart = True
    pictures = "jepa.pictures.future"

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        if len(shape) != 2:
            raise ConfigError(
                f"task=future asks what comes later in series (channels, samples); the source has {shape}: take "
                "task=masked with task.masks=suffix, or another source"
            )
        if self.length(shape[1]) < 2:
            raise ConfigError(
                f"task.window={self.settings.window} of the source's {shape[1]} samples is a part of less than 2: take "
                "a larger one"
            )

    def length(self, samples: int) -> int:
        """Return the samples of a part."""
        share: float = self.settings.window
        return round(share * samples)

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        return {f"task.window={self.settings.window}": (shape[0], self.length(shape[1]))}

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return parts (n, c, w), later ones (n, v, c, w), and how far ahead these begin."""
        seen, true, starts = chunked(self._parts, x, generators.examples)
        return Batch(seen, None, true, ahead(starts, self.length(x.shape[2])))

    def starts(self, x: Array, each: list[np.random.Generator]) -> Index:
        """Draw where parts begin, in samples: (n, 1 + v), that which is seen first."""
        length, count = self.length(x.shape[2]), self.settings.horizons
        there: Flags = np.logical_not(np.isnan(x).all(axis=1))
        first, end = there.argmax(axis=1), x.shape[2] - there[:, ::-1].argmax(axis=1)  # where it begins and ends
        u = np.stack([g.random(1 + count) for g in each])
        last = np.maximum(end - length, first)  # the last begin of a part
        begin = first + u[:, 0] * np.maximum(last - length - first + 1, 0)
        begin = begin.astype(np.int64)
        room = np.maximum(last - (begin + length), 0)[:, None]
        later = (begin + length)[:, None] + (np.arange(count) + u[:, 1:]) / count * (room + 1)
        return np.concatenate([begin[:, None], np.minimum(later.astype(np.int64), x.shape[2] - length)], axis=1)

    def _parts(self, x: Array, each: list[np.random.Generator]) -> tuple[Array, Array, Index]:
        """First all that is random, example by example, then all entries together."""
        starts, whole = self.starts(x, each), [self.whole.draw(g) for g in each]
        draws = [[self.part.draw(g) for g in each] for _ in range(starts.shape[1])]
        x, length = kept_shape(self.whole, x, whole), self.length(x.shape[2])
        parts = []
        for begin, changes in zip(starts.T, draws, strict=True):
            cut = np.take_along_axis(x, begin[:, None, None] + np.arange(length), axis=2)
            parts.append(kept_shape(self.part, cut, changes))
        return parts[0], np.stack(parts[1:], axis=1), starts


def ahead(starts: Index, length: int) -> Ahead:
    """Return the question about parts that begin so (n, 1 + v), the first one seen.

    >>> ahead(np.array([[0, 8, 20]]), 8).places[0].tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 2.5, 0.0, 0.0]]
    """
    places = np.zeros((len(starts), starts.shape[1] - 1, 4), np.float32)
    places[:, :, 1] = (starts[:, 1:] - starts[:, :1]) / length
    return Ahead(places)
