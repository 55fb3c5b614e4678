"""Linear probe: how much of the class a linear map reads out of frozen features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.evaluation.logistic import logistic, principal, with_bias
from jepa.evaluation.split import stratified
from jepa.progress import shown_progress

_COLUMNS = 64  # that are in memory in double precision at once
GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation strengths that are tried, smallest (strongest regularisation) first."""


@dataclass(frozen=True)
class ProbeResult:
    """What a linear probe found."""

    accuracy: float
    """Share of the test images classified rightly, in [0, 1]."""
    C: float
    """The inverse regularisation strength chosen on the validation part."""
    validation: dict[float, float]
    """Accuracy on the validation part for each C that was tried."""
    converged: bool
    """Whether the last fit, the one that was tested, reached its tolerance."""


def linear_probe(
    train_features: NDArray[Any],
    train_labels: NDArray[Any],
    test_features: NDArray[Any],
    test_labels: NDArray[Any],
    *,
    seed: int = 0,
    grid: Sequence[float] = GRID,
    validation: float = 0.2,
    max_images: int = 0,
) -> ProbeResult:
    """Accuracy on the test set of a logistic regression on standardised features.

    The weights minimise the convex

        C * sum_i -log softmax(W x_i + b)[y_i] + 1/2 |W|^2,      x = (features - mean) / std over the training set,

    to convergence (`logistic`). C is the one with the highest accuracy on a stratified validation part of the training
    set (the smaller C on a tie); then the whole training set is fitted with it.

    Parameters
    ----------
    train_features, test_features : float arrays (N, D) and (M, D)
        One row an image. Columns that are constant over the training set are ignored.
    train_labels, test_labels : int arrays (N,) and (M,)
        Their classes.
    seed : int
        Decides which training images are the validation part (and which are kept, with `max_images`). Nothing else
        is random.
    grid : sequence of float
        The values of C that are tried.
    validation : float
        Share of the training set that chooses C.
    max_images : int
        Use at most so many training images, drawn stratified; 0: all.

    Raises
    ------
    DataError
        If the training images have fewer than two classes.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> features = generator.normal(size=(60, 4)) + 6 * labels[:, None]
    >>> linear_probe(features[:40], labels[:40], features[40:], labels[40:]).accuracy
    1.0
    """
    if max_images and len(train_labels) > max_images:
        kept = stratified(train_labels, max_images, generator=np.random.default_rng(seed))
        train_features, train_labels = train_features[kept], train_labels[kept]
    rows = [np.array(x, dtype=np.float32) for x in (train_features, test_features)]
    return probed(rows, train_labels, test_labels, seed=seed, grid=grid, validation=validation)


def probed(
    rows: list[NDArray[np.float32]],
    train_labels: NDArray[Any],
    test_labels: NDArray[Any],
    *,
    seed: int = 0,
    grid: Sequence[float] = GRID,
    validation: float = 0.2,
) -> ProbeResult:
    """Return what `linear_probe` does of [train, test], a list that is emptied: two copies at most are in memory."""
    classes, codes = np.unique(train_labels, return_inverse=True)  # (K,), (N,)
    if len(classes) < 2:
        raise DataError(
            f"A linear probe needs training images of at least two classes, but these {len(train_labels)} images "
            f"have {len(classes)}: give it a folder with one sub-folder of images for each class."
        )
    test, train = rows.pop(), rows.pop()  # (M, D), (N, D)
    width = train.shape[1]
    _standardise(train, test)
    axes, variances = principal(train)
    train, test = with_bias(train, axes), test @ axes  # (N, R + 1), (M, R)
    held_out = np.zeros(len(train), dtype=bool)
    held_out[stratified(codes, round(validation * len(train)), generator=np.random.default_rng(seed))] = True

    # Every class keeps at least one image outside the validation part (see stratified).
    accuracies: dict[float, float] = {}
    start, best = None, min(grid)
    if held_out.any():
        part, kept_back = train[~held_out], train[held_out, :-1]
        for C in shown_progress(sorted(grid), len(grid), "linear probe", "strengths of regularisation"):
            fit = logistic(part, codes[~held_out], variances=variances, C=C, start=start)
            accuracies[C] = float(np.mean(fit.predict(kept_back) == codes[held_out]))
            start, best = fit.weight, C if accuracies[C] > accuracies.get(best, -1.0) else best
        del part, kept_back
    fit = logistic(train, codes, variances=variances, C=best)
    if not fit.converged:
        warnings.warn(
            f"The linear probe (C = {best:g}, {len(train)} images, {width} features) did not "
            "converge: its accuracy may be too low.",
            stacklevel=2,
        )
    accuracy = float(np.mean(classes[fit.predict(test)] == test_labels))
    return ProbeResult(accuracy=accuracy, C=float(best), validation=accuracies, converged=fit.converged)


def standardised(train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring every column to mean 0 and standard deviation 1 *over the training rows*; constant columns become 0.

    Parameters
    ----------
    train, test : float arrays (N, D) and (M, D)

    Returns
    -------
    float32 arrays (N, D) and (M, D)

    Examples
    --------
    >>> train, test = standardised(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[5.0, 9.0]]))
    >>> train, test
    (array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32), array([[3., 0.]], dtype=float32))
    """
    copies = np.array(train, dtype=np.float32), np.array(test, dtype=np.float32)
    _standardise(*copies)
    return copies


def _standardise(train: NDArray[np.float32], test: NDArray[np.float32]) -> None:
    mean = train.mean(axis=0, dtype=np.float64)  # (D,)
    columns = (train[:, i : i + _COLUMNS] for i in range(0, train.shape[1], _COLUMNS))
    std = np.concatenate([part.std(axis=0, dtype=np.float64) for part in columns])  # (D,)
    # A float32 column that is constant but for rounding has a std of about 1e-8 |mean|.
    scale = np.where(std > 1e-6 * np.abs(mean), 1 / np.where(std > 0, std, 1), 0).astype(np.float32)
    for x in (train, test):
        x -= mean.astype(np.float32)
        x *= scale
