"""Spectrograms as pictures: (1, bands, frames), the lowest band at the bottom, with seconds and Hz at the sides."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from jepa.pictures.image import FAINT, GROUND, Array, Flags, Instead, outline
from jepa.pictures.style import border

LOW, HIGH = -2.5, 2.5  # between which the colors run, in deviations of a standardized example
PITCHES = (100, 250, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz that are written at the side, those that are there
COLORS = colormaps["magma"]


class Spectrogram:
    """Draws the spectrograms of a source, which knows its bands and frames (`Sound.axes`).

    See `jepa.pictures.image` for what the methods do.
    """

    def __init__(self, source: Any) -> None:
        self.centers, self.middles = source.axes

    def ratio(self, shape: tuple[int, ...]) -> float:
        """Return the height of a panel over its width."""
        return 0.62

    def show(
        self, axes: Axes, x: Array, color: str | None = None, *, kept: Any = None, instead: Instead | None = None
    ) -> None:
        """Draw a spectrogram; what is not kept goes pale, and `instead` stands in another's place."""
        x = np.asarray(x, np.float32)
        picture = _colored(x if instead is None else np.where(instead[0], instead[1], x))
        if kept is not None:
            shown = np.asarray(kept) if instead is None else kept | instead[0]
            picture = np.where(shown[:, :, None], picture, FAINT * picture + (1 - FAINT) * GROUND)
        bands, frames = picture.shape[:2]
        axes.imshow(picture, interpolation="nearest", extent=(0, frames, 0, bands), origin="lower", aspect="auto")
        self._ticks(axes, bands, frames)
        border(axes, color)

    def _ticks(self, axes: Axes, bands: int, frames: int) -> None:
        """Write seconds below and Hz at the left; what they are only at the border of a sheet of panels."""
        step, start = self.middles[1] - self.middles[0] if len(self.middles) > 1 else 1.0, self.middles[0]
        seconds = np.array([0.2, 0.4, 0.6]) if frames * step < 1 else np.arange(1, 60) * max(1, frames * step // 4)
        at = (seconds - start) / step + 0.5
        there = (at > 0) & (at < frames)
        axes.set_xticks(at[there], [f"{s:g}" for s in seconds[there]])
        pitches = [p for p in PITCHES if self.centers[0] < p < self.centers[-1]]
        axes.set_yticks(np.interp(pitches, self.centers, np.arange(bands) + 0.5)[::2], [str(p) for p in pitches[::2]])
        axes.tick_params(labelsize=6, length=2, pad=1)
        place = axes.get_subplotspec()
        if place is None or place.is_last_row():
            axes.set_xlabel("s", fontsize=7, labelpad=1)
        if place is None or place.is_first_col():
            axes.set_ylabel("Hz", fontsize=7, labelpad=1)

    def thumbnail(self, x: Array) -> NDArray[np.uint8]:
        """Return a spectrogram as bytes of red, green and blue, (bands, frames, 3)."""
        return np.asarray(np.rint(255 * _colored(np.asarray(x, np.float32))[::-1]), np.uint8)

    def mark(self, axes: Axes, flags: Flags, color: str) -> None:
        """Draw the edge of what is flagged, (bands, frames)."""
        edges = list(outline(flags))
        for ink, line in (("white", 3.0), (color, 1.6)):
            axes.add_collection(LineCollection(edges, colors=ink, linewidths=line, capstyle="round", clip_on=False))

    def write(self, axes: Axes, flags: Flags, text: str, color: str) -> None:
        """Write in the middle of what is flagged."""
        y, x = np.nonzero(flags)
        box = {"facecolor": color, "edgecolor": "white", "pad": 1.0, "linewidth": 0.6}
        at = float(x.mean()) + 0.5, float(y.mean()) + 0.5
        axes.text(*at, text, fontsize=7, color="white", ha="center", va="center", bbox=box)

    def boxes(self, flags: Flags) -> list[tuple[float, float, float, float]]:
        """Return left, bottom, right, top of what is flagged, as `show` draws it."""
        y, x = np.nonzero(flags)
        return [(float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))]


def _colored(x: Array) -> Array:
    """Return the first channel in color, (bands, frames, 3); from lowest to highest if it is not standardized."""
    low, high = (LOW, HIGH) if abs(float(x.mean())) < 2 and float(x.std()) < 2 else (float(x.min()), float(x.max()))
    return np.asarray(COLORS(np.clip((x[0] - low) / max(high - low, 1e-12), 0, 1))[..., :3])
