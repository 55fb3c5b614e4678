"""Random changes of images: of their sides, and of their colors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.transforms import loops
from jepa.transforms.base import Compose, Examples, Random, Sometimes, Transform

LUMA = np.array(loops.LUMA)
_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_GRAY = np.outer(np.ones(3), LUMA)  # (3, 3): g(c) of a color c
_TURN = np.linalg.inv(_YIQ) @ np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ _YIQ  # a quarter turn of (I, Q), luma to 0


def _luma(channels: int) -> NDArray[np.float64]:
    if channels not in (1, 3):
        raise DataError(f"a change of color needs an image of 1 or 3 channels; this one has {channels}")
    return LUMA if channels == 3 else np.ones(1)


def mean_color(pixels: Examples, means: Examples) -> Examples:
    """Return the mean color (n, c) of images (n, c, pixels), given the `means` of them: without what is NaN in them.

    >>> mean_color(np.float32([[[1, np.nan, 3]]]), np.float32([[np.nan]]))
    array([[2.]], dtype=float32)
    """
    gaps = np.isnan(means).any(axis=1)
    if not gaps.any():
        return means
    there = ~np.isnan(pixels[gaps])
    total, count = np.where(there, pixels[gaps], 0).sum(axis=2), there.sum(axis=2)
    found = means.copy()
    found[gaps] = total / np.maximum(count, 1)
    return found


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue by random factors.

    With a color c, its gray g(c) = 0.299 r + 0.587 g + 0.114 b in each channel, and the mean m of g over the image, but
    for what is NaN in it and stays so:

        brightness  c <- f c                            f in [1 - brightness, 1 + brightness]
        contrast    c <- k c + (1 - k) m                k in [1 - contrast, 1 + contrast]
        saturation  c <- s c + (1 - s) g(c)             s in [1 - saturation, 1 + saturation]
        hue         c <- c turned by t about the gray axis in YIQ         t in 2 pi [-hue, hue]

    Saturation and hue keep the gray and act on the rest, c - g(c); brightness scales both; contrast scales both and
    adds gray. So the four commute, their order is of no effect, and together they are one affine map for each image:

        c <- f k (g(c) + s (cos t + sin t J) (c - g(c))) + f (1 - k) m        J: a quarter turn about the gray axis

    The first three are torchvision's formulas, which it applies in a random order; it clips to [0, 1] after each one,
    where here the result is clipped, and this alone makes its order matter. Its hue adds t to the H of HSV, which
    keeps the largest channel; a turn in YIQ keeps the gray. A gray image has no saturation or hue to change.

    brightness, contrast, saturation: largest change of the factor, 0 to 1; hue: largest turn, in full circles, 0 to
    0.5; p: probability of any change.

    >>> x = np.full((3, 1, 1), 0.5, np.float32)
    >>> ColorJitter(brightness=0.4)(x, np.random.default_rng(0)).ravel()
    array([0.55478466, 0.55478466, 0.55478466], dtype=float32)
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    p: float = 1.0

    def draw(self, generator: Random) -> Any:
        assert generator is not None, "ColorJitter needs a generator"
        return generator.random(5)

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        n, c, h, w = x.shape
        pixels = x.reshape(n, c, h * w)
        a, b = self.affine(np.asarray(draws), mean_color(pixels, pixels.mean(axis=2)) @ _luma(c))
        y = (a if c == 3 else a.sum(axis=2)[:, :1, None]) @ pixels  # (N, C, H W); a gray has three equal channels
        y += b[:, None, None]
        return np.clip(y, 0, 1, out=y).reshape(x.shape)

    def affine(self, u: NDArray[np.float64], m: NDArray[np.float64]) -> tuple[Examples, Examples]:
        """Return A and b of the map c <- A c + b.

        u (N, 5) draws, m (N,) mean gray of each image -> A (N, 3, 3), b (N,)
        """
        strength = np.array([self.brightness, self.contrast, self.saturation, 2 * math.pi * self.hue])
        change = (2 * u[:, :4] - 1) * strength * (u[:, 4:] < self.p)  # (N, 4)
        f, k, s = (1 + change[:, :3]).T  # each (N,)
        angle = change[:, 3, None, None]
        rest = np.eye(3) - _GRAY  # (3, 3): c - g(c)
        a = _GRAY + s[:, None, None] * (np.cos(angle) * rest + np.sin(angle) * _TURN)  # (N, 3, 3)
        return ((f * k)[:, None, None] * a).astype(np.float32), (f * (1 - k) * m).astype(np.float32)


@dataclass(frozen=True)
class RandomGrayscale(Sometimes):
    """Take all color away with probability p: each channel becomes 0.299 r + 0.587 g + 0.114 b.

    >>> RandomGrayscale(p=1.0)(np.float32([1, 0, 0]).reshape(3, 1, 1), np.random.default_rng(0)).ravel()
    array([0.299, 0.299, 0.299], dtype=float32)
    """

    p: float = 0.1

    def change(self, x: Examples) -> Examples:
        n, c, h, w = x.shape
        return x if c == 1 else (_luma(c).astype(np.float32) @ x.reshape(n, c, h * w)).reshape(n, 1, h, w)


class RandomInvert(Sometimes):
    """Turn the image into its negative with probability p: x becomes 1 - x.

    >>> RandomInvert(p=1.0)(np.float32([0.25]).reshape(1, 1, 1), np.random.default_rng(0)).ravel()
    array([0.75], dtype=float32)
    """

    def change(self, x: Examples) -> Examples:
        return 1 - x


class RandomHorizontalFlip(Sometimes):
    """Exchange left and right with probability p.

    >>> RandomHorizontalFlip(p=1.0)(np.float32([[[1, 2], [3, 4]]]), np.random.default_rng(0)).tolist()
    [[[2.0, 1.0], [4.0, 3.0]]]
    """

    def change(self, x: Examples) -> Examples:
        return x[:, :, :, ::-1]


class RandomVerticalFlip(Sometimes):
    """Exchange top and bottom with probability p.

    >>> RandomVerticalFlip(p=1.0)(np.float32([[[1, 2], [3, 4]]]), np.random.default_rng(0)).tolist()
    [[[3.0, 4.0], [1.0, 2.0]]]
    """

    def change(self, x: Examples) -> Examples:
        return x[:, :, ::-1]


class Flips(Compose):
    """RandomHorizontalFlip, then RandomVerticalFlip: compiled, in one pass.

    >>> Flips(0, 1)(np.float32([[[1, 2], [3, 4]]]), np.random.default_rng(0)).tolist()
    [[[3.0, 4.0], [1.0, 2.0]]]
    """

    def __init__(self, horizontal: float, vertical: float) -> None:
        super().__init__([RandomHorizontalFlip(horizontal), RandomVerticalFlip(vertical)])

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        if not loops.chosen():
            return super().apply(x, draws)
        sides, ends = np.array(draws, bool).T
        return loops.run(loops.flip, np.empty(x.shape, np.float32), x, sides, ends)


class Colors(Compose):
    """ColorJitter, then RandomGrayscale, then RandomInvert: compiled, in one pass.

    >>> Colors(ColorJitter(), grayscale=1, invert=1)(np.ones((3, 1, 1), np.float32), np.random.default_rng(0)).ravel()
    array([0., 0., 0.], dtype=float32)
    """

    def __init__(self, jitter: ColorJitter, grayscale: float, invert: float) -> None:
        super().__init__([jitter, RandomGrayscale(grayscale), RandomInvert(invert)])
        self.jitter = jitter

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        if not loops.chosen():
            return super().apply(x, draws)
        n, c, h, w = x.shape
        pixels = x.reshape(n, c, h * w)
        jitter, gray, negative = map(np.array, zip(*draws, strict=True))
        means = loops.run(loops.means, np.empty((n, c), np.float32), pixels)
        a, b = self.jitter.affine(jitter, mean_color(pixels, means) @ _luma(c))
        a = a if c == 3 else a.sum(axis=2)[:, :1, None]
        y = np.empty(pixels.shape, np.float32)
        return loops.run(loops.color, y, pixels, a, b, gray, negative).reshape(x.shape)
