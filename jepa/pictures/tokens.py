"""Pictures of tokens: what is predicted behind masks, level by level, features as colors, neighbors of a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.canvas import Canvas
from jepa.pictures.projection import pca
from jepa.pictures.style import BLUE, GREEN, VERMILION, new_figure, note, over_grid, sheet

Array = NDArray[Any]


def plot_predictions(
    canvas: Canvas, images: Array, levels: Sequence[Mapping[str, Array]], seen: Array | None = None
) -> Figure:
    """Draw one row an example: as it is, what is seen of it, and what true and predicted tokens say of the rest.

    images (n, *shape). levels: of each, "name", such as "hidden"; "hidden" bool (n, *lengths), the samples that are
    predicted; "true" and "predicted" (n, *shape), decoded, which hold there alone. seen bool (n, N): the patches of the
    context; None: that is not drawn.
    """
    sides = ("true", " from\ntrue tokens", GREEN), ("predicted", "\npredicted", VERMILION)
    drawn = [(level, *side) for level in levels for side in sides]
    first = ("example",) if seen is None else ("example", "seen by the\ncontext encoder")
    figure, axes = sheet(
        len(images), (*first, *(f"{e['name']} patches,{text}" for e, _, text, _ in drawn)), canvas.ratio
    )
    for n, row in enumerate(axes):
        kept = None if seen is None else canvas.samples(seen[n])
        canvas.show(row[0], images[n])
        if kept is not None:
            canvas.show(row[1], images[n], BLUE, kept=kept)
        for axis, (level, which, _, color) in zip(row[len(first) :], drawn, strict=True):
            canvas.compare(axis, images[n], level["hidden"][n], level[which][n], kept, color)
    return figure


def plot_features(canvas: Canvas, images: Array, tokens: Array) -> Figure:
    """Draw examples (n, *shape), and their tokens' (n, N, d) first three principal components as red, green and blue.

    The components are those of all tokens shown together, so that one color means one thing; each runs from its 2nd to
    its 98th percentile.
    """
    across = min(len(images), 3 if canvas.wide else 8)
    images, tokens, rank = images[: 2 * across], tokens[: 2 * across], len(canvas.grid)
    coordinates, explained = pca(tokens.reshape(-1, tokens.shape[2]), 3)
    low, high = np.percentile(coordinates, [2, 98], axis=0)
    colors = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1).reshape(-1, *canvas.grid, 3)
    heights = [1.0, 0.25 if rank == 1 else 1.0] * -(-len(images) // across)
    figure = new_figure(sum(heights) * 9.0 / across * canvas.ratio * 1.1 + 0.5)
    axes = figure.subplots(len(heights), across, squeeze=False, height_ratios=heights)
    for axis in axes.reshape(-1):
        axis.axis("off")
    for k, image in enumerate(images):
        above, below = (axes[2 * (k // across) + i, k % across] for i in range(2))
        above.axis("on")
        canvas.show(above, image)
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
    shown = range(min(neighbors.shape[1], 3 if canvas.wide else 5))
    titles = ("example (pale: the\npredicted patches)", *(f"nearest {k + 1}" for k in shown))
    figure, axes = sheet(len(images), titles, canvas.ratio)
    for n, row in enumerate(axes):
        canvas.show(row[0], images[n], BLUE, kept=canvas.samples(~hidden[n]))
        for k, axis in zip(shown, row[1:], strict=True):
            canvas.show(axis, neighbors[n, k], VERMILION)
            note(axis, f"cosine {cosines[n, k]:.2f}")
    return figure
