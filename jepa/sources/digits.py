"""The data set `digits`: scikit-learn's 1797 scans of handwritten digits (8x8), plain or on a cluttered ground.

Plain: each scan scaled up to the whole image, light ink on black. Cluttered: a scan at a random scale, angle and
place, in gray ink on a gray ground, lighter or darker than it, among fragments of other scans, strokes and noise.
The scans behind the images of `train` and of `val` are disjoint, those of the clutter too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jepa.config.settings import between, setting
from jepa.errors import DataError
from jepa.sources.generated import Facts, Generated, GeneratedSettings, Sample

SCANS = 1797
OVERSAMPLING = 4  # strokes are drawn and scans are turned this many times larger, then reduced

Scans = NDArray[np.uint8]


@dataclass(frozen=True)
class DigitsSettings(GeneratedSettings):
    """Of the plain digits."""

    count: int | None = setting(None, between(50, SCANS))
    """images that are written; null: all 1797"""


class Digits(Generated):
    """The plain digits as a source, written to data/ first: each scan once at most, scaled up (bicubic), in gray.

    `labels.csv` names the scan behind each image. Raises DataError if scikit-learn is missing.
    """

    Settings: ClassVar[Any] = DigitsSettings
    kind = "digits"
    usual_count = SCANS

    def samples(self, count: int, size: int, seed: int) -> Iterator[Sample]:
        scans, labels = load()
        sources = split_sources(labels, seed)
        held_out = self.held_out(count, len(sources["val"]) / len(scans))
        for number, (split, wanted) in enumerate({"train": count - held_out, "val": held_out}.items(), start=1):
            mine = sources[split]
            for i in range(wanted):
                k = int(mine[i % len(mine)])
                image, facts = self.drawn(scans[k], scans[mine], [seed, number, i], size)
                yield Sample(split, str(labels[k]), image, {"digit": int(labels[k]), "source": k, **facts})

    def held_out(self, count: int, share: float) -> int:
        """Return how many of the images are `val`, of which there is a share of the scans."""
        return round(count * share)

    def drawn(self, scan: Scans, others: Scans, seed: list[int], size: int) -> tuple[Image.Image, Facts]:
        """Return the image of a scan, and the facts about it."""
        return Image.fromarray(scan).resize((size, size), Image.Resampling.BICUBIC), {}


class ClutteredDigits(Digits):
    """The digits on a cluttered ground as a source, written to data/ first: 5000 of them, a fifth `val`."""

    Settings = GeneratedSettings
    kind = "digits-clutter"
    usual_count = 5000

    def held_out(self, count: int, share: float) -> int:
        return count // 5

    def drawn(self, scan: Scans, others: Scans, seed: list[int], size: int) -> tuple[Image.Image, Facts]:
        return draw(scan, others, np.random.default_rng(seed), size=size)


def load() -> tuple[Scans, NDArray[np.int64]]:
    """Return the scans, uint8 (1797, 8, 8) with ink 255 on 0, and their digits, int64 (1797,).

    Raises DataError if scikit-learn is not installed; the message names the command.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the data set 'digits' needs scikit-learn, which is not installed; run: pip install -e '.[eval]'"
        ) from error
    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64)


def split_sources(labels: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the shuffled indices of the scans of `train` and of `val`: disjoint, a fifth of each digit is `val`."""
    generator = np.random.default_rng([seed, 0])
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "val": []}
    for digit in np.unique(labels):
        mine = generator.permutation(np.flatnonzero(labels == digit))
        parts["val"].append(mine[: len(mine) // 5])
        parts["train"].append(mine[len(mine) // 5 :])
    return {split: generator.permutation(np.concatenate(part)) for split, part in parts.items()}


def draw(scan: Scans, others: Scans, generator: np.random.Generator, *, size: int = 32) -> tuple[Image.Image, Facts]:
    """Draw a scan (8, 8) on a cluttered ground; return the image and the facts about it.

    The digit's 8x8 square is 0.45 to 0.75 of the image's side, turned by at most 30 degrees and wholly inside the
    image. Up to ten fragments of `others` (n, 8, 8), each at most half as long and wide as a scan, lie around it and
    may touch it, up to three thin strokes lie below it, all in the same ink; noise lies over everything.
    """
    scale = generator.uniform(0.45, 0.75)
    angle = generator.uniform(-30, 30)
    ink, ground, noise = _grays(generator)
    side = OVERSAMPLING * size
    room = scale / 2 * (abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle))))
    place = generator.uniform(min(room, 0.5), 1 - min(room, 0.5), size=2)  # (x, y)
    sheet = Image.new("L", (side, side))  # coverage by ink
    pen = ImageDraw.Draw(sheet)
    for _ in range(generator.integers(0, 4)):
        start = generator.uniform(0, side, size=2)
        end = start + generator.uniform(-0.35, 0.35, size=2) * side
        pen.line([*start, *end], fill=int(generator.integers(120, 256)), width=int(generator.integers(3, 8)))
    for _ in range(generator.integers(6, 11)):
        height, width = generator.integers(2, 5, size=2)
        top, left = generator.integers(0, 9 - height), generator.integers(0, 9 - width)
        piece = others[generator.integers(len(others)), top : top + height, left : left + width]
        center = generator.uniform(0, 1, size=2)
        if np.hypot(*(center - place)) > 0.55 * scale:  # else it would hide what makes the digit this digit
            _paste(sheet, piece, scale, generator.uniform(0, 360), center)
    _paste(sheet, scan, scale, angle, place)

    coverage = np.asarray(sheet.resize((size, size), Image.Resampling.LANCZOS), np.float64) / 255  # (size, size)
    pixels = ground + (ink - ground) * coverage + generator.normal(0, noise, size=(size, size))
    image = Image.fromarray(np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    facts = {"x": place[0], "y": place[1], "scale": scale, "angle": angle, "ink": ink, "ground": ground, "noise": noise}
    return image, {name: round(float(value), 4) for name, value in facts.items()}


def _grays(generator: np.random.Generator) -> tuple[float, float, float]:
    """Draw ink and ground, at least 0.4 apart and either way round, and the standard deviation of the noise."""
    low, high = generator.uniform(0, 0.3), generator.uniform(0.7, 1)
    light = bool(generator.integers(2))
    return (high, low, generator.uniform(0.02, 0.06)) if light else (low, high, generator.uniform(0.02, 0.06))


def _paste(sheet: Image.Image, piece: Scans, scale: float, angle: float, center: Any) -> None:
    """Lay a piece of a scan on the sheet: `scale` is the side of a whole scan, `center` (x, y) the piece's own."""
    cell = scale * sheet.width / 8  # one pixel of the scan, in pixels of the sheet
    height, width = piece.shape
    grown = Image.fromarray(piece).resize((round(width * cell), round(height * cell)), Image.Resampling.BICUBIC)
    turned = grown.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    corner = round(center[0] * sheet.width - turned.width / 2), round(center[1] * sheet.height - turned.height / 2)
    sheet.paste(255, corner, mask=turned)
