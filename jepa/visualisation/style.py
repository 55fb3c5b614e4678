"""The one look of all pictures: figures without pyplot, a palette that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.files.atomic import replacing
from jepa.files.mark import PROGRAM
from jepa.text import printable, shortened

# The first seven are from Okabe & Ito 2008, "Color Universal Design" (without its yellow, which is faint on white), the
# next two from Paul Tol's muted scheme.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK, WINE, OLIVE, GREY = PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#882255", "#999933", "#767676",
)  # fmt: skip
MARKERS = "os^Dv*PX<>"
"""A second sign beside the colour, so that no picture depends on colour alone."""

WIDTH = 9.0
"""Inches; shown 900 pixels wide, a 10-point letter is then 14 pixels high."""
DPI = 150


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """An empty figure with an Agg canvas; it needs no display and no global state."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def named(name: str) -> str:
    r"""The name of a class or file as matplotlib shows it letter by letter, and not as a formula or not at all.

    >>> print(named("$100$"), named("_hidden"))
    \$100\$  _hidden
    """
    text = shortened(printable(name), 60).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # a legend leaves out what begins with "_"


def describe(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    """Title and axis labels, a faint grid, and no frame where it carries nothing."""
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)
    axes.tick_params(labelsize=9)
    axes.grid(True, color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend(axes: Axes, **settings: Any) -> None:
    """A legend, if there is anything to tell apart."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=9, frameon=True, framealpha=0.9, edgecolor="#D0D0D0", **settings)


def show_image(axes: Axes, image: NDArray[Any], title: str = "", *, colour: str | None = None) -> None:
    """Draw an image (C, H, W) in [0, 1], C = 1 or 3, its pixels as they are; `colour` frames it."""
    picture = np.clip(np.asarray(image, dtype=np.float32), 0, 1).transpose(1, 2, 0)  # (H, W, C)
    if picture.shape[2] == 1:
        picture = picture.repeat(3, axis=2)
    height, width = picture.shape[:2]
    axes.imshow(picture, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    for spine in axes.spines.values():
        spine.set_color(colour or "#B0B0B0")
        spine.set_linewidth(2.5 if colour else 0.8)


def panels(count: int, titles: Sequence[str]) -> tuple[Figure, NDArray[Any]]:
    """A figure of `count` rows of square panels, with titles above the first: the axes are (count, len(titles))."""
    side = min(WIDTH / len(titles), 2.0)
    figure = new_figure(count * (side + 0.25) + 0.5, width=max(side * len(titles), 6.0))
    axes = figure.subplots(count, len(titles), squeeze=False)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.reshape(-1):
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def message(figure: Figure, text: str) -> Figure:
    """A figure that says why there is nothing to see."""
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, color=GREY, wrap=True)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": PROGRAM})
    return Path(path)
