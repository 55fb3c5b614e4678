"""One protocol for every row of the result table: the same images, the same probes, the same settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.knn import voted
from jepa.evaluation.linear_probe import GRID, probed
from jepa.evaluation.split import stratified

Rows = tuple[NDArray[Any], NDArray[Any]]


def probe_table(
    features: Mapping[str, Rows | Callable[[], Rows]],
    train_labels: NDArray[Any],
    test_labels: NDArray[Any],
    *,
    k: int = 20,
    grid: Sequence[float] = GRID,
    seed: int = 0,
    max_images: int = 0,
) -> dict[str, dict[str, float]]:
    """Linear probe and kNN accuracy of every named representation of the same images, beside chance.

    Parameters
    ----------
    features : mapping of name to (train, test)
        Arrays (N, D) and (M, D), or a function that makes them, float32, anew for each probe, which uses them up: for
        those that are large. D may differ from name to name.
    train_labels, test_labels : int arrays (N,) and (M,)
        Their classes.
    k : int
        Neighbours of kNN.
    grid : sequence of float
        Values of C for the linear probe.
    seed : int
        Of the validation part of the linear probe, and of the choice of training images under `max_images`.
    max_images : int
        Use at most so many images of each split, drawn stratified, the same ones for every row; 0: all.

    Returns
    -------
    dict
        ``{"linear": {name: accuracy, ..., "chance": ...}, "knn": {the same}, "C": {name: the C chosen}}``. Chance is
        the share of test images of the class that is the most frequent one in training.

    Examples
    --------
    >>> labels = np.arange(40) % 2
    >>> rows = np.eye(2)[labels] + 0.01 * np.arange(40)[:, None]
    >>> table = probe_table({"pixels": (rows[:30], rows[30:])}, labels[:30], labels[30:], k=3)
    >>> table["linear"], table["knn"]
    ({'pixels': 1.0, 'chance': 0.5}, {'pixels': 1.0, 'chance': 0.5})
    """
    train_kept, test_kept = (
        stratified(labels, max_images or len(labels), generator=np.random.default_rng(seed))
        for labels in (train_labels, test_labels)
    )
    train_labels, test_labels = train_labels[train_kept], test_labels[test_kept]
    linear: dict[str, float] = {}
    neighbours: dict[str, float] = {}
    chosen: dict[str, float] = {}

    def taken(value: Rows | Callable[[], Rows]) -> list[NDArray[np.float32]]:
        """Return [train, test] as arrays of our own."""
        if callable(value) and not max_images:
            return list(value())
        train, test = value() if callable(value) else value
        return [np.array(train[train_kept], np.float32), np.array(test[test_kept], np.float32)]

    for name, value in features.items():
        result = probed(taken(value), train_labels, test_labels, seed=seed, grid=grid)
        linear[name], chosen[name] = result.accuracy, result.C
        train, test = taken(value)
        neighbours[name] = float(np.mean(voted(train, train_labels, test, k=k) == test_labels))
        del train, test
    linear["chance"] = neighbours["chance"] = chance(train_labels, test_labels)
    return {"linear": linear, "knn": neighbours, "C": chosen}


def chance(train_labels: NDArray[Any], test_labels: NDArray[Any]) -> float:
    """Accuracy of always answering the most frequent training class (the smallest label on a tie).

    Parameters
    ----------
    train_labels, test_labels : int arrays (N,) and (M,)

    Examples
    --------
    >>> chance(np.array([0, 0, 1]), np.array([0, 1, 1, 1]))
    0.25
    """
    classes, counts = np.unique(train_labels, return_counts=True)
    return float(np.mean(test_labels == classes[np.argmax(counts)]))
