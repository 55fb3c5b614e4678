"""Linear probe: how much of the class a linear map reads out of frozen features."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.evaluation.logistic import logistic, principal, rotated
from jepa.evaluation.split import stratified
from jepa.progress import shown_progress

COLUMNS = 64  # that are in memory in double precision at once
VALIDATION = 0.2  # share of the training set that chooses C
GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularization strengths that are tried, smallest (strongest regularization) first."""
Array = NDArray[np.float32]


class ProbeResult(NamedTuple):
    """What a linear probe found."""

    accuracy: float
    """share of the test examples classified rightly, in [0, 1]"""
    C: float
    """the inverse regularization strength chosen on the validation part"""
    validation: dict[float, float]
    """accuracy on the validation part for each C that was tried"""
    converged: bool
    """whether the last fit, the one that was tested, reached its tolerance"""


def linear_probe(
    train_features: NDArray[Any],
    train_labels: NDArray[Any],
    test_features: NDArray[Any],
    test_labels: NDArray[Any],
    *,
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> ProbeResult:
    """Return the accuracy on the test set of a logistic regression on standardized features.

    train_features (N, D), test_features (M, D): one row an example, of the classes train_labels (N,), test_labels (M,).
    Columns that are constant over the training set are ignored. The weights minimize the convex

        C * sum_i -log softmax(W x_i + b)[y_i] + 1/2 |W|^2,      x = (features - mean) / std over the training set,

    to convergence (`logistic`). C is the one with the highest accuracy on a stratified validation part of the training
    set, a fifth of it (the smaller C on a tie); then the whole training set is fitted with it. Those of `grid` are
    tried from the smallest on, until two in a row are worse than the best by more than two standard errors: the fits
    that overfit most take by far the longest. seed: decides which training examples are the validation part; nothing
    else is random. Raises DataError if the training examples have fewer than two classes.

    >>> generator = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> features = generator.normal(size=(60, 4)) + 6 * labels[:, None]
    >>> linear_probe(features[:40], labels[:40], features[40:], labels[40:]).accuracy
    1.0
    """
    train, test = (np.array(x, dtype=np.float32) for x in (train_features, test_features))
    return probed(train, train_labels, test, test_labels, grid=grid, seed=seed)


def probed(
    train: Array,
    train_labels: NDArray[Any],
    test: Array,
    test_labels: NDArray[Any],
    *,
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> ProbeResult:
    """Return what `linear_probe` does, of rows that are overwritten: no other copy of them is made."""
    classes, codes = np.unique(train_labels, return_inverse=True)  # (K,), (N,)
    if len(classes) < 2:
        raise DataError(
            f"A linear probe needs training examples of at least two classes, but these {len(train_labels)} have "
            f"{len(classes)}: give it a folder with one sub-folder of images for each class."
        )
    # Every class keeps at least one example outside the validation part (see stratified), which comes last.
    back = stratified(codes, round(VALIDATION * len(train)), generator=np.random.default_rng(seed))
    order = np.concatenate([np.setdiff1d(np.arange(len(train)), back), back])
    width, rest, codes = train.shape[1], len(train) - len(back), codes[order]
    standardize(train, test, order)
    axes = principal(train)
    train, test = rotated(train, axes), rotated(test, axes)  # (N, R), (M, R)
    tried = _tried(train, codes, rest, grid)
    best = max(tried, key=lambda C: tried[C], default=min(grid))
    fit = logistic(train, codes, C=best)
    if not fit.converged:
        said = f"C = {best:g}, {len(train)} examples, {width} features"
        warnings.warn(f"The linear probe ({said}) did not converge: its accuracy may be too low.", stacklevel=2)
    return ProbeResult(float(np.mean(classes[fit.predict(test)] == test_labels)), float(best), tried, fit.converged)


def _tried(rows: Array, codes: NDArray[np.int64], rest: int, grid: Sequence[float]) -> dict[float, float]:
    """Return the accuracy of each C, learned from the first `rest` rows, on those behind them."""
    tried: dict[float, float] = {}
    start, worse, count = None, 0, len(rows) - rest
    for C in shown_progress(sorted(grid) if count else (), len(grid), "linear probe", "strengths of regularization"):
        fit = logistic(rows[:rest], codes[:rest], C=C, start=start)
        start, tried[C] = fit.weight, float(np.mean(fit.predict(rows[rest:]) == codes[rest:]))
        best = max(tried.values())
        worse = worse + 1 if tried[C] < best - 2 * np.sqrt(best * (1 - best) / count) else 0
        if worse == 2:
            break
    return tried


def standardize(train: Array, test: Array, order: NDArray[np.int64]) -> None:
    """Bring each column, in place, to mean 0 and deviation 1 *over the training rows*, and those into an order.

    Constant columns become 0.

    >>> train, test = np.array([[1, 5], [3, 5]], np.float32), np.array([[5, 9]], np.float32)
    >>> standardize(train, test, np.array([1, 0]))
    >>> train.tolist(), test.tolist()
    ([[1.0, 0.0], [-1.0, 0.0]], [[3.0, 0.0]])
    """
    for i in range(0, train.shape[1], COLUMNS):
        part, other = train[order, i : i + COLUMNS], test[:, i : i + COLUMNS]
        mean, std = part.mean(axis=0, dtype=np.float64), part.std(axis=0, dtype=np.float64)
        # A float32 column that is constant but for rounding has a std of about 1e-8 |mean|.
        scale = np.where(std > 1e-6 * np.abs(mean), 1 / np.where(std > 0, std, 1), 0).astype(np.float32)
        for x in (part, other):
            x -= mean.astype(np.float32)
            x *= scale
        train[:, i : i + COLUMNS] = part
