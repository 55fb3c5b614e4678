"""How examples of a source are drawn, and where the places of an encoder's grid lie in them."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from jepa.contracts import Grid
from jepa.errors import DataError
from jepa.evaluation.patches import Starts, spread, starts
from jepa.pictures.style import note

Array = NDArray[Any]
Flags = NDArray[np.bool_]


class Canvas(NamedTuple):
    """A source's module of pictures (see `jepa.pictures.image`), and a grid over its examples."""

    draw: Any
    """the module"""
    shape: tuple[int, ...]
    """of an example"""
    grid: Grid
    """places along each axis"""

    @property
    def ratio(self) -> float:
        """Height of a picture over its width."""
        return float(self.draw.ratio(self.shape))

    @property
    def wide(self) -> bool:
        """Whether a picture is so much wider than high that few fit side by side."""
        return self.ratio < 0.45

    def at(self, group: int = 1) -> Starts:
        """Return where the places begin, or groups of so many along each axis."""
        return starts(self.shape[1:], self.grid, group)

    def samples(self, flags: Array) -> Flags:
        """Return which samples lie in the places that are flagged: (..., N) -> (..., *lengths)."""
        return spread(flags, self.at(), self.shape[1:])

    def show(self, axes: Axes, x: Array, color: str | None = None, **changed: Any) -> None:
        """Draw an example; see `jepa.pictures.image.show`."""
        self.draw.show(axes, x, "", color, **changed)

    def compare(self, axes: Axes, x: Array, where: Flags, values: Array, kept: Flags | None, color: str) -> None:
        """Draw an example with other values where samples are flagged, and write how far off those are.

        The error is the mean of |value - sample|, in % of the range that pixels have, or that the example has.
        """
        kept = np.zeros_like(where) if kept is None else kept
        self.show(axes, x, color, kept=kept, instead=(where, values))
        span = 1.0 if 0 <= x.min() and x.max() <= 1 else max(float(np.ptp(x)), 1e-12)
        error = float(np.abs(values - x)[:, where].mean()) / span if where.any() else 0.0
        note(axes, f"error {100 * error:.1f} %")


def canvas(source: Any, grid: Grid) -> Canvas:
    """Return the canvas of a source and an encoder's grid; DataError if that is over other axes than an example's."""
    if len(grid) != len(source.shape) - 1:
        raise DataError(
            f"examples of {source.shape} have other axes than the encoder's grid of {grid}: places cannot be drawn"
        )
    return Canvas(importlib.import_module(source.pictures), source.shape, grid)
