"""The data set `shapes`: ten kinds of shape at any place, size and angle, in any colors, on a shaded and noisy ground.

The folder is the shape. Color and place are drawn independently of it, so that neither says anything about the
class, and every image keeps enough contrast for a person to name the shape. Nothing here knows what a method would
like to see.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jepa.config.settings import between, setting
from jepa.errors import DataError
from jepa.sources.generated import Facts, Generated, GeneratedSettings, Sample

Points = list[tuple[float, float]]

COUNT = 5000  # images, if not told otherwise
OVERSAMPLING = 4  # shapes are drawn this many times larger, then reduced: smooth edges
MIN_CONTRAST = 0.25  # smallest difference of luma between a shape and any part of its ground
LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709 weights of red, green, blue
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.15, 0.15),
    "orange": (0.95, 0.55, 0.10),
    "yellow": (0.95, 0.90, 0.20),
    "green": (0.15, 0.65, 0.25),
    "cyan": (0.20, 0.80, 0.85),
    "blue": (0.15, 0.30, 0.85),
    "purple": (0.55, 0.20, 0.70),
    "pink": (0.95, 0.55, 0.75),
    "white": (0.95, 0.95, 0.95),
    "black": (0.07, 0.07, 0.07),
}


@dataclass(frozen=True)
class ShapesSettings(GeneratedSettings):
    """Of the shapes."""

    count: int | None = setting(COUNT, between(50, 1_000_000))
    """images that are written; null: 5000"""


class Shapes(Generated):
    """The shapes as a source, written to data/ first.

    >>> Shapes(count=60).shape
    (3, 32, 32)
    """

    Settings = ShapesSettings
    kind = "shapes"
    usual_count = COUNT

    def samples(self, count: int, size: int, seed: int) -> Iterator[Sample]:
        labels = list(OUTLINES)
        for i in range(count):
            label = labels[i % len(labels)]
            image, facts = draw(label, np.random.default_rng([seed, i]), size=size)
            yield Sample("val" if i // len(labels) % 5 == 4 else "train", label, image, facts)


def _regular(corners: int, radius: float = 1.0, shift: float = 0.0) -> Points:
    """Return a regular polygon, moved to the right by `shift`."""
    turns = [2 * math.pi * k / corners for k in range(corners)]
    return [(shift + radius * math.cos(t), radius * math.sin(t)) for t in turns]


def _star(tips: int, inner: float) -> Points:
    """Return a star whose notches lie at the radius `inner`."""
    turns = [(math.pi * k / tips, inner if k % 2 else 1.0) for k in range(2 * tips)]
    return [(r * math.cos(t), r * math.sin(t)) for t, r in turns]


def _heart(points: int = 40) -> Points:
    """Return the usual heart curve, brought into the unit circle."""
    turns = [2 * math.pi * k / points for k in range(points)]
    x = [16 * math.sin(t) ** 3 for t in turns]
    y = [-13 * math.cos(t) + 5 * math.cos(2 * t) + 2 * math.cos(3 * t) + math.cos(4 * t) for t in turns]
    return [(a / 17, (b - 2.5) / 17) for a, b in zip(x, y, strict=True)]


_ARM = 0.3
_CROSS = [
    (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
    (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
]  # fmt: skip
_ARROW = [(1, 0), (0.1, 0.75), (0.1, 0.25), (-1, 0.25), (-1, -0.25), (0.1, -0.25), (0.1, -0.75)]

OUTLINES: dict[str, tuple[Points, Points]] = {
    "arrow": (_ARROW, []),
    "circle": (_regular(48), []),
    "crescent": (_regular(48), _regular(48, radius=0.85, shift=0.5)),
    "cross": (_CROSS, []),
    "heart": (_heart(), []),
    "rhombus": ([(1, 0), (0, 0.5), (-1, 0), (0, -0.5)], []),
    "ring": (_regular(48), _regular(48, radius=0.6)),
    "square": (_regular(4), []),
    "star": (_star(5, inner=0.42), []),
    "triangle": (_regular(3), []),
}
"""For each class its outline within the unit circle, and the outline of what is cut out of it."""


def draw(label: str, generator: np.random.Generator, *, size: int = 32) -> tuple[Image.Image, Facts]:
    """Draw one image of a shape; return it and the facts about it: color, place, size, angle, ground, noise.

    Lengths are shares of the image's side, angles are degrees counter-clockwise, colors are in [0, 1]. The shape
    lies wholly inside the image; its circumscribed circle has a radius between 0.2 and 0.4.

    >>> image, facts = draw("ring", np.random.default_rng(0))
    >>> image.size, image.mode, facts["shape"]
    ((32, 32), 'RGB', 'ring')
    """
    if label not in OUTLINES:
        raise DataError(f"there is no shape '{label}'; the shapes are {', '.join(OUTLINES)}")
    radius = generator.uniform(0.2, 0.4)
    x, y = generator.uniform(radius, 1 - radius, size=2)
    angle = generator.uniform(0, 360)
    color = str(generator.choice(list(COLORS)))
    ink = np.clip(COLORS[color] + generator.uniform(-0.07, 0.07, size=3), 0, 1)  # (3,)
    ground = _ground(ink, generator)  # (2, 3): the two ends of the shading
    slope = generator.uniform(0, 2 * math.pi)
    noise = generator.uniform(0.01, 0.05)

    coverage = np.asarray(_mask(label, x, y, radius, angle, size), np.float64)[:, :, None] / 255  # (size, size, 1)
    across = np.linspace(-1, 1, size)
    ramp = across[None, :] * math.cos(slope) + across[:, None] * math.sin(slope)  # (size, size), within +-sqrt(2)
    share = (0.5 + ramp / (2 * math.sqrt(2)))[:, :, None]
    pixels = (1 - coverage) * ((1 - share) * ground[0] + share * ground[1]) + coverage * ink  # (size, size, 3)
    pixels = np.clip(pixels + generator.normal(0, noise, size=pixels.shape), 0, 1)
    image = Image.fromarray(np.round(255 * pixels).astype(np.uint8))
    row, column = ("top", "middle", "bottom")[int(3 * y)], ("left", "centre", "right")[int(3 * x)]
    numbers = {"x": x, "y": y, "radius": radius, "angle": angle, "slope": math.degrees(slope), "noise": noise}
    for name, value in (("ink", ink), ("ground_a", ground[0]), ("ground_b", ground[1])):
        numbers |= {f"{name}_{channel}": v for channel, v in zip("rgb", value, strict=True)}
    return image, {"shape": label, "colour": color, "position": f"{row}-{column}"} | {
        name: round(float(value), 4) for name, value in numbers.items()
    }


def _ground(ink: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw two colors, (2, 3), near each other and far enough in luma from the ink, both on the same side of it."""
    while True:  # some half of the tries succeed, whatever the ink
        middle = generator.uniform(0, 1, size=3)
        ends = np.clip(middle + generator.uniform(-0.2, 0.2, size=(2, 3)), 0, 1)
        gap = (ends - ink) @ LUMA  # (2,)
        if gap.min() > MIN_CONTRAST or gap.max() < -MIN_CONTRAST:
            return ends


def _mask(label: str, x: float, y: float, radius: float, angle: float, size: int) -> Image.Image:
    """Draw how much of each pixel the shape covers, 0..255."""
    side = OVERSAMPLING * size
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    for outline, value in zip(OUTLINES[label], (255, 0), strict=True):
        if outline:  # image rows grow downwards, hence the signs of the turn
            turned = [(a * cos + b * sin, b * cos - a * sin) for a, b in outline]
            pen.polygon([((x + radius * a) * side, (y + radius * b) * side) for a, b in turned], fill=value)
    return mask.resize((size, size), Image.Resampling.LANCZOS)


def write(out: str | Path, *, count: int = COUNT, size: int = 32, seed: int = 0) -> Path:
    """Write `count` images as `out/{train,val}/<shape>/00001.png`, `out/labels.csv` and `out/meta.json`; return `out`.

    The classes are equally frequent up to rounding, and a fifth of the images is `val`. Image `i` depends on
    `(seed, i)` only: a larger set of the same seed begins with the smaller one. A set that is already there is not
    written again. Raises ConfigError if `count` or `size` is too small, DataError if `out` holds something else.
    """
    return Shapes(count=count, size=size).write(out, seed)
