"""Rollout: the codes of the next frames, from that of the first one and the actions between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

import minitensor as mt
from jepa.config.settings import Settings, between, setting
from jepa.contracts import Array, Batch, Flags, Generators, Grid, Keep
from jepa.errors import ConfigError
from jepa.parts import chosen
from jepa.tasks.base import Task, chunked, kept_shape
from jepa.text import by_x


class Unroll(NamedTuple):
    """What follows some frames, by actions: from start j on, set s is the code of frame j + past + s."""

    actions: Array
    """(n, starts - 1 + past - 1 + steps, a): number t leads from frame t to frame t + 1"""
    past: int
    """frames whose codes the predictor may go by"""
    starts: int = 1
    """of how many frames one after the other the question is asked: targets of a set"""

    @property
    def steps(self) -> int:
        """How many frames follow each start."""
        return int(self.actions.shape[1] + 2 - self.starts - self.past)

    def windows(self) -> Array:
        """Return the actions of each start, those of an example together: (n starts, past - 1 + steps, a)."""
        n, count, size = self.actions.shape
        length = count + 1 - self.starts
        each = np.arange(self.starts)[:, None] + np.arange(length)
        return self.actions[:, each].reshape(n * self.starts, length, size)

    @property
    def whole(self) -> bool:
        return True

    @property
    def single(self) -> bool:
        return False

    @property
    def level_weights(self) -> tuple[float, ...]:
        return ()

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.starts,) * self.steps

    @property
    def valid(self) -> list[Flags | None]:
        return [None] * len(self.sizes)

    def context(self, tokens: mt.Tensor, keep: Keep | None) -> tuple[mt.Tensor, None]:
        return tokens, None

    def of(self, tokens: mt.Tensor) -> list[mt.Tensor]:
        return self.wanted(tokens[:, 0])

    def wanted(self, z: mt.Tensor) -> list[mt.Tensor]:
        """Return the targets of each set, of the codes of all frames: (n, T, d) -> S of (n, starts, d)."""
        return [z[:, t : t + self.starts] for t in range(self.past, self.past + self.steps)]

    def rolled(self) -> "Unroll":
        """Return the actions of the example before."""
        return self._replace(actions=np.roll(self.actions, 1, axis=0))


@dataclass(frozen=True)
class RolloutSettings(Settings):
    """How many frames are known, and how many are predicted by the actions alone."""

    usual: ClassVar[Mapping[str, str]] = {"encoder": "impala", "projector": "none", "predictor": "gru"}
    past: int = setting(1, between(1, 1024))
    """frames whose codes the predictor begins with"""
    steps: int = setting(8, between(1, 1024))
    """frames behind them whose codes are predicted, each from those before and the action between"""
    steps_end: int | None = setting(None, between(1, 1024))
    """value at the end of training, reached linearly; null: constant"""
    starts: int = setting(1, between(1, 1024))
    """frames one after the other from which it is asked: predictions of each encoded frame, at little cost"""


class Rollout(Task):
    """The codes of `steps` frames are predicted from those of `past` frames and the actions between all of them.

    Of each example a part of past + steps frames is cut out, at a drawn place, with its actions. All its frames are
    encoded once, each by itself; the predictor goes by the first `past` codes, and the others are its targets. So an
    objective sees the codes of all frames, (n, T, d), and can compare those that follow one another. With more `starts`
    the part is longer, and the question is asked from each of its first frames on, T = past + steps + starts - 1.

    It is given {"frames": (n, c, T, h, w), "actions": (n, T - 1, a)}. Raises ConfigError for clips that are too short,
    and for an encoder that has more than one code for a frame.

    >>> from jepa.tasks import generators
    >>> x = {"frames": np.ones((5, 2, 17, 9, 9), np.float32), "actions": np.ones((5, 16, 2), np.float32)}
    >>> batch = Rollout(steps=8).ask(x, (17,), generators(5))
    >>> batch.seen.shape, batch.asked.actions.shape
    ((5, 2, 9, 9, 9), (5, 8, 2))
    """

    Settings = RolloutSettings
    asks: ClassVar[type] = Unroll
    acts = True
    pictures = "jepa.pictures.rollout"
    measures = ("rollout", "energy")

    @property
    def span(self) -> int:
        """Frames that take part."""
        span: int = self.settings.past + self.settings.steps + self.settings.starts - 1
        return span

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        if not self.augment.still:
            raise ConfigError(
                f"augment={chosen('augment', self.augment).kind} may move what is seen, and actions, of task=rollout, "
                "would not move with it: take augment=none or noise"
            )
        if len(grid) != 1 or len(shape) < 2 or grid[0] != shape[1]:
            raise ConfigError(
                f"task=rollout asks for one code of each frame, and the encoder has {by_x(grid)} places for examples "
                f"of {by_x(shape)}: take encoder=impala, or encoder=frames with encoder.places=false"
            )
        longest = max(self.at(progress).span for progress in (0.0, 1.0))
        if longest > grid[0]:
            raise ConfigError(
                f"task.past={self.settings.past}, task.steps={longest - self.span + self.settings.steps} and "
                f"task.starts={self.settings.starts} need {longest} frames, and the source's examples have {grid[0]}: "
                f"take fewer of them, or longer examples, such as source.frames={longest}"
            )

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        return {"task.steps": (shape[0], self.span, *shape[2:])}

    def ask(self, x: Any, grid: Grid, generators: Generators) -> Batch:
        """Return a part of each example (n, c, past + steps, ...), and the actions in it."""
        frames, actions = x["frames"], x["actions"]
        first = np.array([int(g.integers(frames.shape[2] - self.span + 1)) for g in generators.examples])
        seen = np.stack([one[:, k : k + self.span] for one, k in zip(frames, first, strict=True)])
        (seen,) = chunked(self._changed, seen, generators.examples)
        mine = first[:, None] + np.arange(self.span - 1)
        asked = Unroll(actions[np.arange(len(frames))[:, None], mine], self.settings.past, self.settings.starts)
        return Batch(seen, None, None, asked)

    def _changed(self, x: Array, each: list[np.random.Generator]) -> tuple[Array]:
        whole, part = ([change.draw(g) for g in each] for change in (self.whole, self.part))
        return (kept_shape(self.part, kept_shape(self.whole, x, whole), part),)
