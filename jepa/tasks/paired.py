"""Paired: of examples of two arrays, such as an image and its caption, each is predicted from the other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

import minitensor as mt
from jepa.config.settings import Settings, setting
from jepa.contracts import Batch, Flags, Generators, Grid, Keep
from jepa.errors import ConfigError
from jepa.several import Joint
from jepa.tasks.base import MeanTokens, Task
from jepa.text import by_x

WAYS = {"both": ((0, 1), (1, 0)), "second": ((0, 1),), "first": ((1, 0),)}
"""question -> (array that predicts, array that is predicted)"""


class _Ways(NamedTuple):
    ways: tuple[tuple[int, int], ...]
    """S of (array that predicts, array that is predicted)"""


class Across(MeanTokens, _Ways):
    """S sets of one target each: the mean token of one array, predicted from the mean token of the other.

    A context is an array by itself, and stands for a view of its own. All examples are asked the same.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        return (1,) * len(self.ways)

    @property
    def valid(self) -> list[None]:
        return [None] * len(self.ways)

    def context(self, tokens: mt.Tensor, keep: Keep | None) -> tuple[mt.Tensor, Flags | None]:
        """Return the mean token of each array: (n 2, K, d) -> (n, 2, d); the learner has left out gaps and padding."""
        assert keep is not None, "a context keeps the places of one array"
        return tokens.mean(axis=1).reshape(-1, keep.index.shape[1], tokens.shape[2]), None

    def repeated(self, y: mt.Tensor) -> list[mt.Tensor]:
        """Return what is predicted of each array for its targets: (n, 2, d) -> S of (n, 1, d)."""
        return [y[:, a : a + 1] for a, _ in self.ways]

    def wanted(self, z: mt.Tensor) -> list[mt.Tensor]:
        """Return the target of each set, from the embeddings of both arrays: (n, 2, d) -> S of (n, 1, d)."""
        return [z[:, b : b + 1] for _, b in self.ways]

    def rolled(self) -> None:
        """Return None: another example's question is the same."""


@dataclass(frozen=True)
class PairedSettings(Settings):
    """What is predicted from what."""

    usual: ClassVar[Mapping[str, str]] = {
        **{"augment": "none", "encoder": "pair", "projector": "none", "predictor": "mlp"},
        **{"target": "shared", "objective": "infonce"},
    }
    question: Literal["both", "first", "second"] = setting("both")
    """which array is predicted from the other: each, the first alone, or the second alone"""


class Paired(Task):
    """The first array of an example is one context, the second another; neither sees the other.

    With the target "shared" both encoders learn from both directions, and `objective=infonce predictor=none` is CLIP
    (Radford et al. 2021); with "own" the predicted array is encoded by weights that predict nothing, with "ema" or
    "stopgrad" a prediction is drawn to a target that it does not draw.

    >>> from jepa.several import joint
    >>> from jepa.tasks import generators
    >>> x = {"first": np.ones((5, 3, 8, 8), np.float32), "second": np.ones((5, 1, 6), np.float32)}
    >>> batch = Paired().ask(x, joint({"first": (2, 2), "second": (6,)}), generators(5))
    >>> batch.keep.index[0].tolist(), batch.asked.ways
    ([[0, 1, 2, 3, 0, 0], [4, 5, 6, 7, 8, 9]], ((0, 1), (1, 0)))
    """

    Settings = PairedSettings
    asks = Across
    apart = True
    several = True
    measures = ("retrieval",)
    pictures = "jepa.pictures.paired"

    def check(self, shape: Any, grid: Grid) -> None:
        if not isinstance(shape, Mapping) or len(shape) != 2:
            what = f"{len(shape)} arrays" if isinstance(shape, Mapping) else f"one array, {by_x(shape)}"
            raise ConfigError(
                f"task=paired asks about one array from another one, and an example of the source has {what}: take "
                "source=pair, or another task, such as masked"
            )
        super().check(shape, grid)

    def ask(self, x: Any, grid: Grid, generators: Generators) -> Batch:
        """Return both arrays of each example, (n, *shape) by name, and the places of the one and of the other."""
        assert isinstance(grid, Joint), "an encoder of several arrays has a joint grid"
        counts = [math.prod(own) for own in grid.grids.values()]
        places = np.arange(max(counts))
        valid = np.stack([places < count for count in counts])  # (2, K)
        index = np.where(valid, places + np.array([0, counts[0]])[:, None], 0)
        n = len(next(iter(x.values())))
        keep = Keep(*(np.broadcast_to(side, (n, *side.shape)) for side in (index, valid)))
        return Batch(x, keep._replace(valid=None) if valid.all() else keep, None, Across(WAYS[self.settings.question]))
