"""Masked places: the tokens of hidden places are predicted from those of visible ones (Assran et al. 2023)."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

import minitensor as mt
from jepa.config.settings import AREAS, ASPECTS, Range, Rule, Settings, between, setting
from jepa.contracts import Batch, Flags, Generators, Grid, Index, Keep
from jepa.encoders.base import gather
from jepa.errors import ConfigError, DataError
from jepa.masks import Masks, among, multiblock_masks, present, random_masks, suffix_masks, tube_masks
from jepa.masks.box import drawn_box
from jepa.masks.multiblock import check_official
from jepa.several import each, size_of
from jepa.several import rows as some
from jepa.tasks.base import Array, Task, chunked, kept_shape
from jepa.text import by_x
from jepa.transforms.resize import crop_resize

ASPECT = (3 / 4, 4 / 3)  # width / height of a crop
SAMPLERS = {"multiblock": multiblock_masks, "random": random_masks, "tubes": tube_masks, "suffix": suffix_masks}
BLOCKS = "multiblock", "tubes"
MULTIBLOCK = "masks", BLOCKS[:1]
PARTS: Rule = (lambda v: 0 < v[0] <= v[1] < 1), "must be [smallest, largest] with 0 < smallest <= largest < 1"


class Places(NamedTuple):
    """S sets of places of an encoder's grid, whose tokens are asked for."""

    index: Index  # type: ignore[assignment]
    """(n, S, k), in raster order of the grid"""
    flags: Flags | None = None
    """(n, S, k): False where an entry is padding; None: nothing is"""

    @property
    def whole(self) -> bool:
        return False

    @property
    def single(self) -> bool:
        return False

    @property
    def level_weights(self) -> tuple[float, ...]:
        return ()

    @property
    def sizes(self) -> tuple[int, ...]:
        _, sets, k = map(int, self.index.shape)
        return (k,) * sets

    @property
    def valid(self) -> list[Flags | None]:
        return [None if self.flags is None else self.flags[:, s] for s in range(self.index.shape[1])]

    def context(self, tokens: mt.Tensor, keep: Keep | None) -> tuple[mt.Tensor, Flags | None]:
        return tokens, seen(keep)

    def of(self, tokens: mt.Tensor) -> list[mt.Tensor]:
        return [gather(tokens[:, 0], self.index[:, s : s + 1]) for s in range(self.index.shape[1])]

    def rolled(self) -> "Places | None":
        """Return the places of the example before; where that has fewer of them, its padding names the first place.

        None where all are asked for the same places.
        """
        if self.flags is None and (self.index == self.index[:1]).all():
            return None
        return self._replace(index=np.roll(self.index, 1, axis=0))


def seen(keep: Keep | None) -> Flags | None:
    """Return which of the context's tokens are no padding, (n e, K); None: all."""
    return None if keep is None or keep.valid is None else keep.valid.reshape(-1, keep.valid.shape[2])


@dataclass(frozen=True)
class MaskedSettings(Settings):
    """Which places are the context, and which are predicted from it."""

    usual: ClassVar[Mapping[str, str]] = {"encoder": "vit", "projector": "none", "predictor": "places"}
    counts: ClassVar[Any] = {
        **dict.fromkeys(("contexts", "context_scale", "context_scale_end", "overlap", "sizes", "compat"), MULTIBLOCK),
        **dict.fromkeys(("targets", "target_scale", "target_scale_end", "aspect", "collate"), ("masks", BLOCKS)),
        **dict.fromkeys(("ratio", "ratio_end"), ("masks", ("random", "suffix"))),
    }
    masks: Literal["multiblock", "random", "tubes", "suffix"] = setting("multiblock")
    """multiblock: target blocks, a context without them; random: places; tubes: blocks of all frames; suffix: an end"""
    context_scale: Range = setting((0.85, 1.0), AREAS)
    """area of the context block as a share of the grid, smallest and largest (multiblock)"""
    target_scale: Range = setting((0.15, 0.2), AREAS)
    """area of a target block as a share of the grid, or of a frame, smallest and largest (multiblock, tubes)"""
    aspect: Range = setting((0.75, 1.5), ASPECTS)
    """height / width of a target block, smallest and largest (multiblock, tubes)"""
    ratio: Range = setting((0.4, 0.6), PARTS)
    """share of the places that are targets, smallest and largest (random, suffix)"""
    contexts: int = setting(1, between(1, 64))
    """context blocks of an example (multiblock)"""
    targets: int = setting(4, between(1, 64))
    """target blocks of an example; tubes: of a frame, one target together (multiblock, tubes)"""
    min_keep: int = setting(4, between(1, 1_000_000))
    """places that a context keeps at least"""
    overlap: bool = setting(False)
    """whether a context may contain places of the targets (multiblock)"""
    sizes: Literal["batch", "sample"] = setting("batch")
    """block sizes are drawn for a whole batch, or for each example (multiblock)"""
    collate: Literal["subset", "raster", "pad"] = setting("subset")
    """how masks come to one length: random subsets, the first in raster order, or padding (multiblock, tubes)"""
    compat: Literal["ijepa"] | None = setting(None)
    """ijepa: draw as the official code does, with its defects, no last row and column, raster (multiblock)"""
    crop: Range = setting((1.0, 1.0), AREAS)
    """area of the part of an example that is cut out and resized first, smallest and largest; [1, 1]: the whole"""
    context_scale_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""
    target_scale_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""
    ratio_end: Range | None = setting(None, PARTS)
    """value at the end of training, reached linearly; null: constant"""

    def problems(self) -> Iterator[str]:
        if self.compat and (self.sizes == "sample" or self.collate == "pad"):
            yield (
                f"compat={self.compat} has one size in a batch and pads nothing; got sizes={self.sizes}, "
                f"collate={self.collate}: leave these two out"
            )


