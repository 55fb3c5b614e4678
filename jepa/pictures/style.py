"""The one look of all pictures: figures without pyplot, a palette that color-blind readers can tell apart."""

import importlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from jepa.files.atomic import replacing
from jepa.files.mark import PROGRAM
from jepa.text import printable, shortened

# The first seven are from Okabe & Ito 2008, "Color Universal Design" (without its yellow, which is faint on white), the
# next two from Paul Tol's muted scheme.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK, WINE, OLIVE, GRAY = PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#882255", "#999933", "#767676",
)  # fmt: skip
TARGETS = (VERMILION, ORANGE, GREEN, PURPLE, SKY) * 13  # of as many as a task may have
MARKERS = "os^Dv*PX<>"  # a second sign beside the color, so that no picture depends on color alone
WIDTH = 9.0  # inches; shown 900 pixels wide, a 10-point letter is then 14 pixels high
WIDEST = 2.0  # inches of a panel, at most
DPI = 150


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure with an Agg canvas; it needs no display and no global state."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def named(name: str) -> str:
    r"""Return the name of a class or file as matplotlib shows it letter by letter, and not as a formula or not at all.

    >>> print(named("$100$"), named("_hidden"))
    \$100\$  _hidden
    """
    text = shortened(printable(name), 60).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # a legend leaves out what begins with "_"


def drawing(source: Any) -> Any:
    """Return what draws a source's examples: a module, MODULE, or what a class of it makes of the source, MODULE:CLASS.

    The second where a picture needs to know more than an example has: the words of tokens, the Hz of bands.
    """
    module, _, name = source.pictures.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name)(source) if name else found


def describe(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    """Set title and axis labels, a faint grid, and no frame where it carries nothing."""
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)
    axes.tick_params(labelsize=9)
    axes.grid(True, color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend(axes: Axes, **settings: Any) -> None:
    """Add a legend, if there is anything to tell apart."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=9, frameon=True, framealpha=0.9, edgecolor="#D0D0D0", **settings)


def border(axes: Axes, color: str | None) -> None:
    """Give a panel its border: thick and of a color, or thin and pale."""
    for spine in axes.spines.values():
        spine.set_color(color or "#B0B0B0")
        spine.set_linewidth(2.5 if color else 0.8)


def note(axes: Axes, text: str) -> None:
    """Write a line below a panel, under the label of its axis if it has one."""
    axes.set_xlabel("\n".join(filter(None, [axes.get_xlabel(), text])), fontsize=8)


def sheet(count: int, titles: Sequence[str], ratio: float = 1.0) -> tuple[Figure, NDArray[Any]]:
    """Return a figure of rows of panels of height : width = ratio, and its axes (count, len(titles))."""
    across, below = min(WIDTH / len(titles), WIDEST if ratio >= 0.45 else 1.5 * WIDEST), 0.25 if ratio >= 0.45 else 0.4
    figure = new_figure(count * (across * ratio + below) + 0.5, width=max(across * len(titles), 6.0))
    return figure, rows(figure, count, titles)


def rows(figure: Figure | SubFigure, count: int, titles: Sequence[str]) -> NDArray[Any]:
    """Return empty panels of a figure, (count, len(titles)), with titles above the first row."""
    axes = figure.subplots(count, len(titles), squeeze=False)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    for axis in axes.reshape(-1):
        axis.set(xticks=[], yticks=[])
    return axes


def plane(x: NDArray[Any], rank: int, gap: Any = np.nan) -> NDArray[Any]:
    """Return values on a grid as a plane: (N, ...) as one row, (rows, columns, ...), or frames side by side.

    >>> plane(np.zeros((3, 2, 4)), 3).shape, plane(np.zeros((5, 3)), 1).shape
    ((2, 14), (1, 5, 3))
    """
    if rank < 3:
        return x[None] if rank == 1 else x
    x = x.reshape(-1, *x.shape[rank - 2 :])  # all leading axes are frames
    line = np.full((x.shape[1], max(1, round(x.shape[2] / 16)), *x.shape[3:]), gap, np.result_type(x, type(gap)))
    return np.concatenate([piece for frame in x for piece in (line, frame)][1:], axis=1)


def over_grid(axes: Axes, values: NDArray[Any], rank: int, **look: Any) -> Any:
    """Draw a number of each place of a grid, (*grid), or its color, (*grid, 3)."""
    axes.set(xticks=[], yticks=[])
    aspect: Any = "auto" if rank == 1 else "equal"
    return axes.imshow(plane(values, rank, 1.0 if values.ndim > rank else np.nan), aspect=aspect, **look)


def message(figure: Figure, text: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, color=GRAY, wrap=True)
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    with BytesIO() as stream:
        figure.savefig(stream, format="png", metadata={"Software": PROGRAM})
        return stream.getvalue()


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(png(figure))
    return Path(path)
