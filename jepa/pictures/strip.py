"""Clips as pictures: (c, f, h, w), some of the frames side by side. See `image` for what the functions do."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from jepa.pictures import image
from jepa.pictures.style import plane

__all__ = ["mark", "ratio", "show", "write"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]
FRAMES = 4  # that are shown, at most


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a strip over its width."""
    return shape[2] / shape[3] / min(FRAMES, shape[1])


def show(
    axes: Axes,
    example: Array,
    title: str = "",
    color: str | None = None,
    *,
    kept: Flags | None = None,
    instead: tuple[Flags, Array] | None = None,
) -> None:
    """Draw frames of a clip, from left to right."""
    x = np.asarray(example, np.float32)
    shown = np.stack([_frames(channel, 1.0 if x.max() <= 1.5 else float(x.max())) for channel in x])
    flags = None if kept is None else _frames(kept, True)
    other = None if instead is None else (_frames(instead[0], False), np.stack([_frames(c, 0.0) for c in instead[1]]))
    image.show(axes, shown, title, color, kept=flags, instead=other)


def mark(axes: Axes, flags: Flags, color: str) -> None:
    """Draw the edge of the samples (f, h, w) that are flagged, in each frame that is shown."""
    image.mark(axes, _frames(flags, False), color)


def write(axes: Axes, flags: Flags, text: str, color: str) -> None:
    """Write in the middle of the samples (f, h, w) that are flagged, in the first frame that has any."""
    first = flags & (flags.any(axis=(1, 2)).cumsum() == 1)[:, None, None]
    image.write(axes, _frames(first if _frames(first, False).any() else flags, False), text, color)


def _frames(x: Array, gap: Any) -> Array:
    """Return frames of (f, h, w) side by side, (h, w'), with a gap between them."""
    chosen = np.linspace(0, len(x) - 1, min(FRAMES, len(x))).round().astype(int)
    return plane(x[chosen], 3, gap)
