"""Embeddings in the plane, and whether a prediction points at its own target: by cosines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.errors import JEPAError
from jepa.health import unit
from jepa.pictures.style import (
    BLUE,
    GRAY,
    MARKERS,
    PALETTE,
    VERMILION,
    describe,
    legend,
    message,
    named,
    new_figure,
)  # fmt: skip

METHODS = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}
LARGEST = 50  # directions that t-SNE and UMAP start from
MOST = 10  # classes that get a color and a sign of their own
Points = NDArray[np.float64]


def pca(z: NDArray[Any], components: int = 2) -> tuple[Points, Points]:
    """Return coordinates on the first principal components, and the share of the variance along each.

    (n, d) -> (n, components) and (components,); at most min(n, d) are non-zero. The sign of each component is such that
    its largest coordinate is positive.

    >>> pca(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))[1]
    array([0.8, 0.2])
    """
    u, s, _ = np.linalg.svd(z - np.mean(z, axis=0, dtype=np.float64), full_matrices=False)  # (n, r), (r,)
    found = min(components, len(s))
    coordinates, explained = np.zeros((len(z), components)), np.zeros(components)
    coordinates[:, :found] = u[:, :found] * s[:found]
    extreme = coordinates[np.argmax(np.abs(coordinates), axis=0), np.arange(components)]
    explained[:found] = s[:found] ** 2 / max(float(np.sum(s**2)), 1e-300)
    return coordinates * np.where(extreme < 0, -1, 1), explained


def project(z: NDArray[Any], method: str = "pca", *, seed: int = 0) -> Points:
    """Return embeddings (n, d) as points in the plane, (n, 2).

    method: "pca", the first two principal components; "tsne" (van der Maaten & Hinton 2008), which keeps neighbors
    together and means nothing by distances between clusters; "umap" (McInnes et al. 2018), likewise, of the package
    umap-learn. The last two start from the first 50 principal components. Raises JEPAError, naming the command that
    installs what is missing, and for another method.

    >>> project(np.eye(4)).shape
    (4, 2)
    """
    if method not in METHODS:
        raise JEPAError(f"embeddings are projected by {', '.join(METHODS)}; got {method!r}")
    if method == "pca":
        return pca(z)[0]
    few = max(2, min(30, (len(z) - 1) // 3))  # neighbors that count
    made: Any
    try:
        if method == "tsne":
            from sklearn.manifold import TSNE

            made = TSNE(perplexity=few, init="pca", random_state=seed)
        else:
            from umap import UMAP

            made = UMAP(n_neighbors=min(15, few), random_state=seed, n_jobs=1)
    except ImportError as error:
        package, extra = ("scikit-learn", "eval") if method == "tsne" else ("umap-learn", "viz")
        raise JEPAError(f"{METHODS[method]} needs {package}: pip install 'minitensor-jepa[{extra}]'") from error
    return np.asarray(made.fit_transform(pca(z, min(LARGEST, *z.shape))[0]), dtype=np.float64)


def frequent(labels: NDArray[Any]) -> list[int]:
    """Return the classes, ascending, that get a color and a sign of their own: the ten most frequent ones.

    >>> frequent(np.array([7, *range(10), *range(10)]))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    found, counts = np.unique(labels, return_counts=True)
    return sorted(found[np.argsort(-counts, kind="stable")][:MOST].tolist())


def plot_embedding(
    embeddings: NDArray[Any], labels: NDArray[Any] | None = None, classes: Sequence[str] = (), *, method: str = "pca"
) -> Figure:
    """Draw embeddings (n, d) as points in the plane.

    labels (n,): the class of each, -1 for none; None: all points look alike. classes: their names; the ten most
    frequent ones are told apart, the others are gray. method: "pca", "tsne" or "umap" (`project`).
    """
    figure = new_figure(5.4)
    if len(embeddings) < 3:
        return message(figure, "at least three examples are needed for a picture of the embeddings")
    points, axes = project(embeddings, method), figure.subplots()
    look: dict[str, Any] = {"s": 22, "alpha": 0.75, "linewidths": 0.3, "edgecolors": "white"}
    if labels is None:
        axes.scatter(*points.T, color=BLUE, **look)
    else:
        shown = frequent(labels)
        rest = ~np.isin(labels, shown)
        if rest.any():
            others = len(np.unique(labels[rest]))
            axes.scatter(*points[rest].T, color="#C8C8C8", label=f"{others} others", **look)
        for place, label in enumerate(shown):
            name = named(classes[label] if 0 <= label < len(classes) else str(label))
            axes.scatter(*points[labels == label].T, color=PALETTE[place], marker=MARKERS[place], label=name, **look)
        at: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "markerscale": 1.4}
        axes.legend(title="class", fontsize=9, title_fontsize=9, frameon=False, **at)
    sides = [f"{METHODS[method]} {axis + 1}" for axis in range(2)]
    if method == "pca":
        shares = pca(embeddings)[1]
        sides = [f"principal component {axis + 1} ({100 * shares[axis]:.1f} % of the variance)" for axis in range(2)]
    axes.set_aspect("equal", adjustable="datalim")
    describe(axes, f"{len(embeddings):,} embeddings in two dimensions", x=sides[0], y=sides[1])
    return figure


def cosine_matrix(prediction: NDArray[Any], target: NDArray[Any]) -> Points:
    """Return the cosine of every prediction (n, d) with every target (m, d), (n, m); 0 where a row is all zero.

    >>> cosine_matrix(np.array([[2.0, 0.0]]), np.eye(2))
    array([[1., 0.]])
    """
    return np.asarray(unit(prediction) @ unit(target).T)


def plot_similarity(prediction: NDArray[Any], target: NDArray[Any]) -> Figure:
    """Draw the cosines of n predicted embeddings (n, d) with the n true ones, and how the diagonal stands out.

    Left the matrix; right the distribution on and off its diagonal, with both means and the share of predictions whose
    own target is the most similar one.
    """
    count, figure = len(prediction), new_figure(4.3)
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

    edges = np.linspace(min(float(matrix.min()), 0.99), 1.0, 41)
    for values, color, name in ((others, GRAY, "other targets"), (own, VERMILION, "own target (diagonal)")):
        share, mean = np.full(len(values), 100 / len(values)), float(values.mean())
        right.hist(values, bins=list(edges), weights=share, color=color, alpha=0.65, label=f"{name}: mean {mean:.2f}")
        right.axvline(mean, color=color, linewidth=2, linestyle="--" if values is others else "-")
    title = f"Own target is the nearest: {100 * hits:.0f} %\n(by chance {100 / count:.1f} %)"
    describe(right, title, x="cosine of predicted and true embedding", y="% of pairs")
    right.set_ylim(top=right.get_ylim()[1] * 1.25)  # room for the legend
    legend(right, loc="upper left")
    return figure
