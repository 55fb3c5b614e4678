"""Images as pictures: (c, h, w), gray if one channel, its first three colors if more; of clips, some frames in a strip.

What a source names as its `pictures` is a module with these six functions; `line` is the other one here.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from jepa.pictures.style import border, plane

Array = NDArray[Any]
Flags = NDArray[np.bool_]
Instead = tuple[Flags, Array]
"""samples (*lengths), and what is drawn there in place of an example, (c, *lengths)"""
FAINT, GROUND = 0.12, 0.8  # how much is left of what does not count, on what gray: bright images stay clear
FRAMES = 4  # that are shown of a clip, at most


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a picture of examples of this shape over its width."""
    return shape[-2] / shape[-1] / (min(FRAMES, shape[1]) if len(shape) > 3 else 1)


def show(axes: Axes, x: Array, color: str | None = None, *, kept: Any = None, instead: Instead | None = None) -> None:
    """Draw an example, its samples as they are; those that are not `kept`, bool (*lengths), go pale; `color` frames it.

    Values between 0 and 1 are what they say; others are stretched.
    """
    picture = _picture(x, kept, instead)
    height, width = picture.shape[:2]
    axes.imshow(picture, interpolation="nearest", extent=(0, width, height, 0))
    axes.set(xticks=[], yticks=[])
    border(axes, color)


def thumbnail(x: Array) -> NDArray[np.uint8]:
    """Return an example as bytes of red, green and blue, (h, w, 3), without axes."""
    return np.asarray(np.rint(255 * _picture(x)), np.uint8)


def _picture(x: Array, kept: Any = None, instead: Instead | None = None) -> Array:
    """Return what `show` draws, (h, w, 3), from 0 to 1."""
    x = np.asarray(x, np.float32)
    low, high = (0.0, 1.0) if x.min() >= -0.5 and x.max() <= 1.5 else (x.min(), x.max())
    x = (x - low) / max(high - low, 1e-12)
    if kept is not None:
        x = np.where(kept, x, FAINT * x + (1 - FAINT) * GROUND)
    if instead is not None:
        x = np.where(instead[0], (instead[1] - low) / max(high - low, 1e-12), x)
    x = x[:3] if len(x) >= 3 else x.mean(axis=0, keepdims=True).repeat(3, axis=0)
    return np.stack([_frames(np.clip(channel, 0, 1), 1.0) for channel in x], axis=-1)


def mark(axes: Axes, flags: Flags, color: str) -> None:
    """Draw the edge of the samples (*lengths) that are flagged, with white under it: it shows on every ground."""
    edges = list(outline(_frames(flags, False)))
    for ink, line in (("white", 3.4), (color, 1.8)):
        axes.add_collection(LineCollection(edges, colors=ink, linewidths=line, capstyle="round", clip_on=False))


def write(axes: Axes, flags: Flags, text: str, color: str) -> None:
    """Write in the middle of the samples (*lengths) that are flagged; of a clip, in the first frame that has any."""
    y, x = np.nonzero(_frames(flags, False))
    y, x = (at[x < x.min() + flags.shape[-1]] for at in (y, x))
    box = {"facecolor": color, "edgecolor": "white", "pad": 1.0, "linewidth": 0.6}
    at = float(x.mean()) + 0.5, float(y.mean()) + 0.5
    axes.text(*at, text, fontsize=7, color="white", ha="center", va="center", bbox=box)


def boxes(flags: Flags) -> list[tuple[float, float, float, float]]:
    """Return left, top, right, bottom of the samples (*lengths) that are flagged, where `show` draws them.

    Of a clip, in each frame that is shown.

    >>> boxes(np.array([[False, True, True]])), len(boxes(np.ones((9, 2, 2), bool)))
    ([(1.0, 0.0, 3.0, 1.0)], 4)
    """
    number = 1 if flags.ndim == 2 else np.arange(1, len(flags) + 1)[:, None, None]  # of each frame
    numbers = _frames(flags * number, 0)
    found = [np.nonzero(numbers == k) for k in np.unique(numbers) if k]
    return [(float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)) for y, x in found]


def _frames(x: Array, gap: Any) -> Array:
    """Return an image (h, w) as it is, and frames (f, h, w) side by side, (h, w'), with a gap between them."""
    if x.ndim == 2:
        return x
    return plane(x[np.linspace(0, len(x) - 1, min(FRAMES, len(x))).round().astype(int)], 3, gap)


def outline(flags: Flags) -> NDArray[np.float64]:
    """Return the edges (S, 2, 2) between squares that are flagged and others, each from (x, y) to (x, y).

    >>> outline(np.array([[True]])).tolist()
    [[[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]]
    """
    padded = np.pad(flags, 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])  # horizontal ones: above row y, along column x
    flat = np.stack([np.stack([x, y], -1), np.stack([x + 1, y], -1)], 1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])  # upright ones: left of column x, along row y
    upright = np.stack([np.stack([x, y], -1), np.stack([x, y + 1], -1)], 1)
    return np.concatenate([flat, upright]).astype(np.float64)
