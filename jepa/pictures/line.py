"""Series as pictures: (c, t), a line for each channel. See `image` for what the functions do."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from jepa.pictures.style import BLACK, PALETTE, frame

__all__ = ["mark", "ratio", "show", "write"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]
CHANNELS = 6  # that are drawn, at most


def ratio(shape: tuple[int, ...]) -> float:
    """Return the height of a panel over its width."""
    return 0.55


def show(
    axes: Axes,
    example: Array,
    title: str = "",
    color: str | None = None,
    *,
    kept: Flags | None = None,
    instead: tuple[Flags, Array] | None = None,
) -> None:
    """Draw a series; what is not kept is thin and shaded, and what is drawn instead is thick."""
    x = np.atleast_2d(np.asarray(example, np.float32))
    shown, t = x[:CHANNELS], np.arange(x.shape[-1])
    flags, values = (np.zeros(len(t), bool), x) if instead is None else instead
    for k, channel in enumerate(shown):
        ink = PALETTE[k] if len(shown) > 1 else BLACK
        if kept is not None:
            axes.plot(t, channel, color=ink, linewidth=0.8, alpha=0.3)
        axes.plot(t, channel if kept is None else _only(channel, kept & ~flags), color=ink, linewidth=1.1, label=str(k))
        if instead is not None:
            axes.plot(t, _only(np.atleast_2d(values)[k], flags), color=ink, linewidth=1.8)
    if kept is not None:
        _span(axes, ~kept & ~flags, color="#000000", alpha=0.06, linewidth=0)
    _scale(axes, shown, np.atleast_2d(values)[:CHANNELS][:, flags])
    frame(axes, color)
    if title:
        axes.set_title(title, fontsize=10)
    where = axes.get_subplotspec()
    if where is None or where.is_last_row():
        axes.set_xlabel("sample", fontsize=8)
    if where is None or where.is_first_col():
        axes.set_ylabel("value", fontsize=8)
        if len(shown) > 1 and (where is None or where.is_first_row()):
            rest = f" (first {CHANNELS} of {len(x)})" if len(x) > CHANNELS else ""
            axes.legend(title=f"channel{rest}", fontsize=6, title_fontsize=6, ncols=len(shown), loc="upper left")


def mark(axes: Axes, flags: Flags, color: str) -> None:
    """Shade the samples (t,) that are flagged."""
    _span(axes, flags, facecolor=color, edgecolor=color, alpha=0.22, linewidth=0.8)


def write(axes: Axes, flags: Flags, text: str, color: str) -> None:
    """Write above the samples (t,) that are flagged."""
    box = {"facecolor": color, "edgecolor": "white", "pad": 1.0, "linewidth": 0.6}
    at = float(np.flatnonzero(flags).mean()), 0.94
    axes.text(
        *at, text, fontsize=7, color="white", ha="center", va="top", bbox=box, transform=axes.get_xaxis_transform()
    )


def _only(y: Array, flags: Flags) -> Array:
    """Return the values that are flagged; a line has a gap elsewhere."""
    return np.where(flags, y, np.nan)


def _span(axes: Axes, flags: Flags, **look: Any) -> None:
    edges = np.flatnonzero(np.diff(np.pad(flags, 1).astype(np.int8)))
    for first, behind in edges.reshape(-1, 2):
        axes.axvspan(first - 0.5, behind - 0.5, **look)


def _scale(axes: Axes, *values: Array) -> None:
    """Leave room around the values, and few ticks."""
    found = np.concatenate([v.reshape(-1) for v in values])
    found = found[np.isfinite(found)] if np.isfinite(found).any() else np.zeros(1)
    room = 0.08 * float(np.ptp(found)) or 1.0
    axes.set_ylim(float(found.min()) - room, float(found.max()) + 2.5 * room)
    axes.set_xlim(-0.5, values[0].shape[-1] - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=7)
