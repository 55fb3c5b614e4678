"""Embeddings in the plane: by principal components, t-SNE or UMAP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import JEPAError

__all__ = ["METHODS", "project"]

METHODS = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}
LARGEST = 50  # directions that t-SNE and UMAP start from


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
    centerd = np.asarray(z, dtype=np.float64) - np.mean(z, axis=0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centerd, full_matrices=False)  # (N, R), (R,)
    found = min(components, len(s))
    coordinates = np.zeros((len(centerd), components))
    coordinates[:, :found] = u[:, :found] * s[:found]
    extreme = coordinates[np.argmax(np.abs(coordinates), axis=0), np.arange(components)]
    explained = np.zeros(components)
    explained[:found] = s[:found] ** 2 / max(float(np.sum(s**2)), 1e-300)
    return coordinates * np.where(extreme < 0, -1, 1), explained


def project(z: NDArray[Any], method: str = "pca", *, seed: int = 0) -> NDArray[np.float64]:
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
    if method == "tsne":
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise JEPAError("t-SNE needs scikit-learn: pip install 'minitensor-jepa[eval]'") from error
        return np.asarray(TSNE(perplexity=few, init="pca", random_state=seed).fit_transform(start), dtype=np.float64)
    try:
        from umap import UMAP
    except ImportError as error:
        raise JEPAError("UMAP needs umap-learn: pip install 'minitensor-jepa[viz]'") from error
    return np.asarray(UMAP(n_neighbors=min(15, few), random_state=seed).fit_transform(start), dtype=np.float64)
