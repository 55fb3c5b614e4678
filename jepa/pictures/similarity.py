"""Does a prediction point at its own target, or at any target? The matrix of cosine similarities."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.style import GRAY, VERMILION, describe, legend, message, new_figure


def cosine_matrix(prediction: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of every prediction (n, d) with every target (m, d), (n, m); 0 where a row is all zero.

    >>> cosine_matrix(np.array([[2.0, 0.0]]), np.eye(2))
    array([[1., 0.]])
    """
    sides = [np.asarray(z, dtype=np.float64) for z in (prediction, target)]
    norms = [np.linalg.norm(z, axis=1, keepdims=True) for z in sides]
    p, t = (z / np.where(norm > 0, norm, 1) for z, norm in zip(sides, norms, strict=True))
    return np.asarray(p @ t.T)


def plot_similarity(prediction: NDArray[Any], target: NDArray[Any]) -> Figure:
    """Draw the cosines of n predicted embeddings (n, d) with the n true ones, and how the diagonal stands out.

    Left the matrix; right the distribution on and off its diagonal, with both means and the share of predictions whose
    own target is the most similar one.
    """
    count = len(prediction)
    figure = new_figure(4.3)
    if count < 2:
        return message(figure, "at least two examples are needed to compare")
    matrix = cosine_matrix(prediction, target)  # (n, n)
    own, others = np.diag(matrix), matrix[~np.eye(count, dtype=bool)]
    hits = float(np.mean(np.argmax(matrix, axis=1) == np.arange(count)))

    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1.0])
    low, high = min(0.0, float(matrix.min())), max(0.5, float(matrix.max()))  # all alike: evenly bright
    picture = left.imshow(matrix, cmap="cividis", vmin=low, vmax=high, interpolation="nearest")
    describe(left, "Cosine similarity", x="true target embedding of example", y="predicted embedding of example")
    left.grid(False)
    bar = figure.colorbar(picture, ax=left, shrink=0.9)
    bar.ax.set_title("cosine", fontsize=9)
    bar.ax.tick_params(labelsize=9)

    edges = np.linspace(float(matrix.min()), 1.0, 41) if matrix.min() < 1 else np.linspace(0.99, 1.0, 41)
    for values, color, name in ((others, GRAY, "other targets"), (own, VERMILION, "own target (diagonal)")):
        share, mean = np.full(len(values), 100 / len(values)), float(values.mean())
        right.hist(values, bins=list(edges), weights=share, color=color, alpha=0.65, label=f"{name}: mean {mean:.2f}")
        right.axvline(mean, color=color, linewidth=2, linestyle="--" if values is others else "-")
    title = f"Own target is the nearest: {100 * hits:.0f} %\n(by chance {100 / count:.1f} %)"
    describe(right, title, x="cosine of predicted and true embedding", y="% of pairs")
    right.set_ylim(top=right.get_ylim()[1] * 1.25)  # room for the legend
    legend(right, loc="upper left")
    return figure
