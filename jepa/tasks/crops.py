"""Crops of images: the embedding of one crop is predicted from another, and from where the one lies seen from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import AREAS, ASPECTS, PROBABILITY, SHARES, Range, Settings, between, setting
from jepa.contracts import Batch, Generators, Grid
from jepa.errors import ConfigError
from jepa.masks import Regions, crop_regions, geometry, hidden_blocks
from jepa.tasks.base import Array, MeanTokens, Task, chunked, kept_shape
from jepa.transforms.resize import crop_resize


class _Where(NamedTuple):
    places: NDArray[np.float32]
    """(n, v, 4): see `jepa.masks.geometry`"""


class Geometry(MeanTokens, _Where):
    """One target for each crop: its mean token. The predictor is told where the crop lies, seen from the context."""

    @property
    def sizes(self) -> tuple[int]:
        return (self.places.shape[1],)

    def rolled(self) -> "Geometry":
        return Geometry(np.roll(self.places, 1, axis=0))


@dataclass(frozen=True)
class CropsSettings(Settings):
    """Which part of an image is the context, and which parts are predicted from it."""

    counts: ClassVar[Any] = {
        **dict.fromkeys(("context_scale", "context_scale_end", "overlap", "overlap_end"), ("regions", ("crops",))),
        "fill": ("regions", ("blocks",)),
    }
    regions: Literal["crops", "blocks"] = setting("crops")
    """crops: context and targets are crops; blocks: the context is the image with the targets hidden"""
    context_scale: Range = setting((0.3, 1.0), AREAS)
    """area of the context as a share of the image, smallest and largest (regions=crops)"""
    target_scale: Range = setting((0.3, 1.0), AREAS)
    """area of a target as a share of the image, smallest and largest"""
    aspect: Range = setting((0.75, 1.3333333), ASPECTS)
    """width / height of a region, smallest and largest"""
    targets: int = setting(1, between(1, 64))
    """targets for each context"""
    target_size: int = setting(32, between(4, 2048))
    """side of the square that a target is brought to, in pixels"""
    overlap: Range = setting((0.0, 1.0), SHARES)
    """share of a target's area that lies inside the context, smallest and largest (regions=crops)"""
    fill: float = setting(0.5, PROBABILITY)
    """value in [0, 1] that hides the targets in the context (regions=blocks)"""
    context_scale_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""
    target_scale_end: Range | None = setting(None, AREAS)
    """value at the end of training, reached linearly; null: constant"""
    overlap_end: Range | None = setting(None, SHARES)
    """value at the end of training, reached linearly; null: constant"""

    def problems(self) -> Iterator[str]:
        if self.regions == "blocks":
            for key in ("target_scale", "target_scale_end"):
                scale = getattr(self, key)
                if scale is not None and scale[1] > 0.9:
                    yield (
                        f"{key}={list(scale)} with regions=blocks: a block hides at most 0.9 of the image; [0.15, 0.2] "
                        "is I-JEPA's"
                    )
            return
        if self.overlap[1] < 1 and self.context_scale[0] >= 1:
            yield (
                f"overlap={list(self.overlap)} with context_scale={list(self.context_scale)}: a context of the whole "
                "image contains every target; lower context_scale, or let the overlap reach 1"
            )
        if self.overlap[0] * self.target_scale[0] > self.context_scale[1]:
            yield (
                f"overlap={list(self.overlap)}: so much of a target of target_scale={list(self.target_scale)} does not "
                f"fit into a context of context_scale={list(self.context_scale)}"
            )


class Drawn(NamedTuple):
    """A batch, and where it comes from, for pictures of it."""

    batch: Batch
    images: Array
    """(n, c, h, w) in [0, 1]: the source images, mirrored if they were"""
    regions: list[Regions]
    """n of them, in pixels of `images`"""


class Crops(Task):
    """Each image is changed as a whole; context and targets are cut out of it, resized, and change color apart."""

    Settings = CropsSettings
    asks = Geometry
    apart = True
    pictures = "jepa.pictures.crops"

    @property
    def resizes(self) -> bool:
        return True

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        if len(shape) != 3:
            raise ConfigError(
                f"task=crops cuts images (channels, height, width); the source has {shape}: see masked, views"
            )

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        side = self.settings.target_size
        return {f"task.target_size={side}": (shape[0], side, side)}

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return contexts (n, c, h, w), targets (n, v, c, target_size, target_size) and their geometry."""
        seen, true, places = chunked(lambda x, g: self._part(x, g)[0], x, generators.examples)
        return Batch(seen, None, true, Geometry(places))

    def draw(self, x: Array, generators: Generators) -> Drawn:
        """Return a batch with its regions and source images."""
        (seen, true, places), images, regions = self._part(x, generators.examples)
        return Drawn(Batch(seen, None, true, Geometry(places)), images, regions)

    def _part(self, x: Array, each: list[np.random.Generator]) -> tuple[tuple[Array, ...], Array, list[Regions]]:
        """First all that is random, image by image, then all pixels together."""
        n, c, h, w = x.shape
        s, side = self.settings, self.settings.target_size
        drawn = crop_regions if s.regions == "crops" else hidden_blocks
        whole = [self.whole.draw(g) for g in each]
        regions = [drawn(s, h, w, g) for g in each]
        seen_draws = [self.part.draw(g) for g in each]
        true_draws = [self.part.draw(g) for g, r in zip(each, regions, strict=True) for _ in r.targets]

        x = kept_shape(self.whole, x, whole)
        boxes = [[r.targets[t] for r in regions] for t in range(s.targets)]  # v lists of n
        true = np.stack([crop_resize(x, b, side) for b in boxes], axis=1)  # (n, v, c, side, side)
        seen = crop_resize(_hidden(x, regions, s.fill), [r.context for r in regions], (h, w))  # (n, c, h, w)
        seen = _hidden(
            self.part.apply(seen, seen_draws), regions, s.fill
        )  # again: the change of color changed the fill too
        true = self.part.apply(true.reshape(-1, c, side, side), true_draws).reshape(true.shape)
        places = geometry(np.array([r.context for r in regions]), np.array([r.targets for r in regions]))  # (n, v, 4)
        return (seen, true, places), x, regions


def _hidden(images: Array, regions: list[Regions], fill: float) -> Array:
    """Return images (n, c, h, w) with the targets that are to be hidden filled."""
    if not any(r.hidden for r in regions):
        return images
    images = images.copy()
    for image, r in zip(images, regions, strict=True):
        for box in r.targets if r.hidden else ():
            image[:, box.top : box.top + box.height, box.left : box.left + box.width] = fill
    return images
