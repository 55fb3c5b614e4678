"""Series as pictures: (c, t), a line for each channel. See `image` for what the functions do."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jepa.pictures.image import Array, Flags, Instead
from jepa.pictures.style import BLACK, PALETTE, border

CHANNELS = 6  # that are drawn, at most
SMALL = 96, 40  # pixels of a thumbnail, width and height


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a panel over its width."""
    return 0.42


def show(axes: Axes, x: Array, color: str | None = None, *, kept: Any = None, instead: Instead | None = None) -> None:
    """Draw a series; what is not kept is faint and shaded, what is drawn instead is thick, what is missing hatched."""
    x = np.atleast_2d(np.asarray(x, np.float32))
    t, shown = np.arange(x.shape[1]), x[:CHANNELS]
    flags, values = (np.zeros(len(t), bool), x) if instead is None else instead
    drawn = ~flags if kept is None else kept & ~flags
    for k, y in enumerate(shown):
        ink = PALETTE[k] if len(shown) > 1 else BLACK
        axes.plot(t, y, color=ink, linewidth=0.8, alpha=0.3)
        axes.plot(t, np.where(drawn, y, np.nan), color=ink, linewidth=1.1, label=str(k))
        axes.plot(t, np.where(flags, values[k], np.nan), color=ink, linewidth=1.8)
    _span(axes, ~drawn & ~flags, color="#000000", alpha=0.06, linewidth=0)
    found = np.concatenate([shown, np.where(flags, values[: len(shown)], shown)])
    there = found[~np.isnan(found)] if np.isnan(found).any() else found
    low, high = (float(v) for v in (there.min(), there.max())) if there.size else (0.0, 1.0)
    _span(
        axes, np.asarray(np.isnan(shown).all(axis=0)), facecolor="none", edgecolor="#B0B0B0", hatch="////", linewidth=0
    )
    axes.set_ylim(low - 0.08 * (high - low or 1), high + 0.2 * (high - low or 1))
    axes.set_xlim(-0.5, len(t) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=7)
    border(axes, color)
    _label(axes, len(shown), len(x))


def thumbnail(x: Array) -> NDArray[np.uint8]:
    """Return a series as bytes of red, green and blue, (h, w, 3): its lines alone, from its lowest to its highest."""
    x = _joined(np.atleast_2d(np.asarray(x, np.float32))[:CHANNELS])
    width, height = (2 * side for side in SMALL)  # drawn larger, so that the lines are smooth
    sheet = Image.new("RGB", (width, height), "white")
    across = np.linspace(4, width - 4, x.shape[1])
    down = 4 + (height - 8) * (x.max() - x) / max(float(np.ptp(x)), 1e-12)
    for k, y in enumerate(down):
        line = np.stack([across, y], axis=1).reshape(-1).tolist()
        ImageDraw.Draw(sheet).line(line, PALETTE[k] if len(x) > 1 else BLACK, width=3)
    return np.asarray(sheet.resize(SMALL, Image.Resampling.BOX))


def _joined(x: Array) -> Array:
    """Return channels (c, t) with straight lines over what is missing, and 0 for one that is not there at all."""
    if not np.isnan(x).any():
        return x
    t, y = np.arange(x.shape[1]), np.zeros_like(x)
    for row, values in zip(y, x, strict=True):
        there = np.flatnonzero(~np.isnan(values))
        row[:] = np.interp(t, there, values[there]) if len(there) else 0
    return y


def mark(axes: Axes, flags: Flags, color: str) -> None:
    """Shade the samples (t,) that are flagged."""
    _span(axes, flags, facecolor=color, edgecolor=color, alpha=0.22, linewidth=0.8)


def write(axes: Axes, flags: Flags, text: str, color: str) -> None:
    """Write above the samples (t,) that are flagged."""
    box = {"facecolor": color, "edgecolor": "white", "pad": 1.0, "linewidth": 0.6}
    at: dict[str, Any] = {"ha": "center", "va": "top", "transform": axes.get_xaxis_transform()}
    axes.text(float(np.flatnonzero(flags).mean()), 0.96, text, fontsize=7, color="white", bbox=box, **at)


def boxes(flags: Flags) -> list[tuple[float, float, float, float]]:
    """Return left, top, right, bottom of the samples (t,) that are flagged: all of the panel's height.

    >>> boxes(np.array([False, True, True]))
    [(0.5, -inf, 2.5, inf)]
    """
    first, last = np.flatnonzero(flags)[[0, -1]]
    return [(float(first) - 0.5, -np.inf, float(last) + 0.5, np.inf)]


def _span(axes: Axes, flags: Flags, **look: Any) -> None:
    for first, behind in np.flatnonzero(np.diff(np.pad(flags, 1).astype(np.int8))).reshape(-1, 2):
        axes.axvspan(first - 0.5, behind - 0.5, **look)


def _label(axes: Axes, shown: int, channels: int) -> None:
    """Say what the axes are, at the border of a sheet of panels, and below it which line is which channel."""
    place = axes.get_subplotspec()
    if place is None or place.is_last_row():
        axes.set_xlabel("sample", fontsize=8)
    if place is None or place.is_first_col():
        axes.set_ylabel("value", fontsize=8)
    if shown > 1 and (place is None or (place.is_first_row() and place.is_first_col())):
        title = "channel" + (f" (first {shown} of {channels})" if channels > shown else "")
        lines = axes.get_legend_handles_labels()
        look: dict[str, Any] = {"fontsize": 8, "title_fontsize": 8, "ncols": shown, "frameon": False}
        axes.figure.legend(*lines, loc="outside lower center", title=title, **look)
