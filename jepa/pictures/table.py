"""Rows of tables as pictures: (channels, columns), a bar for each column. See `image` for what the functions do.

A column of numbers is its standardized value; a column of words has the color of its word's channel, and the height 1.
What is missing has no bar.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jepa.pictures.image import Array, Instead
from jepa.pictures.line import boxes, mark, write
from jepa.pictures.style import PALETTE, border

__all__ = ["boxes", "mark", "ratio", "show", "thumbnail", "write"]
SMALL = 96, 40  # pixels of a thumbnail, width and height
HIGHEST = 3.0  # deviations from the mean: what is farther is cut off


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a panel over its width."""
    return 0.42


def show(axes: Axes, x: Array, color: str | None = None, *, kept: Any = None, instead: Instead | None = None) -> None:
    """Draw a row; columns that are not kept are faint and shaded, and what is drawn instead has an edge."""
    heights, inks = _bars(x)
    flags, values = (np.zeros(len(heights), bool), x) if instead is None else instead
    shown = ~flags if kept is None else kept & ~flags
    across = np.arange(len(heights))
    for k in across:
        axes.bar(k, heights[k], 0.8, color=inks[k], alpha=0.9 if shown[k] else 0.25, linewidth=0)
    for k, height, ink in zip(across, *_bars(values), strict=True):
        if flags[k]:
            axes.bar(k, height, 0.8, color=ink, edgecolor="black", linewidth=0.9)
    for k in across[~shown & ~flags]:
        axes.axvspan(k - 0.5, k + 0.5, color="#000000", alpha=0.06, linewidth=0)
    axes.axhline(0, color="#808080", linewidth=0.5)
    axes.set(xlim=(-0.6, len(across) - 0.4), ylim=(-HIGHEST - 0.2, HIGHEST + 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=7)
    border(axes, color)
    place = axes.get_subplotspec()
    if place is None or place.is_last_row():
        axes.set_xlabel("column", fontsize=8)
    if place is None or place.is_first_col():
        axes.set_ylabel("deviations", fontsize=8)


def thumbnail(x: Array) -> NDArray[np.uint8]:
    """Return a row as bytes of red, green and blue, (h, w, 3): its bars alone."""
    heights, inks = _bars(x)
    width, height = (4 * side for side in SMALL)  # drawn larger, so that the edges are smooth
    sheet = Image.new("RGB", (width, height), "white")
    pen, step = ImageDraw.Draw(sheet), width / len(heights)
    for k, (value, ink) in enumerate(zip(np.nan_to_num(heights), inks, strict=True)):
        ends = sorted((height / 2, height / 2 * (1 - value / HIGHEST)))
        pen.rectangle((step * (k + 0.1), ends[0], step * (k + 0.9), ends[1]), fill=ink)
    return np.asarray(sheet.resize(SMALL, Image.Resampling.BOX))


def _bars(x: Array) -> tuple[NDArray[np.float32], list[str]]:
    """Return the height of each column's bar, cut off, and its color: those of the channel that says most."""
    x = np.atleast_2d(np.asarray(x, np.float32))
    most = np.abs(np.nan_to_num(x)).argmax(axis=0)
    heights = np.clip(x[most, np.arange(x.shape[1])], -HIGHEST, HIGHEST)
    return heights, [PALETTE[k % len(PALETTE)] for k in most.tolist()]
