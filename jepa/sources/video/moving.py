"""The data set `moving-digits`: clips of two scans of a handwritten digit that move and bounce; it is known where."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.config.settings import Range, Rule, between, ordered, setting
from jepa.sources.base import SourceSettings
from jepa.sources.digits import load, split_sources
from jepa.sources.examples import Held
from jepa.sources.generated import Facts, Sample, write_folder
from jepa.sources.memory import InMemory
from jepa.sources.video.folder import Video

VERSION = 1  # of what is drawn
COUNT = 4000
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
SPEED: Rule = ordered(0, 0.5)


@dataclass(frozen=True)
class MovingSettings(SourceSettings):
    """Of moving digits."""

    usual: ClassVar[Mapping[str, str]] = {
        "augment": "none", "task": "forecast", "encoder": "frames", "projector": "linear", "target": "shared"
    }  # fmt: skip
    count: int = setting(COUNT, between(50, 200_000))
    """clips; a fifth of them is held out, with scans of its own"""
    size: int = setting(32, between(8, 256))
    """side of a frame, in pixels"""
    frames: int = setting(10, between(2, 256))
    """frames of a clip"""
    digits: int = setting(2, between(1, 8))
    """scans in a clip"""
    scale: float = setting(0.375, between(0.1, 0.9))
    """side of a scan, in sides of a frame"""
    speed: Range = setting((0.03, 0.1), SPEED)
    """way from frame to frame, in sides of a frame, smallest and largest"""
    seed: int = setting(0, between(0))
    """another seed, other clips; clip i depends on the seed, i and the settings alone"""


class Drawn(NamedTuple):
    """Clips, and what is known about them."""

    x: Bytes
    """(N, 1, f, h, w)"""
    positions: Floats
    """(N, f, digits, 2): where the center of each scan is, (x, y) in pixels from the left upper corner"""
    labels: NDArray[np.int64]
    """(N,): the digit that all scans of a clip show"""
    parts: NDArray[np.str_]
    """(N,): "train" or "val\""""


class MovingDigits(InMemory):
    """Clips of some scans of one digit (scikit-learn's, 8x8, scaled up) that move straight on and bounce off the edges.

        center(t) = half + fold(start + t v),   0 <= fold <= size - side

    Each scan has a random start, direction and speed, constant but for its sign at an edge; what overlaps is the
    lighter of both. Scans lie between pixels (bilinear). The class is the digit; the scans of the held-out fifth are
    not among the others. Clips are drawn in memory, a second or two for a thousand; `write` makes a folder of animated
    PNG files.

    Raises DataError if scikit-learn is missing.

    >>> source = MovingDigits(count=50, frames=4).split("val")
    >>> source.shape, len(source), source.positions.shape
    ((1, 4, 32, 32), 10, (10, 4, 2, 2))
    """

    Settings = MovingSettings
    pictures = "jepa.pictures.image"
    measures = ("detection",)
    makes = True

    @cached_property
    def drawn(self) -> Drawn:
        """All clips."""
        return draw(self.settings)

    @cached_property
    def held(self) -> Held:
        """All clips as examples."""
        found = self.drawn
        return Held({"": found.x}, found.labels, [str(digit) for digit in range(10)], [], None, found.parts)

    @property
    def where(self) -> str:
        """The name of the data set."""
        return f"moving-digits-{self.settings.seed}" if self.settings.seed else "moving-digits"

    @property
    def positions(self) -> Floats:
        """Where the scans of each example of the part are, (n, f, digits, 2): (x, y) of their centers, in pixels."""
        return np.asarray(self.drawn.positions[self.content.rows])

    def at(self, path: str | os.PathLike[str]) -> Video:
        """Return the clips of a folder, in gray, read and normalized as these."""
        s = self.settings
        found = Video(path, frames=s.frames, size=s.size, channels=1, limit=s.limit, validation=s.validation)
        found.__dict__["scale"] = self.scale
        return found

    def write(self, out: str | Path, seed: int = 0) -> Path:
        """Write the clips of a seed as out/{train,val}/DIGIT/00001.png, animated, with all positions in labels.csv."""
        s = self.settings
        found = draw(s, seed)
        said: Facts = {"generator": "moving-digits", "version": VERSION, "count": s.count, "size": s.size, "seed": seed}
        said |= {"frames": s.frames, "digits": s.digits, "scale": s.scale, "speed": str(list(s.speed))}
        return write_folder(out, _samples(found), settings=said)


