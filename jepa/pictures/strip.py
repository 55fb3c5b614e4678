"""Clips as pictures: (c, f, h, w), some of the frames side by side. See `image` for what the functions do."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jepa.pictures import image
from jepa.pictures.image import Array, Flags, Instead
from jepa.pictures.style import plane

__all__ = ["mark", "ratio", "show", "write"]

FRAMES = 4  # that are shown, at most


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a strip over its width."""
    return shape[2] / shape[3] / min(FRAMES, shape[1])


def show(
    axes: Axes, x: Array, title: str = "", color: str | None = None, *, kept: Any = None, instead: Instead | None = None
) -> None:
    """Draw frames of a clip, from left to right."""
    white = max(1.0, float(np.max(x)))
    other = None if instead is None else (_frames(instead[0], False), _clip(instead[1], white))
    image.show(axes, _clip(x, white), title, color, kept=None if kept is None else _frames(kept, True), instead=other)


def mark(axes: Axes, flags: Flags, color: str) -> None:
    """Draw the edge of the samples (f, h, w) that are flagged, in each frame that is shown."""
    image.mark(axes, _frames(flags, False), color)


def write(axes: Axes, flags: Flags, text: str, color: str) -> None:
    """Write in the middle of the samples (f, h, w) that are flagged, in the first frame that has any."""
    first = _frames(flags & (flags.any(axis=(1, 2)).cumsum() == 1)[:, None, None], False)
    image.write(axes, first if first.any() else _frames(flags, False), text, color)


def _clip(x: Array, white: float) -> Array:
    return np.stack([_frames(np.asarray(channel, np.float32), white) for channel in x])


def _frames(x: Array, gap: Any) -> Array:
    """Return frames of (f, h, w) side by side, (h, w'), with a gap between them."""
    return plane(x[np.linspace(0, len(x) - 1, min(FRAMES, len(x))).round().astype(int)], 3, gap)
