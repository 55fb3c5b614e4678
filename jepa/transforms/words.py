"""Changes of texts, and of other series of tokens: a part of the places is left empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jepa.config.settings import AREAS, SHARE, Range, setting
from jepa.errors import ConfigError
from jepa.transforms.augment import Augment
from jepa.transforms.base import Examples, Random, Transform
from jepa.transforms.spectrogram import hidden


@dataclass(frozen=True)
class WordChanges(Augment):
    """A run of the words is left, and of it some words are dropped: what is not left is NaN, as behind the end.

    At least one word is left. Nothing is replaced by another word, and what is left stays at its place.

    >>> x = np.float32([[7, 8, 9, np.nan]])
    >>> WordChanges(run=(0.5, 0.5), drop=0.0).part()(x, np.random.default_rng(0)).tolist()
    [[7.0, 8.0, nan, nan]]
    """

    symbols: ClassVar[bool] = True
    gaps: ClassVar[bool] = True
    run: Range = setting((0.5, 1.0), AREAS)
    """share of the words that a view has, a run of them, smallest and largest; [1, 1]: all"""
    drop: float = setting(0.1, SHARE)
    """probability of each word to be dropped, for each view apart"""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ConfigError(
                f"augment=words leaves out places of (1, length); the source has examples of {shape}: take "
                "augment=noise or none, or source=text"
            )

    def part(self) -> Transform:
        return _Left(self)


@dataclass(frozen=True)
class _Left(Transform):
    s: WordChanges

    def draw(self, generator: Random) -> Any:
        assert generator is not None, "changes of texts need a generator"
        return generator.random(3), generator.integers(2**63)

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        s, y, low = self.s, x.copy(), self.s.run[0]
        for row, (u, seed) in zip(y, draws, strict=True):
            places = np.flatnonzero(~np.isnan(row).all(axis=0))
            count = len(places)
            left = hidden(count, np.array([max(low + u[0] * (s.run[1] - low), 1 / max(count, 1))]), u[1:2])[0]
            left &= np.random.default_rng(seed).random(count) >= s.drop
            if count and not left.any():
                left[int(u[2] * count)] = True
            row[:, places[~left]] = np.nan
        return y
