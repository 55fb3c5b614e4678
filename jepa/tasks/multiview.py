"""Many views: all of them are seen, and predict one another, or their mean; multi-crop, with smaller views beside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

import minitensor as mt
from jepa.config.settings import AREAS, ASPECTS, Range, Rule, Settings, between, setting
from jepa.contracts import Batch, Generators, Grid
from jepa.errors import ConfigError
from jepa.masks.box import drawn_box
from jepa.tasks.base import Array, MeanTokens, Task, chunked, kept_shape
from jepa.transforms.resize import crop_resize

SIZE: Rule = (lambda v: 0 < v <= 4), "must be larger than 0 and at most 4"


class _Count(NamedTuple):
    views: int
    """large views of an example, which are predicted, and predict"""
    small: int
    """small views of an example, which predict"""
    mean: bool
    """whether each view predicts the mean of the large ones, and not each large one but itself"""


class Mutual(MeanTokens, _Count):
    """What views of an example are to each other: S sets of one target each, so that a set has each example once.

    Pairs (a, b) of views, b a large one and not a; or for each view a the mean of the large ones. All examples are
    asked the same.
    """

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Which view predicts which large one; of the mean, each view itself."""
        each = range(self.views + self.small)
        return [(a, a) for a in each] if self.mean else [(a, b) for a in each for b in range(self.views) if a != b]

    @property
    def sizes(self) -> tuple[int, ...]:
        return (1,) * len(self.pairs)

    @property
    def valid(self) -> list[None]:
        return [None] * len(self.pairs)

    def repeated(self, y: mt.Tensor) -> list[mt.Tensor]:
        return [y[:, a : a + 1] for a, _ in self.pairs]

    def wanted(self, z: mt.Tensor) -> list[mt.Tensor]:
        """Return the target of each set, of the embeddings of views, large ones first: (n, V, d) -> S of (n, 1, d)."""
        if self.mean:
            return [z[:, : self.views].mean(axis=1, keepdims=True)] * len(self.pairs)
        return [z[:, b : b + 1] for _, b in self.pairs]

    def rolled(self) -> None:
        """Return None: another example's question is the same."""


@dataclass(frozen=True)
class MultiViewSettings(Settings):
    """How many views of an example there are, how much of it each shows, and what predicts what."""

    usual: ClassVar[Mapping[str, str]] = {"projector": "mlp", "predictor": "none", "target": "shared"}
    views: int = setting(2, between(1, 256))
    """large views of an example"""
    crop: Range = setting((0.3, 1.0), AREAS)
    """share of an example that a large view shows, smallest and largest; [1, 1]: the whole"""
    size: float = setting(1.0, SIZE)
    """length of a large view along each axis, as a share of the example's"""
    small: int = setting(0, between(0, 256))
    """small views of an example beside them, which predict and are not predicted (multi-crop)"""
    small_crop: Range = setting((0.05, 0.3), AREAS)
    """share of an example that a small view shows, smallest and largest"""
    small_size: float = setting(0.5, SIZE)
    """length of a small view along each axis, as a share of the example's"""
    aspect: Range = setting((0.75, 1.3333333), ASPECTS)
    """width / height of what a view shows; of examples with two axes or more"""
    question: Literal["pairs", "mean"] = setting("pairs")
    """pairs: each view predicts each large one but itself; mean: each view predicts the mean of the large ones"""
    crop_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""
    small_crop_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""

    def problems(self) -> Iterator[str]:
        if self.views == 1 and (self.question == "mean" or not self.small):
            said = f"question={self.question}, small={self.small}"
            yield f"views=1 with {said}: a view would predict itself; take views=2"
        for name in ("small_crop", "small_size", "small_crop_end"):
            if not self.small and getattr(self, name) != getattr(type(self), name):
                yield f"{name}={getattr(self, name)}: counts with small views alone; got small=0"


class MultiView(Task):
    """Views are cut out of each example and resized, and each is changed apart, flips too: nothing ties their places.

    Views of one size go through the encoder together, and all through the projector, so that batch norm in it has one
    statistic for all views. Where the target has the context's own branch (shared, stopgrad), no view is encoded twice.
    SimCLR, BYOL, SimSiam, Barlow Twins and VICReg are pairs of two views; EMP-SSL is the mean of 20, LeJEPA and VISReg
    that of some large ones, with small ones beside. SwAV (Caron et al. 2020) has the name multi-crop for these.

    >>> from jepa.tasks import generators
    >>> batch = MultiView(small=4).ask(np.ones((5, 3, 32, 32), np.float32), (4, 4), generators(5))
    >>> [x.shape for x in batch.seen], len(batch.asked.pairs)
    ([(5, 2, 3, 32, 32), (5, 4, 3, 16, 16)], 10)
    """

    Settings = MultiViewSettings
    asks = Mutual
    apart = True

    @property
    def resizes(self) -> bool:
        s = self.settings
        return bool(s.crop[0] < 1 or s.size != 1 or s.small > 0)

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        s = self.settings
        cuts = {"crop": s.crop[0] < 1, "size": s.size != 1, "small": s.small > 0}
        if len(shape) < 2 and any(cuts.values()):
            name = next(name for name, cut in cuts.items() if cut)
            raise ConfigError(
                f"task.{name}={getattr(s, name)} cuts along the axes behind the channels; the source's examples of "
                f"{shape} have none: take task.crop=[1,1], task.size=1 and task.small=0, and an augmentation that "
                "changes them, such as augment=noise"
            )

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        s = self.settings
        sizes = {f"task.size={s.size}": s.size} | ({f"task.small_size={s.small_size}": s.small_size} if s.small else {})
        return {name: (shape[0], *_lengths(shape[1:], size)) for name, size in sizes.items() if size != 1}

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return views (n, views, *shape), and (n, small, *smaller) where there are small ones."""
        s = self.settings
        views = chunked(self._views, x, generators.examples)
        return Batch(views, None, None, Mutual(s.views, s.small, s.question == "mean"))

    def _views(self, x: Array, each: list[np.random.Generator]) -> tuple[Array, ...]:
        """First all that is random, example by example, then all entries together."""
        s, axes = self.settings, x.ndim - 2
        kinds = [(s.views, s.crop, s.size), (s.small, s.small_crop, s.small_size)]
        draws: list[list[Any]] = [
            [(self.whole.draw(g), g.random(2 + axes).tolist(), self.part.draw(g)) for g in each]
            for _ in range(s.views + s.small)
        ]
        found, drawn = [], iter(draws)
        for count, crop, size in kinds[: 2 if s.small else 1]:
            views = [self._view(x, next(drawn), crop, _lengths(x.shape[2:], size)) for _ in range(count)]
            found.append(np.stack(views, axis=1))
        return tuple(found)

    def _view(self, x: Array, draws: list[Any], crop: Range, lengths: tuple[int, ...]) -> Array:
        """Return one view of each example: (n, c, *lengths)."""
        whole, places, part = zip(*draws, strict=True)
        x = kept_shape(self.whole, x, whole)
        if crop[0] < 1 or lengths != x.shape[2:]:
            aspect = self.settings.aspect
            boxes = [drawn_box(x.shape[2:], p, scale=crop, aspect=aspect) for p in places]
            x = crop_resize(x, boxes, lengths)
        return kept_shape(self.part, x, part)


def _lengths(lengths: tuple[int, ...], size: float) -> tuple[int, ...]:
    return tuple(max(1, round(size * length)) for length in lengths)
