"""Choosing some of the images so that every class keeps its share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def stratified(labels: NDArray[Any], size: int, *, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw `size` positions from `labels`, each class in its share, as nearly as whole images allow.

    Item number r (in a random order) of a class of n items gets the rank (r + 1/2) / n in (0, 1); the `size` smallest
    ranks are taken. So the draw is proportional at every size, and a class never gives its last item before every
    other class has given the same share.

    Parameters
    ----------
    labels : array (N,)
        Class of each item.
    size : int
        How many to draw; all of them if there are fewer.
    generator : numpy.random.Generator
        Decides which items of a class are taken.

    Returns
    -------
    int64 array (min(size, N),)
        Positions in `labels`, ascending.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    >>> chosen = stratified(labels, 3, generator=np.random.default_rng(0))
    >>> labels[chosen]
    array([0, 0, 1])
    """
    shuffled = generator.permutation(len(labels))  # (N,)
    rank = np.empty(len(labels))  # (N,) in the shuffled order
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = shuffled[np.argsort(rank, kind="stable")[:size]]
    return np.sort(chosen).astype(np.int64)
