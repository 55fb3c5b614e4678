"""Saccade: a look at an image, and a second one after a known turn and shift, whose embedding is to be predicted."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import Rule, Settings, between, setting
from jepa.contracts import Batch, Generators, Grid
from jepa.errors import ConfigError
from jepa.tasks.base import Array, MeanTokens, Task, chunked, kept_shape
from jepa.text import by_x
from jepa.transforms.pose import composed, inverse, seen_from

VIEW: Rule = (lambda v: 0 < v <= 1), "must be larger than 0 and at most 1"
SIZE: Rule = (lambda v: 0 < v <= 4), "must be larger than 0 and at most 4"


class _Told(NamedTuple):
    pose: Array
    """(n, 3): θ in radians, t_x and t_y in views' sides (`jepa.transforms.pose`)"""


class Pose(MeanTokens, _Told):
    """One target: the mean token of the other view. The predictor is told its pose, seen from the first view.

    A point p of the other view is R(θ) p + t in the first one, both counted from their centers.
    """

    @property
    def sizes(self) -> tuple[int]:
        return (1,)

    def rolled(self) -> "Pose":
        return Pose(np.roll(self.pose, 1, axis=0))

    def back(self) -> "Pose":
        """Return the question that leads from the other view to the first: the inverse pose, (-θ, -R(-θ) t)."""
        return Pose(inverse(self.pose))

    @property
    def code(self) -> Array:
        """What the predictor is told, (n, 4): sin θ, cos θ, t_x, t_y."""
        angle, shift = self.pose[:, :1], self.pose[:, 1:]
        return np.concatenate([np.sin(angle), np.cos(angle), shift], axis=1)

    @staticmethod
    def named(code: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return what a code (n, 4) says, by name: the rotation (n, 1) in radians and the shift (n, 2)."""
        return {"rotation": np.arctan2(code[:, :1], code[:, 1:2]), "shift": code[:, 2:]}


@dataclass(frozen=True)
class SaccadeSettings(Settings):
    """How much of an image a view shows, and how far the second lies from the first."""

    usual: ClassVar[Mapping[str, str]] = {
        **{"projector": "mlp", "predictor": "pose", "target": "shared", "objective": "saccade"}
    }
    view: float = setting(0.6, VIEW)
    """height and width of what a view shows, as a share of the image's"""
    size: float | None = setting(None, SIZE)
    """the same in pixels of the view, as a share of the image's, at least `view`; null: as many as it shows"""
    angle: float = setting(30.0, between(0, 180))
    """largest rotation between the views, either way, in degrees"""
    shift: float = setting(0.4, between(0, 4))
    """largest shift between them along each axis, either way, as a share of a view's shorter side"""
    angle_end: float | None = setting(None, between(0, 180))
    """value at the end of training, reached linearly; null: constant"""
    shift_end: float | None = setting(None, between(0, 4))
    """value at the end of training, reached linearly; null: constant"""

    def problems(self) -> Iterator[str]:
        if self.size is not None and self.size < self.view:
            yield (
                f"size={self.size} with view={self.view}: a view of fewer pixels than it shows would alias; take "
                f"size={self.view} or more"
            )


class Drawn(NamedTuple):
    """A batch, and where its views lie, for pictures of it."""

    batch: Batch
    images: Array
    """(n, c, h, w) in [0, 1]: the source images, mirrored if they were"""
    poses: tuple[Array, Array]
    """of the two views, (n, 3) each, in pixels of `images`, from their center"""
    sides: tuple[float, float]
    """height and width of what a view shows, in pixels of `images`"""


class Saccade(Task):
    """Two windows inside of each image, one turned and shifted against the other; each view changes color apart.

    With h half of the pose between them, the views stand at -h and +h about a point that is uniform among all where
    both windows lie inside. So both are interpolated alike, poses of the way back are distributed as those of the way
    there, and no border is ever seen. Windows that reach outside, where an image is filled up or mirrored, would show
    its edge: where that lies gives the pose away to a network that understands nothing else of what it sees.

    >>> from jepa.tasks import generators
    >>> batch = Saccade(angle=20).ask(np.ones((5, 3, 32, 32), np.float32), (4, 4), generators(5))
    >>> batch.seen.shape, batch.true.shape, bool(abs(batch.asked.pose[:, 0]).max() < np.deg2rad(20))
    ((5, 3, 19, 19), (5, 1, 3, 19, 19), True)
    """

    Settings = SaccadeSettings
    asks = Pose
    apart = True
    poses = True
    measures = ("pose",)
    pictures = "jepa.pictures.saccade"

    @property
    def resizes(self) -> bool:
        return True

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        s = self.settings
        if len(shape) != 3:
            raise ConfigError(
                f"task=saccade turns images (channels, height, width); the source has {shape}: take task=views"
            )
        room = self._room(shape[1:], np.array([[math.radians(s.angle) / 2, s.shift / 2, s.shift / 2]]), widest=True)
        if room.min() < 0:
            raise ConfigError(
                f"task.view={s.view}, turned by {s.angle:g} degrees and shifted by {s.shift:g} of itself "
                f"(task.angle, task.shift), leaves the source's images of {by_x(shape[1:])}: lower one of the three"
            )

    def sees(self, shape: tuple[int, ...], grid: Grid) -> dict[str, tuple[int, ...]]:
        s, seen = self.settings, (shape[0], *self._size(shape[1:]))
        named = f"task.view={s.view}" if s.size is None else f"task.size={s.size}"
        return {} if seen == tuple(shape) else {named: seen}

    def ask(self, x: Array, grid: Grid, generators: Generators) -> Batch:
        """Return first views (n, c, *size), second views (n, 1, c, *size) and how these lie seen from the first."""
        seen, true, told = chunked(lambda x, g: self._part(x, g)[0], x, generators.examples)
        return Batch(seen, None, true, Pose(told))

    def draw(self, x: Array, generators: Generators) -> Drawn:
        """Return a batch with its source images and where its views lie."""
        (seen, true, told), images, poses = self._part(x, generators.examples)
        return Drawn(Batch(seen, None, true, Pose(told)), images, poses, self._sides(x.shape[2:]))

    def _part(
        self, x: Array, each: list[np.random.Generator]
    ) -> tuple[tuple[Array, Array, Array], Array, tuple[Array, Array]]:
        """First all that is random, image by image, then all pixels together."""
        lengths = x.shape[2:]
        whole = [self.whole.draw(g) for g in each]
        told, poses = self._poses(lengths, np.array([g.random(5) for g in each]))
        changes = [[self.part.draw(g) for g in each] for _ in poses]
        x, size = kept_shape(self.whole, x, whole), self._size(lengths)
        step = [side / k for side, k in zip(self._sides(lengths), size, strict=True)]
        seen, true = (
            kept_shape(self.part, seen_from(x, p, size, step), d) for p, d in zip(poses, changes, strict=True)
        )
        return (seen, true[:, None], told.astype(np.float32)), x, poses

    def _poses(self, lengths: tuple[int, ...], numbers: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return what is told, (n, 3), and where both views lie, in pixels, from numbers in [0, 1), (n, 5)."""
        s, unit = self.settings, min(self._sides(lengths))
        half = (2 * numbers[:, :3] - 1) * np.array([math.radians(s.angle), s.shift, s.shift]) / 2
        middle = (2 * numbers[:, 3:] - 1) * self._room(lengths, half)  # (n, 2)
        ends = [np.concatenate([sign * half[:, :1], sign * unit * half[:, 1:] + middle], axis=1) for sign in (-1, 1)]
        told = composed(ends[1], inverse(ends[0]))  # from the second view into the image, and from there into the first
        told[:, 1:] /= unit
        return told, (ends[0], ends[1])

    def _room(self, lengths: tuple[int, ...], half: Array, widest: bool = False) -> Array:
        """Return how far the middle of two views may lie from the image's, across and down: half (n, 3) -> (n, 2).

        widest: at any angle up to that of `half`.
        """
        sides, size = self._sides(lengths), self._size(lengths)
        down, across = ((side - side / k) / 2 for side, k in zip(sides, size, strict=True))  # to the outermost pixels
        room = []
        for axis, (along, beside, length) in enumerate(((across, down, lengths[1]), (down, across, lengths[0]))):
            angle = np.abs(half[:, 0])
            angle = np.minimum(angle, math.atan2(beside, along)) if widest else angle
            reach = along * np.abs(np.cos(angle)) + beside * np.sin(angle)
            room.append((length - 1) / 2 - reach - min(sides) * np.abs(half[:, 1 + axis]))
        return np.stack(room, axis=1)

    def _sides(self, lengths: tuple[int, ...]) -> tuple[float, float]:
        """Return height and width of what a view shows, in pixels of the image."""
        return self.settings.view * lengths[0], self.settings.view * lengths[1]

    def _size(self, lengths: tuple[int, ...]) -> tuple[int, int]:
        """Return height and width of a view, in pixels of its own."""
        share = self.settings.view if self.settings.size is None else self.settings.size
        return max(1, round(share * lengths[0])), max(1, round(share * lengths[1]))