class Masked(Task):
    """A part of each example is cut out and resized, and changes twice, for the context and for the target encoder.

    Which places of the encoder's grid are seen, and which are asked for, is drawn for a batch together, since masks of
    one size belong to a batch, from the batch's own generator. A place where there is nothing (NaN alone) is neither.

    >>> from jepa.tasks import generators
    >>> batch = Masked(targets=2).ask(np.ones((5, 3, 32, 32), np.float32), (8, 8), generators(5))
    >>> batch.seen.shape, batch.true.shape, batch.keep.index.shape[:2], batch.asked.index.shape[:2]
    ((5, 3, 32, 32), (5, 1, 3, 32, 32), (5, 1), (5, 2))
    """

    Settings = MaskedSettings
    asks: ClassVar[type] = Places
    apart = True
    places = True
    several = True
    pictures = "jepa.pictures.masked"

    @property
    def resizes(self) -> bool:
        return bool(self.settings.crop[0] < 1)

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        s, places = self.settings, math.prod(grid)
        if places <= s.min_keep + 1:
            ways = ["lower it"] if places > 2 else []
            finer = "a finer grid (a smaller encoder.patch, or a larger source.size)"
            raise ConfigError(
                f"task.min_keep={s.min_keep} of the encoder's {by_x(grid)} places leaves nothing to predict: "
                f"{', or '.join([*ways, finer])}; an encoder of one token, such as mlp, has no places to hide: take "
                "task=views"
            )
        if s.compat and len(grid) != 2:
            raise ConfigError(f"task.compat={s.compat} draws blocks of images; the encoder's grid is {by_x(grid)}")
        if s.masks == "tubes" and len(grid) < 2:
            raise ConfigError(
                f"task.masks=tubes hides the same places of each frame; the encoder's grid is {by_x(grid)}, without "
                "frames: take task.masks=multiblock or random"
            )
        check_crop(s.crop, shape)
        for progress in (0.0, 0.5, 1.0):  # what a grid has no room for is found here, and not in the midst of training
            task = self.at(progress)
            if s.compat:
                check_official(task.settings, grid)
            task.masks(grid, 32, np.random.default_rng(0))

    def masks(self, grid: Grid, count: int, generator: np.random.Generator) -> Masks:
        """Draw the masks of `count` examples."""
        return SAMPLERS[self.settings.masks](self.settings, grid, count, generator)

    def ask(self, x: Any, grid: Grid, generators: Generators) -> Batch:
        """Return seen (n, *shape) and true (n, 1, *shape), the same part of each example, and places of the grid.

        Of several arrays by name the places of all are one row (`jepa.contracts.Joint`), and nothing is cut out.
        """
        several = isinstance(x, Mapping)  # then nothing changes them
        seen, true = (x, x) if several else chunked(self._views, x, generators.examples)
        rows, count = generators.part or (slice(None), size_of(x))
        gaps = any(np.isnan(part).any() for x in (seen, true) for part in (x.values() if several else [x]))
        if gaps and generators.part is not None:
            raise DataError("examples of a source, or an augmentation, that says that it has no gaps have some (NaN)")
        masks = (
            among(self.masks, present(seen, grid), present(true, grid), grid, generators.batch)
            if gaps
            else some(self.masks(grid, count, generators.batch), rows)
        )
        keep = Keep(np.stack(masks.context, axis=1), _stacked(masks.context_valid))
        return Batch(seen, keep, each(lambda part: part[:, None], true), self.asked(masks, grid))

    def asked(self, masks: Masks, grid: Grid) -> Any:
        """Return what is asked for."""
        return Places(np.stack(masks.target, axis=1), _stacked(masks.target_valid))

    def _views(self, x: Array, each: list[np.random.Generator]) -> tuple[Array, Array]:
        """First all that is random, example by example, then all entries together."""
        whole = [self.whole.draw(g) for g in each]
        places = [g.random(x.ndim).tolist() for g in each]  # 2, and one for each axis
        seen, true = ([self.part.draw(g) for g in each] for _ in range(2))
        x = kept_shape(self.whole, x, whole)
        if self.settings.crop[0] < 1:
            lengths, scale = x.shape[2:], self.settings.crop
            x = crop_resize(x, [drawn_box(lengths, p, scale=scale, aspect=ASPECT) for p in places], lengths)
        return kept_shape(self.part, x, seen), kept_shape(self.part, x, true)


def check_crop(crop: Range, shape: Any) -> None:
    """Raise ConfigError if a part is to be cut out of examples that have nothing to cut along."""
    if crop[0] < 1 and (isinstance(shape, Mapping) or len(shape) < 2):
        raise ConfigError(
            f"task.crop={list(crop)} cuts along the axes behind the channels; the source's examples of {shape} have "
            "none: take task.crop=[1,1], and an augmentation that changes them, such as augment=noise"
        )


def _stacked(flags: list[Flags] | None) -> Flags | None:
    return None if flags is None else np.stack(flags, axis=1)
