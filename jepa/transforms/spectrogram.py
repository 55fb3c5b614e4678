"""Changes of spectrograms: another moment, speed, loudness, voice and microphone, noise, and parts that are hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import AREAS, SHARE, Range, between, setting
from jepa.errors import ConfigError
from jepa.transforms.augment import Augment
from jepa.transforms.base import Examples, Random, Transform

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SpectrogramChanges(Augment):
    """Changes of log-mel spectrograms (channels, bands, frames), drawn for each view apart.

    In this order: a part of the frames is cut out and stretched to all of them (another moment and another speed); all
    bands move up or down (a higher or a lower voice; what moves in repeats the outermost band); a smooth curve over
    the bands is added, with the gain as its mean (another loudness, another microphone); then noise; and last, a run of
    bands and a run of frames are set to the mean (Park et al. 2019, "SpecAugment", section 2). Levels are in units of
    the source's values: of clips that are standardized, their deviation.

    >>> changed = SpectrogramChanges().part()(np.ones((1, 40, 64), np.float32), np.random.default_rng(0))
    >>> changed.shape
    (1, 40, 64)
    """

    stretch: Range = setting((0.7, 1.0), AREAS)
    """share of the frames that a view shows, smallest and largest; [1, 1]: all"""
    shift: float = setting(2.0, between(0, 1000))
    """bands that a view moves up or down at most"""
    gain: float = setting(0.2, between(0, 1000))
    """standard deviation of what is added to all bands"""
    tilt: float = setting(0.2, between(0, 1000))
    """standard deviation of the slope and of the curvature of what is added, from the lowest band to the highest"""
    noise: float = setting(0.1, between(0, 1000))
    """standard deviation of the noise on each entry"""
    hide_bands: float = setting(0.0, SHARE)
    """share of the bands that a run of hidden ones has at most"""
    hide_frames: float = setting(0.0, SHARE)
    """share of the frames that a run of hidden ones has at most"""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ConfigError(
                f"augment=spectrogram changes spectrograms (channels, bands, frames); the source has {shape}: take "
                "augment=noise or none, or source=sound"
            )

    def part(self) -> Transform:
        return _Changes(self)


@dataclass(frozen=True)
class _Changes(Transform):
    """All of it, over a stack at once."""

    s: SpectrogramChanges

    def draw(self, generator: Random) -> Any:
        assert generator is not None, "changes of spectrograms need a generator"
        levels = generator.normal(size=3) * (self.s.gain, self.s.tilt, self.s.tilt)
        return generator.random(7), levels, generator.integers(2**63)

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        s, (_, _, bands, frames) = self.s, x.shape
        u, levels, seeds = (np.stack(side) for side in zip(*draws, strict=True))  # (n, 7), (n, 3), (n,)
        y = (
            stretched(x, s.stretch[0] + u[:, 0] * (s.stretch[1] - s.stretch[0]), u[:, 1])
            if s.stretch[0] < 1
            else x.copy()
        )
        y = shifted(y, s.shift * (2 * u[:, 2] - 1)) if s.shift else y
        across = np.linspace(-1, 1, bands)
        curves = np.stack([np.ones(bands), across, across**2 - (across**2).mean()])  # (3, bands)
        y += (levels @ curves).astype(np.float32)[:, None, :, None]
        if s.noise:
            drawn = [np.random.default_rng(k).standard_normal(x.shape[1:], np.float32) for k in seeds]
            y += np.float32(s.noise) * np.stack(drawn)
        rows = hidden(bands, s.hide_bands * u[:, 3], u[:, 4])[:, None, :, None]
        columns = hidden(frames, s.hide_frames * u[:, 5], u[:, 6])[:, None, None, :]
        return np.where(rows | columns, y.mean(axis=(1, 2, 3), keepdims=True), y).astype(np.float32, copy=False)


def stretched(x: Examples, share: NDArray[Any], place: NDArray[Any]) -> Floats:
    """Return a part of the frames of each, stretched to all: (n, c, bands, frames), by linear interpolation.

    share (n,): of the frames; place (n,) in [0, 1]: where the part lies, from the left end to the right.

    >>> stretched(np.float32([[[[0, 1, 2, 3, 4]]]]), np.array([0.5]), np.array([1.0])).tolist()
    [[[[2.0, 2.5, 3.0, 3.5, 4.0]]]]
    """
    last = x.shape[3] - 1
    at = (np.linspace(0, last, last + 1) * share[:, None]) + (place * (1 - share) * last)[:, None]  # (n, frames)
    return _between(x, at, 3)


def shifted(x: Examples, bands: NDArray[Any]) -> Floats:
    """Return each with its bands moved up by so many, (n,), down if fewer than 0; the outermost band is repeated.

    >>> shifted(np.float32([[[[0], [1], [2]]]]), np.array([0.5])).reshape(-1).tolist()
    [0.0, 0.5, 1.5]
    """
    return _between(x, np.clip(np.arange(x.shape[2]) - bands[:, None], 0, x.shape[2] - 1), 2)


def _between(x: Examples, at: NDArray[Any], axis: int) -> Floats:
    """Return the values at positions at (n, length) along an axis, linearly between the two nearest."""
    low = np.clip(np.floor(at).astype(np.int64), 0, max(x.shape[axis] - 2, 0))
    shape = [1] * x.ndim
    shape[0], shape[axis] = at.shape
    share = (at - low).astype(np.float32).reshape(shape)
    first = np.take_along_axis(x, low.reshape(shape), axis)
    second = np.take_along_axis(x, np.minimum(low + 1, x.shape[axis] - 1).reshape(shape), axis)
    found: Floats = first + share * (second - first)
    return found


def hidden(length: int, share: NDArray[Any], place: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which entries of each lie in a run of a share of them, (n,), at a place in [0, 1): (n, length).

    >>> hidden(4, np.array([0.5, 0.0]), np.array([0.99, 0.5])).astype(int).tolist()
    [[0, 0, 1, 1], [0, 0, 0, 0]]
    """
    count = np.round(share * length).astype(np.int64)
    first = (place * (length - count + 1)).astype(np.int64)
    entries = np.arange(length)
    return (entries >= first[:, None]) & (entries < (first + count)[:, None])