class Animation(NamedTuple):
    """Frames (f, h, w) that are saved as one animated picture."""

    frames: Bytes

    def save(self, path: str | Path, /) -> None:
        """Write them as a PNG file, a tenth of a second each."""
        first, *others = map(Image.fromarray, self.frames)
        first.save(path, save_all=True, append_images=others, duration=100, loop=0)


def _samples(found: Drawn) -> Iterator[Sample]:
    for x, positions, label, part in zip(*found, strict=True):
        places = positions.round(3).tolist()  # (f, digits, 2)
        facts = {
            f"{axis}{k}_{t}": places[t][k][a]
            for t in range(len(places))
            for k in range(len(places[t]))
            for a, axis in enumerate("xy")
        }
        yield Sample(str(part), str(label), Animation(x[0]), {"digit": int(label), **facts})


def draw(s: MovingSettings, seed: int | None = None) -> Drawn:
    """Draw the clips of some settings; seed: other than theirs."""
    seed = s.seed if seed is None else seed
    scans, digits = load()
    side = max(2, round(s.scale * s.size))
    large = np.stack([np.asarray(Image.fromarray(x).resize((side, side), Image.Resampling.BICUBIC)) for x in scans])
    own = {
        part: [mine[digits[mine] == digit] for digit in range(10)] for part, mine in split_sources(digits, seed).items()
    }
    parts = np.where(np.arange(s.count) // 10 % 5 == 4, "val", "train")
    labels = np.arange(s.count) % 10
    chosen = np.empty((s.count, s.digits), np.int64)
    starts, ways = np.empty((2, s.count, s.digits, 2))
    for i in range(s.count):
        generator = np.random.default_rng([seed, 1, i])
        chosen[i] = generator.choice(own[str(parts[i])][labels[i]], s.digits)
        starts[i] = generator.uniform(0, 1, (s.digits, 2)) * (s.size - side)
        angle = generator.uniform(0, 2 * np.pi, s.digits)
        ways[i] = np.stack([np.cos(angle), np.sin(angle)], -1) * generator.uniform(*s.speed, (s.digits, 1)) * s.size
    time = np.arange(s.frames)[:, None, None]
    corners = fold(starts[:, None] + time * ways[:, None], s.size - side)  # (N, f, digits, 2)
    x = np.zeros((s.count, s.frames, s.size, s.size), np.uint8)
    for k in range(s.digits):
        for block in np.array_split(np.arange(s.count), -(-s.count // 256)):  # whose pixels stay in memory
            _lay(x, block, large[chosen[block, k]], corners[block, :, k])
    return Drawn(x[:, None], corners + side / 2, labels, parts)


def fold(x: Floats, length: float) -> Floats:
    """Return where something is that went from 0 to x between two walls, at 0 and at `length`, and bounced off them.

    >>> fold(np.array([3.0, 5.0, 9.0, -1.0]), 4.0).tolist()
    [3.0, 3.0, 1.0, 1.0]
    """
    return np.asarray(length - np.abs(np.mod(x, 2 * length) - length))


def _lay(x: Bytes, rows: NDArray[np.int64], scans: Bytes, corners: Floats) -> None:
    """Lay scans (m, side, side) on all frames of rows of x (N, f, h, w), their left upper corners at (m, f, 2)."""
    side, frames = scans.shape[1], x.shape[1]
    whole = np.minimum(np.floor(corners).astype(np.int64), x.shape[3] - side - 1).clip(0)  # (m, f, 2)
    rest = (corners - whole)[..., None, None]  # (m, f, 2, 1, 1)
    padded = np.pad(scans.astype(np.float64), ((0, 0), (1, 1), (1, 1)))[:, None]  # (m, 1, side + 2, side + 2)
    across = (1 - rest[:, :, 0]) * padded[..., 1:] + rest[:, :, 0] * padded[..., :-1]
    moved = (1 - rest[:, :, 1]) * across[..., 1:, :] + rest[:, :, 1] * across[..., :-1, :]  # (m, f, side + 1, side + 1)
    down, right = (whole[..., a, None] + np.arange(side + 1) for a in (1, 0))  # (m, f, side + 1)
    at = (rows[:, None, None, None], np.arange(frames)[:, None, None], down[..., None], right[..., None, :])
    x[at] = np.maximum(x[at], np.rint(moved).astype(np.uint8))
