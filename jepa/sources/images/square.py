"""A file as a small square: decoded no larger than it has to be, and the same pixels on every machine.

Whole numbers are summed by Pillow, in one thread, so no rounding depends on the processor or on the number of threads.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.sources.images.decode import STRIP, WHITE, Loaded, Place, load, luma

GAP = 4  # before the last step an image is still so many times larger: then averages over whole pixels do no harm
Fit = Literal["stretch", "crop", "pad"]
Pixels = NDArray[Any]


class How(NamedTuple):
    """What a file is made into."""

    side: int
    fit: Fit
    channels: int


class Square(NamedTuple):
    """How an image becomes side x side pixels: (C, S, S), uint8, or float32 of 16 bits.

    stretch: whatever the proportions; crop: the largest square in the middle; pad: scaled to fit, on the ground. The
    result is that of Pillow's `resize((side, side), BILINEAR)`, to about a hundredth of the range: a large image is
    averaged over whole blocks of pixels first.
    """

    side: int
    fit: Fit = "stretch"
    channels: int = 3
    ground: Sequence[float] = WHITE

    def wanted(self, width: float, height: float) -> tuple[int, int]:
        """Return how many pixels are wanted across and down."""
        if self.fit == "stretch":
            return self.side, self.side
        scale = self.side / (min if self.fit == "crop" else max)(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def made(self, loaded: Loaded) -> Pixels:
        """Return the square of a decoded image."""
        if self.fit == "crop":
            loaded = _middle(loaded)
        across, down = self.wanted(*loaded.extent)
        x = loaded.upright(_shrunk(loaded, across, down, self.ground))
        if self.channels == 1 and x.shape[2] == 3:
            x = np.rint(luma(x.astype(np.float32))).astype(x.dtype) if x.dtype == np.uint8 else luma(x)
        return _on_ground(x, self.side, self.channels, self.ground)


def square(
    path: Place, side: int, *, fit: Fit = "stretch", channels: int = 3, ground: Sequence[float] = WHITE
) -> Pixels:
    """Read a file (`load`) and bring it to side x side pixels (`Square`).

    A JPEG is decoded at a half, a quarter or an eighth of its size, as long as it stays twice as large as it is wanted.
    Raises UnreadableImage.
    """
    how = Square(side, fit, channels, ground)
    return load(path, how.made, wanted=how.wanted)


def _middle(loaded: Loaded) -> Loaded:
    """Return the largest square in the middle of an image."""
    width, height = loaded.image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    part = loaded.image.crop((left, top, left + side, top + side))
    return loaded._replace(image=part, extent=(min(side, *loaded.extent),) * 2)


def _shrunk(loaded: Loaded, across: int, down: int, ground: Sequence[float]) -> Pixels:
    """Return the pixels (down, across, C): averaged over blocks while they stay GAP times as many, then resized."""
    width, height = loaded.image.size
    block = max(1, width // (GAP * across)), max(1, height // (GAP * down))
    rows = max(1, STRIP // width // block[1]) * block[1]
    parts = []
    for strip in loaded.strips(rows):
        x = loaded.colors(strip, ground)
        parts.append(x if block == (1, 1) else _each_plane(x, lambda plane: plane.reduce(block)))
    x = parts[0] if len(parts) == 1 else np.concatenate(parts)
    box = (0, 0, loaded.extent[0] / block[0], loaded.extent[1] / block[1])  # blocks at the ends may not be whole
    if (down, across) == x.shape[:2] == box[:1:-1]:
        return x
    return _each_plane(x, lambda plane: plane.resize((across, down), Image.Resampling.BILINEAR, box))


def _each_plane(x: Pixels, change: Any) -> Pixels:
    """Return pixels (h, w, C) changed by Pillow: bytes of three colors together, all others one by one."""
    if x.dtype == np.uint8 and x.shape[2] == 3:
        return np.asarray(change(Image.fromarray(x)))
    planes = [np.asarray(change(Image.fromarray(np.ascontiguousarray(x[:, :, c])))) for c in range(x.shape[2])]
    return np.stack(planes, axis=2)


def _on_ground(x: Pixels, side: int, channels: int, ground: Sequence[float]) -> Pixels:
    """Lay pixels (h, w, 1 or 3) in the middle of a square of the ground's color; return it as (C, S, S)."""
    high, wide = x.shape[:2]
    out = np.empty((channels, side, side), dtype=x.dtype)
    if (high, wide) != (side, side):
        color = np.asarray(ground, dtype=np.float32)
        color = color if channels == 3 else luma(color)
        out[:] = (color if x.dtype != np.uint8 else np.rint(color * 255).astype(np.uint8))[:, None, None]
    top, left = (side - high) // 2, (side - wide) // 2
    out[:, top : top + high, left : left + wide] = x.transpose(2, 0, 1)
    return out
