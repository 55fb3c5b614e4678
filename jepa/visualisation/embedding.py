"""A look at the embeddings in the plane: their first two principal components, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.visualisation.style import BLUE, MARKERS, PALETTE, describe, message, new_figure

_MOST = 10  # classes that get a colour and a sign of their own


def pca(z: NDArray[Any], components: int = 2) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates on the first principal components, and the share of the variance along each.

    Parameters
    ----------
    z : float array (N, D)
    components : int
        At most min(N, D) are non-zero; the rest are filled with zeros.

    Returns
    -------
    coordinates : float64 array (N, components)
        The sign of each component is such that its largest coordinate is positive.
    explained : float64 array (components,)
        Fractions of the total variance.

    Examples
    --------
    >>> coordinates, explained = pca(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    >>> explained
    array([0.8, 0.2])
    """
    centred = np.asarray(z, dtype=np.float64) - np.mean(z, axis=0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)  # (N, R), (R,)
    found = min(components, len(s))
    coordinates = np.zeros((len(centred), components))
    coordinates[:, :found] = u[:, :found] * s[:found]
    extreme = coordinates[np.argmax(np.abs(coordinates), axis=0), np.arange(components)]
    explained = np.zeros(components)
    explained[:found] = s[:found] ** 2 / max(float(np.sum(s**2)), 1e-300)
    return coordinates * np.where(extreme < 0, -1, 1), explained


def plot_embedding(
    embeddings: NDArray[Any], labels: NDArray[Any] | None = None, classes: Sequence[str] | None = None
) -> Figure:
    """Scatter plot of the first two principal components.

    Parameters
    ----------
    embeddings : float array (N, D)
    labels : int array (N,), optional
        Class of each row; without it all points look alike.
    classes : sequence of str, optional
        Name of each class. The ten most frequent ones are told apart, the others are grey.

    Returns
    -------
    Figure
    """
    figure = new_figure(5.4)
    if len(embeddings) < 3:
        return message(figure, "at least three images are needed for a picture of the embeddings")
    points, explained = pca(embeddings)
    axes = figure.subplots()
    look: dict[str, Any] = {"s": 22, "alpha": 0.75, "linewidths": 0.3, "edgecolors": "white"}
    if labels is None:
        axes.scatter(points[:, 0], points[:, 1], color=BLUE, **look)
    else:
        found, counts = np.unique(labels, return_counts=True)
        shown = sorted(found[np.argsort(-counts, kind="stable")][:_MOST])
        rest = ~np.isin(labels, shown)
        if rest.any():
            axes.scatter(
                points[rest, 0], points[rest, 1], color="#C8C8C8", label=f"{len(found) - _MOST} others", **look
            )
        for place, label in enumerate(shown):
            name = classes[label] if classes is not None and 0 <= label < len(classes) else str(label)
            style: dict[str, Any] = {"color": PALETTE[place], "marker": MARKERS[place]}
            axes.scatter(points[labels == label, 0], points[labels == label, 1], label=name, **style, **look)
        axes.legend(
            title="class",
            fontsize=9,
            title_fontsize=9,
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            markerscale=1.4,
        )
    share = [f"principal component {axis + 1} ({100 * explained[axis]:.1f} % of the variance)" for axis in range(2)]
    axes.set_aspect("equal", adjustable="datalim")
    title = f"{len(embeddings):,} embeddings in two dimensions"
    describe(axes, title, x=share[0], y=share[1])
    return figure
