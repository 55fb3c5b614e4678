"""Texts as pictures: (1, length), words in lines, those that do not count in gray, those of a mask on color."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.textpath import TextPath
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jepa.pictures.image import Array, Flags, Instead
from jepa.pictures.style import BLACK, VERMILION, border

ACROSS, LINES = 40, 6  # characters in a line, and lines, of a picture; of a longer text the first ones
SHARES = 2, 1  # of a short text so many times fewer of both, and larger letters
WIDTH, HEIGHT = 0.6, 1.5  # of a character and of a line, in units of the letters' size
PALE = "#B4B4B4"
SMALL = 120, 60  # pixels of a thumbnail, width and height
LETTERS = FontProperties(family="monospace")
Box = tuple[float, float, float, float]


class Words:
    """Draws the texts of a source: see `jepa.pictures.image` for what the methods do.

    A word has as much room as it has letters, so that places lie where those of the text that was drawn last do.
    """

    def __init__(self, source: Any) -> None:
        self.vocabulary = source.vocabulary
        self.places: list[Box | None] = []
        """left, top, right, bottom of each word of the text that was drawn last; None: it is not drawn"""

    def ratio(self, shape: tuple[int, ...]) -> float:
        """Return the height of a panel over its width."""
        return LINES * HEIGHT / (ACROSS * WIDTH)

    def show(
        self, axes: Axes, x: Array, color: str | None = None, *, kept: Any = None, instead: Instead | None = None
    ) -> None:
        """Draw a text; what is not kept is gray, and what is drawn instead is in bold color."""
        tokens = np.asarray(x, np.float64)[0]
        shown = tokens if instead is None else np.where(instead[0], instead[1][0], tokens)
        words = [None if np.isnan(token) else self.vocabulary.word(round(float(token))) for token in shown]
        across, self.places = fitted(words)
        for k, (word, place) in enumerate(zip(words, self.places, strict=True)):
            if word is None or place is None:
                continue
            other = instead is not None and bool(instead[0][k])
            ink = VERMILION if other else BLACK if kept is None or kept[k] else PALE
            path = TextPath((place[0], -place[3] + 0.4), word.replace("$", r"\$"), size=1, prop=LETTERS)
            axes.add_patch(PathPatch(path, facecolor=ink, edgecolor=ink, linewidth=0.25 if other else 0))
        axes.set_xlim(-0.3, across * WIDTH + 0.3)
        axes.set_ylim(-LINES * HEIGHT * across / ACROSS - 0.2, 0.2)
        axes.set(xticks=[], yticks=[], aspect="equal")
        border(axes, color)

    def thumbnail(self, x: Array) -> NDArray[np.uint8]:
        """Return the first words as bytes of red, green and blue, (h, w, 3)."""
        sheet = Image.new("RGB", SMALL, "white")
        words = [self.vocabulary.word(int(token)) for token in np.asarray(x)[0] if not np.isnan(token)]
        lines, line = list[str](), ""
        for word in words:
            if line and len(line) + 1 + len(word) > SMALL[0] // 6:
                lines, line = [*lines, line], ""
            line = f"{line} {word}".strip()
        ImageDraw.Draw(sheet).multiline_text((2, 1), "\n".join([*lines, line][:5]), fill=BLACK, spacing=0, font_size=10)
        return np.asarray(sheet)

    def mark(self, axes: Axes, flags: Flags, color: str) -> None:
        """Lay a color under the words that are flagged."""
        for left, top, right, bottom in self._flagged(flags):
            area = (left - 0.15, -bottom), right - left + 0.3, bottom - top
            axes.add_patch(Rectangle(*area, facecolor=color, edgecolor="none", alpha=0.3, zorder=0))

    def write(self, axes: Axes, flags: Flags, text: str, color: str) -> None:
        """Write above the first word that is flagged."""
        for left, top, _, _ in self._flagged(flags)[:1]:
            box = {"facecolor": color, "edgecolor": "white", "pad": 0.6, "linewidth": 0.4}
            axes.text(left, -top, text, fontsize=5, color="white", ha="center", va="center", bbox=box)

    def boxes(self, flags: Flags) -> list[Box]:
        """Return left, top, right, bottom of the words that are flagged, together; nothing's is a point."""
        found = np.array(self._flagged(flags) or [(0.0, 0.0, 0.0, 0.0)])
        return [(*(float(v) for v in found.min(axis=0)[:2]), *(float(v) for v in found.max(axis=0)[2:]))]  # type: ignore[list-item]

    def _flagged(self, flags: Flags) -> list[Box]:
        return [place for place, flag in zip(self.places, flags, strict=True) if flag and place is not None]


def fitted(words: list[str | None]) -> tuple[int, list[Box | None]]:
    """Return the fewest characters in a line with which all words have room, at most 40, and where each lies then.

    >>> fitted(["a", "small", "red", "shape"])[0], fitted(["word"] * 20)[0]
    (20, 40)
    """
    for share in SHARES:
        across = ACROSS // share
        places = laid_out(words, across, LINES // share)
        wide = max((place[2] for place in places if place is not None), default=0.0) > across * WIDTH
        if not wide and all(place is not None for word, place in zip(words, places, strict=True) if word is not None):
            break
    return across, places


def laid_out(words: list[str | None], across: int = ACROSS, lines: int = LINES) -> list[Box | None]:
    """Return left, top, right, bottom of each word in lines of so many characters; None for those that have no room.

    >>> laid_out(["a", None, "b" * 39])
    [(0.0, 0.0, 0.6, 1.5), None, (0.0, 1.5, 23.4, 3.0)]
    """
    places, column, line = list[Box | None](), 0, 0
    for word in words:
        if word is None:
            places.append(None)
            continue
        if column and column + len(word) > across:
            column, line = 0, line + 1
        left, top = round(column * WIDTH, 6), line * HEIGHT
        box = left, top, round(left + len(word) * WIDTH, 6), top + HEIGHT
        places.append(box if line < lines else None)
        column += len(word) + 1
    return places
