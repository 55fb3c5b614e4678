"""Changes of colour: each is an affine map of a pixel's colour, so that all of them together are one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.transforms.base import Images, Transform, check_probability

__all__ = ["ColorJitter", "RandomGrayscale"]

LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601 weights of red, green, blue, as in Pillow and torchvision
_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_TURN = np.linalg.inv(_YIQ) @ np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ _YIQ  # a quarter turn of (I, Q), luma to 0


def _luma(channels: int) -> NDArray[np.float64]:
    if channels not in (1, 3):
        raise DataError(f"a change of colour needs an image of 1 or 3 channels; this one has {channels}")
    return LUMA if channels == 3 else np.ones(1)


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue by random factors, in a random order.

    With a colour c, grey(c) = 0.299 r + 0.587 g + 0.114 b and the image's mean grey m at that point:

        brightness  c <- f c                          f in [1 - brightness, 1 + brightness]
        contrast    c <- f c + (1 - f) m              f in [1 - contrast, 1 + contrast]
        saturation  c <- f c + (1 - f) grey(c)        f in [1 - saturation, 1 + saturation]
        hue         c <- c turned by 2 pi h about the grey axis in YIQ       h in [-hue, hue]

    The first three are torchvision's. Each of the four is affine, and m is affine in the mean colour, so their chain
    is c <- A c + b with one 3x3 matrix and offset for each image. Two things differ from torchvision: colours are
    clipped to [0, 1] once at the end, not after every change; and hue is a turn that keeps the luma, where
    torchvision adds h to the H of HSV, which keeps the largest channel. A grey image has no saturation or hue.

    Attributes
    ----------
    brightness, contrast, saturation : float
        Largest change of the factor, 0 to 1.
    hue : float
        Largest turn, in full circles, 0 to 0.5.
    p : float
        Probability of any change.

    Examples
    --------
    >>> x = np.full((3, 1, 1), 0.5, np.float32)
    >>> ColorJitter(brightness=0.4)(x, np.random.default_rng(0)).ravel()
    array([0.55478466, 0.55478466, 0.55478466], dtype=float32)
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    p: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self, self.p)
        if not (all(0 <= v <= 1 for v in (self.brightness, self.contrast, self.saturation)) and 0 <= self.hue <= 0.5):
            raise DataError(f"{self!r}: brightness, contrast and saturation must lie in 0 to 1, hue in 0 to 0.5")

    def draw(self, generator: np.random.Generator | None) -> Any:
        """Return nine uniform numbers: four sizes of change, four that give the order, one that decides."""
        assert generator is not None, "ColorJitter needs a generator"
        return generator.random(9)

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return the images with their colours changed, clipped to [0, 1]."""
        n, c, h, w = x.shape
        pixels = x.reshape(n, c, h * w)
        a, b = self.affine(np.asarray(draws), pixels.mean(axis=2))
        y = a.astype(np.float32) @ pixels  # (N, C, H W)
        y += b.astype(np.float32)[:, :, None]
        return np.clip(y, 0, 1, out=y).reshape(x.shape)

    def affine(self, u: NDArray[np.float64], mean: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A (N, C, C) and b (N, C) of the map c <- A c + b, from draws u (N, 9) and mean colours (N, C)."""
        n, c = mean.shape
        luma = _luma(c)
        on = u[:, 8] < self.p
        strength = np.array([self.brightness, self.contrast, self.saturation, 2 * math.pi * self.hue])
        change = np.where(on[:, None], (2 * u[:, :4] - 1) * strength, 0)  # (N, 4)
        f = 1 + change[:, :3, None, None]  # (N, 3, 1, 1)
        angle = change[:, 3, None, None]  # (N, 1, 1)
        eye, grey = np.eye(c), np.outer(np.ones(c), luma)  # (C, C): c itself, and its grey in every channel
        turn = _TURN if c == 3 else np.zeros((1, 1))
        steps = np.empty((n, 4, c, c))  # the matrix of each change
        steps[:, :2] = f[:, :2] * eye
        steps[:, 2] = f[:, 2] * eye + (1 - f[:, 2]) * grey
        steps[:, 3] = eye + np.sin(angle) * turn + (1 - np.cos(angle)) * (grey - eye)  # exactly 1 at angle 0
        towards_mean = np.zeros((n, 4))
        towards_mean[:, 1] = -change[:, 1]  # contrast alone adds a share of the mean grey
        rows = np.arange(n)
        a, b = np.broadcast_to(eye, (n, c, c)), np.zeros((n, c, 1))
        m = mean.astype(np.float64)[:, :, None]  # (N, C, 1) the mean colour, as it changes
        for k in np.argsort(u[:, 4:8], axis=1).T:  # (N,) which change comes now
            step = steps[rows, k]
            offset = towards_mean[rows, k][:, None, None] * (luma @ m)[:, None]  # (N, 1, 1)
            a, b, m = step @ a, step @ b + offset, step @ m + offset
        return a, b[:, :, 0]


@dataclass(frozen=True)
class RandomGrayscale(Transform):
    """Take all colour away with probability p: each channel becomes 0.299 r + 0.587 g + 0.114 b.

    >>> RandomGrayscale(p=1.0)(np.float32([1, 0, 0]).reshape(3, 1, 1), np.random.default_rng(0)).ravel()
    array([0.299, 0.299, 0.299], dtype=float32)
    """

    p: float = 0.1

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def draw(self, generator: np.random.Generator | None) -> bool:
        """Return whether to do it."""
        assert generator is not None, "RandomGrayscale needs a generator"
        return bool(generator.random() < self.p)

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Return the images, those with a draw of True in grey."""
        n, c, h, w = x.shape
        luma = _luma(c).astype(np.float32)
        chosen = np.flatnonzero(draws)
        if c == 1 or not len(chosen):
            return x
        y = x.copy()
        y[chosen] = (luma @ x[chosen].reshape(-1, c, h * w)).reshape(-1, 1, h, w)
        return y
