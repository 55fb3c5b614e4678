"""Changes of series: another loudness, place in time, offset and slope, and noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PROBABILITY, between, setting
from jepa.errors import ConfigError
from jepa.transforms.augment import Augment
from jepa.transforms.base import Examples, Random, Transform

AMOUNT = between(0, 1000)


@dataclass(frozen=True)
class SeriesChanges(Augment):
    """Changes of series (channels, samples) of about unit deviation; what is missing (NaN) stays missing.

        y = roll(x, k) · (1 + a u) + b v + s w r + e z

    r runs from -1/2 to 1/2 along the series; u, v and w are a normal number for each channel, z one for each sample, k
    is uniform, and all are drawn anew for each view. The straight line of least squares is taken away before, so that
    a roll brings no jump.

    >>> SeriesChanges(roll=0.5).part()(np.ones((2, 8), np.float32), np.random.default_rng(0)).shape
    (2, 8)
    """

    detrend: bool = setting(False)
    """take away the straight line through each channel"""
    roll: float = setting(0.0, PROBABILITY)
    """largest shift, as a share of the length; what leaves at one end comes back at the other"""
    scale: float = setting(0.1, AMOUNT)
    """standard deviation of the factor of each channel, around 1"""
    offset: float = setting(0.0, AMOUNT)
    """standard deviation of a number that is added to each channel"""
    slope: float = setting(0.0, AMOUNT)
    """standard deviation of the rise of each channel from its first sample to its last"""
    jitter: float = setting(0.05, AMOUNT)
    """standard deviation of the noise on each sample"""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ConfigError(
                f"augment=series changes series (channels, samples); the source has {shape}: take augment=noise or none"
            )

    def part(self) -> Transform:
        return _Changed(self)


class _Draw(NamedTuple):
    by: float
    """shift, as a share of the length"""
    noise: np.random.Generator
    """for numbers whose count a draw does not know"""


@dataclass(frozen=True)
class _Changed(Transform):
    amounts: SeriesChanges

    def draw(self, generator: Random) -> _Draw:
        assert generator is not None, "changes of series need a generator"
        by = generator.uniform(-self.amounts.roll, self.amounts.roll)
        return _Draw(by, np.random.default_rng(generator.integers(2**63)))

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        a, (channels, length) = self.amounts, x.shape[1:]
        numbers = np.stack([d.noise.standard_normal((3, channels, 1), np.float32) for d in draws])
        factor, offset, slope = numbers.swapaxes(0, 1)  # (n, channels, 1) each
        y = detrended(x) if a.detrend else x
        y = _rolled(y, np.array([round(d.by * length) for d in draws])) if a.roll else y
        y = y * (1 + a.scale * factor) + a.offset * offset + a.slope * slope * _ramp(length)
        if a.jitter:
            y += a.jitter * np.stack([d.noise.standard_normal(x.shape[1:], np.float32) for d in draws])
        changed: Examples = y.astype(np.float32, copy=False)
        return changed


def _ramp(length: int) -> NDArray[np.float32]:
    return np.linspace(-0.5, 0.5, length, dtype=np.float32)


def _rolled(x: Examples, by: NDArray[np.int64]) -> Examples:
    """Move each series (n, c, t) by its own number of samples to the right; what leaves comes back at the left."""
    places = (np.arange(x.shape[2]) - by[:, None, None]) % x.shape[2]
    moved: Examples = np.take_along_axis(x, np.broadcast_to(places, x.shape), axis=2)
    return moved


def detrended(x: Examples) -> Examples:
    """Return series (..., t) without the straight line that fits each best; missing samples (NaN) do not count.

    >>> detrended(np.float32([[1, 2, 3], [5, 5, 8]])).round(2).tolist()
    [[0.0, 0.0, 0.0], [0.5, -1.0, 0.5]]
    """
    there = ~np.isnan(x)
    count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    ramp = there * _ramp(x.shape[-1])
    ramp -= there * (ramp.sum(axis=-1, keepdims=True) / count)
    y = np.where(there, x, 0)
    rise = (ramp * y).sum(axis=-1, keepdims=True) / np.maximum((ramp**2).sum(axis=-1, keepdims=True), 1e-12)
    line: Examples = x - y.sum(axis=-1, keepdims=True) / count - rise * ramp
    return line.astype(np.float32, copy=False)
