"""Maps of embeddings, one for each checkpoint, that do not jump; and what lies nearest on them."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.neighbors import nearest
from jepa.pictures.embedding import METHODS, Points, pca, project
from jepa.progress import shown_progress


def usual() -> str:
    """Return the projection where none is named: UMAP if it is installed, else PCA."""
    return "umap" if importlib.util.find_spec("umap") else "pca"


def turned(points: Points, onto: Points) -> Points:
    """Return points (n, 2), turned and mirrored to lie as near as can be to others; their distances stay.

    P R + mean(Q), R = U Vᵀ of the singular values Pᵀ Q = U S Vᵀ, P and Q centered: the orthogonal Procrustes problem
    (Schönemann 1966).

    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    >>> bool(np.allclose(turned(square[:, ::-1] * [1, -1], square), square))
    True
    """
    p, q = points - points.mean(axis=0), onto - onto.mean(axis=0)
    u, _, vt = np.linalg.svd(p.T @ q)
    return np.asarray(p @ u @ vt + onto.mean(axis=0))


def maps(features: Sequence[NDArray[Any]], method: str) -> list[Points]:
    """Return the map of each checkpoint's features (n, d), each turned onto the one after it: (n, 2).

    The last one is as `jepa.pictures.embedding.project` has it.
    """
    found: list[Points] = []
    for z in shown_progress(reversed(features), len(features), METHODS[method], "maps"):
        points = project(z, method)
        found.append(turned(points, found[-1]) if found else points)
    return found[::-1]


def sides(features: Sequence[NDArray[Any]], method: str) -> list[list[str]]:
    """Return what the two axes of each map are."""
    if method != "pca":
        return [[f"{METHODS[method]} {axis}" for axis in (1, 2)]] * len(features)
    *before, last = (100 * pca(z)[1] for z in features)
    earlier = [[f"PCA {axis}, turned ({s.sum():.0f} % of the variance in both)" for axis in (1, 2)] for s in before]
    return [*earlier, [f"principal component {axis + 1} ({last[axis]:.0f} % of the variance)" for axis in (0, 1)]]


def neighbors(z: NDArray[Any], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the others nearest to each row (n, d) by cosine, and their cosines, nearest first: (n, count).

    >>> neighbors(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]]), 1)[0].tolist()
    [[1], [0], [1]]
    """
    order, cosines = nearest(z, z, min(count + 1, len(z)))
    other = order != np.arange(len(z))[:, None]
    other[other.all(axis=1), -1] = False  # others that are the same crowd it out of its own list
    return order[other].reshape(len(z), -1), cosines[other].reshape(len(z), -1)
