"""Embeddings in the plane: by principal components, t-SNE or UMAP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import JEPAError

METHODS = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}
LARGEST = 50  # directions that t-SNE and UMAP start from
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
    start = pca(z, min(LARGEST, *z.shape))[0]
    few = max(2, min(30, (len(z) - 1) // 3))  # neighbors that count
    try:
        if method == "tsne":
            from sklearn.manifold import TSNE

            made: Any = TSNE(perplexity=few, init="pca", random_state=seed)
        else:
            from umap import UMAP

            made = UMAP(n_neighbors=min(15, few), random_state=seed)
    except ImportError as error:
        package, extra = ("scikit-learn", "eval") if method == "tsne" else ("umap-learn", "viz")
        raise JEPAError(f"{METHODS[method]} needs {package}: pip install 'minitensor-jepa[{extra}]'") from error
    return np.asarray(made.fit_transform(start), dtype=np.float64)
