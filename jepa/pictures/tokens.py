"""Pictures of tokens: what is predicted behind masks, level by level, features as colors, neighbors of a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.canvas import Canvas
from jepa.pictures.projection import pca
from jepa.pictures.style import BLUE, GREEN, VERMILION, new_figure, note, over_grid

__all__ = ["plot_features", "plot_levels", "plot_neighbors", "plot_predictions"]

Array = NDArray[Any]
Level = Mapping[str, Array]
ACROSS = 8  # examples in a row of features, at most


def plot_predictions(canvas: Canvas, images: Array, seen: Array, level: Level) -> Figure:
    """Draw one row an example: as it is, what the context encoder sees, what true and predicted tokens say of the rest.

    images (n, *shape). seen bool (n, N): the patches of the context. level: "hidden" bool (n, *lengths), the samples
    that are predicted; "true" and "predicted" (n, *shape), decoded, which hold there alone.
    """
    titles = (
        "example",
        "seen by the\ncontext encoder",
        "hidden patches, from\ntrue tokens",
        "hidden patches,\npredicted",
    )
    figure, axes = canvas.sheet(len(images), titles)
    for n, row in enumerate(axes):
        kept, hidden = canvas.samples(seen[n]), level["hidden"][n]
        canvas.show(row[0], images[n])
        canvas.show(row[1], images[n], BLUE, kept=kept)
        canvas.compare(row[2], images[n], hidden, level["true"][n], kept, GREEN)
        canvas.compare(row[3], images[n], hidden, level["predicted"][n], kept, VERMILION)
    return figure


def plot_levels(canvas: Canvas, images: Array, levels: Sequence[Level]) -> Figure:
    """Draw what true and predicted tokens say of hidden groups of patches, two columns for each coarser level.

    levels: from groups of 2 patches along each axis on, each as in `plot_predictions`.
    """
    sides = [" x ".join([str(2**level)] * len(canvas.grid)) for level in range(1, len(levels) + 1)]
    titles = ("example", *(f"{k} patches,\n{which}" for k in sides for which in ("from true tokens", "predicted")))
    figure, axes = canvas.sheet(len(images), titles)
    for n, row in enumerate(axes):
        canvas.show(row[0], images[n])
        shown = [(level, which) for level in levels for which in (("true", GREEN), ("predicted", VERMILION))]
        for axis, (level, (name, color)) in zip(row[1:], shown, strict=True):
            where = level["hidden"][n]
            canvas.compare(axis, images[n], where, level[name][n], np.zeros_like(where), color)
    return figure


def plot_features(canvas: Canvas, images: Array, tokens: Array) -> Figure:
    """Draw examples (n, *shape), and their tokens' (n, N, d) first three principal components as red, green and blue.

    The components are those of all tokens shown together, so that one color means one thing; each runs from its 2nd to
    its 98th percentile.
    """
    across = 3 if canvas.wide else ACROSS
    images, tokens = images[: 2 * across], tokens[: 2 * across]
    n, count, d = tokens.shape
    coordinates, explained = pca(tokens.reshape(n * count, d), 3)
    low, high = np.percentile(coordinates, [2, 98], axis=0)
    colors = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1).reshape(n, *canvas.grid, 3)
    across = min(n, across)
    down, rank = -(-n // across), len(canvas.grid)
    heights = [1.0, 0.25 if rank == 1 else 1.0] * down
    figure = new_figure(sum(heights) * 9.0 / across * canvas.ratio * 1.1 + 0.5)
    axes = figure.subplots(2 * down, across, squeeze=False, height_ratios=heights)
    for axis in axes.reshape(-1):
        axis.axis("off")
    for k in range(n):
        above, below = axes[2 * (k // across), k % across], axes[2 * (k // across) + 1, k % across]
        above.axis("on")
        canvas.show(above, images[k])
        below.axis("on")
        over_grid(below, colors[k], rank)
    red, green, blue = (f"{100 * value:.0f} %" for value in explained)
    text = f"tokens by their principal components: red {red} of the variance, green {green}, blue {blue}"
    figure.suptitle(text, fontsize=10)
    return figure


def plot_neighbors(canvas: Canvas, images: Array, hidden: Array, neighbors: Array, cosines: Array) -> Figure:
    """Draw the training examples whose hidden patches are nearest to the predicted ones: what these are taken for.

    images (n, *shape); hidden bool (n, N): the patches that are predicted; neighbors (n, k, *shape); cosines (n, k).
    """
    count = min(neighbors.shape[1], 3 if canvas.wide else neighbors.shape[1])
    titles = ("example (pale: the\npredicted patches)", *(f"nearest {k + 1}" for k in range(count)))
    figure, axes = canvas.sheet(len(images), titles)
    for n, row in enumerate(axes):
        canvas.show(row[0], images[n], BLUE, kept=canvas.samples(~hidden[n]))
        for k, axis in enumerate(row[1:]):
            canvas.show(axis, neighbors[n, k], VERMILION)
            note(axis, f"cosine {cosines[n, k]:.2f}")
    return figure
