"""A look at the embeddings in the plane, colored by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.projection import METHODS, pca, project
from jepa.pictures.style import BLUE, MARKERS, PALETTE, describe, message, named, new_figure

MOST = 10  # classes that get a color and a sign of their own


def plot_embedding(
    embeddings: NDArray[Any],
    labels: NDArray[Any] | None = None,
    classes: Sequence[str] | None = None,
    *,
    method: str = "pca",
) -> Figure:
    """Draw embeddings (n, d) as points in the plane.

    labels (n,): the class of each, -1 for none; None: all points look alike. classes: their names; the ten most
    frequent ones are told apart, the others are gray. method: "pca", "tsne" or "umap" (`project`).
    """
    figure = new_figure(5.4)
    if len(embeddings) < 3:
        return message(figure, "at least three examples are needed for a picture of the embeddings")
    points = project(embeddings, method)
    axes = figure.subplots()
    look: dict[str, Any] = {"s": 22, "alpha": 0.75, "linewidths": 0.3, "edgecolors": "white"}
    if labels is None:
        axes.scatter(*points.T, color=BLUE, **look)
    else:
        found, counts = np.unique(labels, return_counts=True)
        shown = sorted(found[np.argsort(-counts, kind="stable")][:MOST])
        rest = ~np.isin(labels, shown)
        if rest.any():
            axes.scatter(*points[rest].T, color="#C8C8C8", label=f"{len(found) - MOST} others", **look)
        for place, label in enumerate(shown):
            name = classes[label] if classes is not None and 0 <= label < len(classes) else str(label)
            style: dict[str, Any] = {"color": PALETTE[place], "marker": MARKERS[place]}
            axes.scatter(points[labels == label, 0], points[labels == label, 1], label=named(name), **style, **look)
        at: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "markerscale": 1.4}
        axes.legend(title="class", fontsize=9, title_fontsize=9, frameon=False, **at)
    share = [f"{METHODS[method]} {axis + 1}" for axis in range(2)]
    if method == "pca":
        shares = pca(embeddings)[1]
        share = [f"principal component {axis + 1} ({100 * shares[axis]:.1f} % of the variance)" for axis in range(2)]
    axes.set_aspect("equal", adjustable="datalim")
    describe(axes, f"{len(embeddings):,} embeddings in two dimensions", x=share[0], y=share[1])
    return figure
