"""Changes of examples that a task asks across: one for the whole example, one for each view or part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jepa.config.settings import PROBABILITY, Settings, between, setting
from jepa.errors import ConfigError
from jepa.transforms.base import Compose, Examples, Random, Transform
from jepa.transforms.image import ColorJitter, Colors, Flips


@dataclass(frozen=True)
class Augment(Settings):
    """Base: a subclass says what is drawn anew for every example and epoch."""

    symbols: ClassVar[bool] = False
    """whether it can change tokens, which are names: it makes no new numbers of an example's"""

    gaps: ClassVar[bool] = False
    """whether it makes gaps (NaN) in examples that have none"""

    several: ClassVar[bool] = False
    """whether it goes with examples of several arrays by name"""

    @property
    def still(self) -> bool:
        """Whether everything stays where it is, so that actions, which push it about, mean what they meant."""
        return False

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ConfigError if examples of this shape cannot be changed so."""

    def whole(self) -> Transform:
        """Return the change of the whole example, before anything is cut out of it; it keeps the shape."""
        return Compose([])

    def part(self) -> Transform:
        """Return the change of each view or part, drawn for each anew; it keeps the shape."""
        return Compose([])


@dataclass(frozen=True)
class Nothing(Augment):
    """No change."""

    symbols: ClassVar[bool] = True
    several = True
    still = True


@dataclass(frozen=True)
class ImageChanges(Augment):
    """Changes of side and color of images with values in [0, 1].

    >>> ImageChanges(grayscale=1.0).part()(np.ones((3, 2, 2), np.float32), np.random.default_rng(0)).shape
    (3, 2, 2)
    """

    flip: float = setting(0.5, PROBABILITY)
    """probability of a left-right flip of the whole image"""
    vertical_flip: float = setting(0.0, PROBABILITY)
    """probability of an upside-down flip of the whole image"""
    jitter: tuple[float, float, float, float] = setting((0.4, 0.4, 0.4, 0.1))
    """strength of the change of brightness, contrast, saturation, hue; hue at most 0.5"""
    jitter_p: float = setting(0.8, PROBABILITY)
    """probability of that change, for each view apart"""
    grayscale: float = setting(0.1, PROBABILITY)
    """probability of losing all color, for each view apart"""
    invert: float = setting(0.0, PROBABILITY)
    """probability of becoming a negative, for each view apart"""

    def problems(self) -> Iterator[str]:
        if not all(0 <= x <= 1 for x in self.jitter) or self.jitter[3] > 0.5:
            yield f"jitter={list(self.jitter)}: must lie in [0, 1], hue in [0, 0.5]"

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ConfigError(
                f"augment=image changes images (1 or 3 channels, height, width); the source has {shape}: take "
                "augment=noise or none"
            )

    @property
    def still(self) -> bool:
        return not self.flip and not self.vertical_flip

    def whole(self) -> Transform:
        return Flips(self.flip, self.vertical_flip)

    def part(self) -> Transform:
        return Colors(ColorJitter(*self.jitter, p=self.jitter_p), self.grayscale, self.invert)


@dataclass(frozen=True)
class _AddNoise(Transform):
    """x · (1 + a u) + b v, u one normal number for each channel, v one for each entry."""

    scale: float
    noise: float

    def draw(self, generator: Random) -> Any:
        assert generator is not None, "noise needs a generator"
        return np.random.default_rng(generator.integers(2**63))

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        channels = (x.shape[1], *[1] * (x.ndim - 2))
        factors = np.stack([1 + self.scale * g.normal(size=channels) for g in draws])
        noise = np.stack([g.normal(size=x.shape[1:]) for g in draws])
        changed: Examples = (x * factors + self.noise * noise).astype(np.float32)
        return changed


@dataclass(frozen=True)
class Noise(Augment):
    """Another loudness of each channel and noise on each entry: for examples of any rank, of about unit deviation.

    >>> Noise().part()(np.zeros((2, 5), np.float32), np.random.default_rng(0)).shape
    (2, 5)
    """

    scale: float = setting(0.1, between(0, 1000))
    """standard deviation of the factor of each channel"""
    noise: float = setting(0.1, between(0, 1000))
    """standard deviation of the noise on each entry"""
    still = True

    def part(self) -> Transform:
        return _AddNoise(self.scale, self.noise)
