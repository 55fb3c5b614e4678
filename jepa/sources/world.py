"""Trajectories through a world: what is seen frame by frame, and the actions between. States are kept, frames drawn."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import between, setting
from jepa.contracts import Array, Index
from jepa.errors import DataError
from jepa.sources.base import PARTS, Scale, Source, SourceSettings, held_out, of_part, of_whole
from jepa.sources.examples import measured, scale_of
from jepa.sources.memory import Rows
from jepa.worlds import Pendulum, TwoRooms, World, of

VERSION = 1  # of what is drawn
BLOCK = 1000  # trajectories that are drawn together: the first ones are the same, however many follow
FRESH = 2**31  # a number of no block
LOOKED_AT = 500  # trajectories of which mean and deviation are taken


class Lived(NamedTuple):
    """Trajectories through a world."""

    states: Any
    """a NamedTuple of arrays (N, T, ...), float32"""
    actions: Array
    """(N, T - 1, a)"""


class Walks(NamedTuple):
    """Trajectories whole: what is seen, done, and known."""

    frames: Array
    """(n, c, T, ...), as a source reads them"""
    actions: Array
    """(n, T - 1, a)"""
    positions: NDArray[np.float64] | None
    """(n, T, p): where things are; None: nobody knows"""
    unit: str
    """of the positions"""
    scale: float
    """lengths in it for one of a picture of 65 pixels"""


@dataclass(frozen=True)
class WorldSettings(SourceSettings):
    """Of trajectories through a world."""

    usual: ClassVar[Mapping[str, str]] = {
        "augment": "none", "task": "rollout", "encoder": "impala", "predictor": "gru", "target": "shared",
        "objective": "dynamics",
    }  # fmt: skip
    count: int = setting(10_000, between(20, 1_000_000))
    """trajectories, drawn as the world's own behavior has them"""
    frames: int = setting(17, between(2, 1024))
    """frames of each, with an action between two"""
    seed: int = setting(0, between(0))
    """another seed, other trajectories"""


class WorldSource(Source):
    """Base of the sources of a world: examples (c, T, h, w), and `actions` (N, T - 1, a), t from frame t to t + 1.

    A subclass has `Settings` and `world`. Frames are drawn when they are read. There are no labels; `positions` says
    where things are, in the world's unit.
    """

    Settings = WorldSettings
    pictures = "jepa.pictures.image"

    @of_whole
    def world(self) -> World:
        """The world that the trajectories are of."""
        raise NotImplementedError

    @property
    def classes(self) -> list[str]:
        """Names of the classes: there are none."""
        return []

    @of_whole
    def lived(self) -> Lived:
        """All trajectories."""
        s, blocks = self.settings, []
        for k in range(-(-s.count // BLOCK)):
            blocks.append(self.world.behavior(BLOCK, s.frames - 1, np.random.default_rng([s.seed, k])))
        states = [np.concatenate(arrays)[: s.count] for arrays in zip(*(block[0] for block in blocks), strict=True)]
        kept = type(blocks[0][0])(*(array.astype(np.float32) for array in states))
        return Lived(kept, np.concatenate([block[1] for block in blocks])[: s.count])

    @of_part
    def content(self) -> Rows:
        """The rows of the part: the trajectories that come first are held out."""
        s, rows = self.settings, np.arange(self.settings.count)
        if self.part is not None:
            rows = held_out(rows, self.part, s.validation)
        if not len(rows):
            raise DataError(f"source.validation={s.validation} leaves none of {s.count} trajectories: take another one")
        rows = rows[: s.limit]
        return Rows([str(k) for k in rows.tolist()], None, rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (c, T, h, w)."""
        channels, *lengths = self.world.shape
        return (channels, self.settings.frames, *lengths)

    @of_part
    def actions(self) -> Array:
        """Of each example of the part, (n, T - 1, a)."""
        return np.asarray(self.lived.actions[self.content.rows])

    @property
    def positions(self) -> NDArray[np.float64]:
        """Where things are in each example of the part, (n, T, p), in the world's unit."""
        return self.world.place(of(self.lived.states, self.content.rows))

    def walks(self, count: int, frames: int) -> Walks:
        """Return trajectories that are not among the examples, of so many frames; others of each part."""
        rng, world = np.random.default_rng([self.settings.seed, FRESH, PARTS.index(self.part or "train")]), self.world
        states, actions = world.behavior(count, frames - 1, rng)
        return Walks(self.shown(states).swapaxes(1, 2), actions, world.place(states), world.unit, world.scale)

    @of_whole
    def scale(self) -> Scale:
        """Mean and deviation of each channel."""
        few = self.split("train")
        rows = np.arange(min(LOOKED_AT, len(few)))
        return scale_of(self.settings, self.shape[0], lambda: measured(few.read(rows), rows))

    def read(self, indices: Sequence[int] | Index) -> Array:
        rows = self.content.rows[np.asarray(indices, dtype=np.int64)]
        return self.shown(of(self.lived.states, rows)).swapaxes(1, 2)

    def shown(self, states: Any) -> Array:
        """Return frames of states as `read` has them: (...) -> (..., c, h, w), from 0 to 1."""
        return np.divide(self.world.observe(states), 255, dtype=np.float32)

    def fingerprint(self) -> str:
        mark = hashlib.blake2b(f"{type(self).__name__} {VERSION} {self.shape} {self.part}".encode(), digest_size=16)
        for array in (*self.lived.states, self.lived.actions):
            mark.update(np.ascontiguousarray(array[self.content.rows]).tobytes())
        return mark.hexdigest()


@dataclass(frozen=True)
class TwoRoomsSettings(WorldSettings):
    """Of two rooms."""

    size: int = setting(65, between(17, 513))
    """side of a picture; all lengths go with it"""


class TwoRoomsSource(WorldSource):
    """Walks of a dot through two rooms (`jepa.worlds.TwoRooms`): examples (2, T, size, size), a dot and walls.

    >>> source = TwoRoomsSource(count=20, frames=5, size=33).split("train")
    >>> source.shape, len(source), source.actions.shape, source.positions.shape
    ((2, 5, 33, 33), 18, (18, 4, 2), (18, 5, 2))
    """

    Settings = TwoRoomsSettings

    @of_whole
    def world(self) -> TwoRooms:
        return TwoRooms(self.settings.size)

    @property
    def where(self) -> str:
        return f"two-rooms-{self.settings.seed}"


@dataclass(frozen=True)
class PendulumSettings(WorldSettings):
    """Of the pendulum."""

    size: int = setting(33, between(17, 513))
    """side of a picture; all lengths go with it"""


class PendulumSource(WorldSource):
    """Swings of a pendulum with a weak motor (`jepa.worlds.Pendulum`): examples (2, T, size, size), now and before.

    >>> source = PendulumSource(count=20, frames=5).split("val")
    >>> source.shape, len(source), source.actions.shape
    ((2, 5, 33, 33), 2, (2, 4, 1))
    """

    Settings = PendulumSettings

    @of_whole
    def world(self) -> Pendulum:
        return Pendulum(self.settings.size)

    @property
    def where(self) -> str:
        return f"pendulum-{self.settings.seed}"
