"""Views: whole changed crops of an example predict one another, whatever its rank; nothing says where they lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from jepa.config.settings import AREAS, ASPECTS, Range, Settings, between, setting
from jepa.contracts import Batch, Generators, Grid
from jepa.masks.box import drawn_box
from jepa.tasks.base import Array, MeanTokens, Task, chunked, kept_shape
from jepa.tasks.masked import check_crop
from jepa.transforms.resize import crop_resize


class _Count(NamedTuple):
    views: int
    """true views of an example"""


class Whole(MeanTokens, _Count):
    """One target for each true view: its mean token. All examples are asked the same."""

    @property
    def sizes(self) -> tuple[int]:
        return (self.views,)

    def rolled(self) -> None:
        """Return None: another example's question is the same."""


@dataclass(frozen=True)
class ViewsSettings(Settings):
    """How many views of an example there are, and how much of it each shows."""

    usual: ClassVar[Mapping[str, str]] = {"predictor": "mlp"}
    views: int = setting(2, between(2, 64))
    """views of an example: the first is seen, the others are predicted from it"""
    crop: Range = setting((0.3, 1.0), AREAS)
    """share of an example that a view shows, its length, area or volume, smallest and largest; [1, 1]: the whole"""
    aspect: Range = setting((0.75, 1.3333333), ASPECTS)
    """width / height of a view, smallest and largest; of examples with two axes or more"""
    crop_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""


class Views(Task):
    """Each example is changed as a whole; views are cut out of it, resized to its own size, and change apart.

    >>> from jepa.tasks import generators
    >>> batch = Views(views=3).ask(np.ones((5, 2, 64), np.float32), (16,), generators(5))
    >>> batch.seen.shape, batch.true.shape
    ((5, 2, 64), (5, 2, 2, 64))
    """

    Settings = ViewsSettings
    asks = Whole
    apart = True
    pictures = "jepa.pictures.views"

    @property
    def resizes(self) -> bool:
        return bool(self.settings.crop[0] < 1)

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        check_crop(self.settings.crop, shape)

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return one view to be seen, (n, *shape), and views - 1 others, (n, views - 1, *shape)."""
        (views,) = chunked(self._views, x, generators.examples)
        return Batch(views[:, 0], None, views[:, 1:], Whole(self.settings.views - 1))

    def _views(self, x: Array, each: list[np.random.Generator]) -> tuple[Array]:
        """First all that is random, example by example, then all entries together."""
        s, lengths = self.settings, x.shape[2:]
        whole = [self.whole.draw(g) for g in each]
        places = [g.random((s.views, 2 + len(lengths))).tolist() for g in each]
        changes = [[self.part.draw(g) for g in each] for _ in range(s.views)]
        x, views = kept_shape(self.whole, x, whole), []
        for v, draws in enumerate(changes):
            boxes = [drawn_box(lengths, p[v], scale=s.crop, aspect=s.aspect) for p in places] if s.crop[0] < 1 else []
            views.append(kept_shape(self.part, crop_resize(x, boxes, lengths) if boxes else x, draws))
        return (np.stack(views, axis=1),)
