"""How two views lie to each other, read out of pairs of features; and whether the way back ends at its start."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Batch
from jepa.evaluation.linear import VALIDATION, standardize
from jepa.evaluation.measures import Table
from jepa.learner import JEPA
from jepa.runs.run import Run

PAIRS = {"train": 12_000, "val": 4_000}
"""pairs of views that are learned from, and tested on, about; several of an example where there are fewer examples"""
AXES = 32  # of the features, whose products are taken
DAMPING = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""strengths of regularization that are tried, of standardized columns"""
Array = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]
Pair = tuple[Array, Array]


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return how much of the pose of one view to another can be read out of the pair of their features, and `way`.

        {"r2": {"rotation": {"jepa": 0.9, "random": 0.4, "pixels": 0.1}, ...}, "pairs": 12000,
         "there": 0.2, "back": 0.1}

    r2: `r2` on held-out pairs, of what `read` has learned from training pairs, by the names that the questions give
    to what they tell; of the frozen encoder of the evaluation, its untrained twin, and the views themselves. The pairs
    are those of the task, changed as in training, the same ones for every row.
    """
    parts = {split: list(_batches(run, split, count)) for split, count in PAIRS.items()}
    told = {split: np.concatenate([b.asked.code for b in part]) for split, part in parts.items()}
    named, seed = parts["val"][0].asked.named, run.config.seed
    models: dict[str, JEPA | None] = {"jepa": run.model} | ({} if twin is None else {"random": twin}) | {"pixels": None}
    table: dict[str, dict[str, float]] = {}
    for row, model in models.items():
        train, test = joined(_pairs(run, model, parts["train"]), _pairs(run, model, parts["val"]))
        found = named(read(train, told["train"], test, seed=seed))
        for name, true in named(told["val"]).items():
            table.setdefault(name, {})[row] = r2(true, found[name])
    return {"r2": table, "pairs": len(told["train"]), **way(run.model, parts["val"], run.device)}


def sentences(found: dict[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say what pairs of features tell of their pose, and where the way there and back ends."""
    told = "; ".join(
        f"{name} {row['jepa']:.2f} ({', '.join(f'{rows[k]} {v:.2f}' for k, v in row.items() if k != 'jepa')})"
        for name, row in found["r2"].items()
    )
    return [
        f"Where the second view lies, read out of pairs of features (R² on held-out ones, 1 exact, 0 nothing): {told}.",
        f"Prediction misses the second view's embedding by {100 * found['there']:.0f} % of its variance; the way back "
        f"misses the first one's by {100 * found['back']:.0f} %.",
    ]


def tables(found: dict[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return R² of each number of the pose, row by row."""
    told = found["r2"]
    names = {row: text for row, text in rows.items() if any(row in of for of in told.values())}
    cells = [[text, *(f"{of[row]:.2f}" for of in told.values())] for row, text in names.items()]
    return [Table(["where the second view lies: R² of held-out pairs", *told], cells)]


def _batches(run: Run, split: str, count: int) -> Iterator[Batch]:
    """Yield the batches of so many epochs that there are `count` pairs, or a few more."""
    batches, epoch = run.batches(split, 3), 0
    while count > 0:
        for batch in batches.batches(epoch, progress=1.0):
            yield batch
            count -= batch.size
            if count <= 0:
                break
        epoch += 1


def _pairs(run: Run, model: JEPA | None, batches: Sequence[Batch]) -> Pair:
    """Return the features of the first views and those of the second, (n, d) each; of no model the views themselves."""
    first, second = (
        np.concatenate([x.reshape(len(x), -1) if model is None else run.features(x, model) for x in views])
        for views in ([b.seen for b in batches], [b.true[:, 0] for b in batches])
    )
    return first, second


def joined(train: Pair, test: Pair, axes: int = AXES) -> Pair:
    """Return rows to regress a pose on: training pairs of (n, d) -> (n, q), and test pairs by the same map.

    A row is u, v and all products u_i v_j, with u and v the two views' features along the `axes` directions of largest
    variance, each of unit variance. A pose is drawn without a look at the views, so that f(u) + g(v), whatever f and g,
    is correlated with it only as far as what is seen has a usual place; the products make up for that: with (cos φ,
    sin φ) in both, sin(φ' - φ) = sin φ' cos φ - cos φ' sin φ is linear in them.
    """
    both = np.concatenate(train)
    mean = both.mean(axis=0)
    covariance = (both - mean).T @ (both - mean) / len(both)
    variance, directions = np.linalg.eigh(covariance.astype(np.float64))
    kept = variance[-axes:] > 1e-6 * variance[-1]
    weight = (directions[:, -axes:] / np.sqrt(np.maximum(variance[-axes:], 1e-30)))[:, kept].astype(np.float32)
    found = []
    for pair in (train, test):
        u, v = ((x - mean) @ weight for x in pair)
        found.append(np.concatenate([u, v, (u[:, :, None] * v[:, None]).reshape(len(u), -1)], axis=1))
    return found[0], found[1]


def read(train: Array, told: Floats, test: Array, *, seed: int = 0, grid: Sequence[float] = DAMPING) -> Floats:
    """Return the ridge regression's estimate of numbers from rows: train (n, d), told (n, q), test (m, d) -> (m, q).

    The weights minimize mean |y - x W|² + λ |W|², x and y standardized over the training rows. λ is the one of the grid
    with the lowest error on a fifth of the training rows; then all of them are fitted with it.

    >>> x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    >>> y = x @ np.array([[1.0], [2.0], [0.0]]) + 5
    >>> round(r2(y[40:], read(x[:40], y[:40], x[40:])), 3)
    1.0
    """
    order = np.random.default_rng(seed).permutation(len(train))
    x, z = np.array(train, np.float32), np.array(test, np.float32)
    standardize(x, z, order)
    mean, std = told.mean(axis=0), told.std(axis=0)
    y = ((told - mean) / np.where(std > 0, std, 1))[order].astype(np.float32)
    rest = len(x) - round(VALIDATION * len(x))
    fits = _ridge(x[:rest], y[:rest], grid)
    errors = [float(np.mean((y[rest:] - x[rest:] @ w) ** 2)) for w in fits]
    (best,) = _ridge(x, y, [grid[int(np.argmin(errors))]])
    estimate: Floats = (z @ best) * std + mean
    return estimate


def _ridge(x: Array, y: Array, grid: Sequence[float]) -> Iterator[Array]:
    """Yield the weights (d, q) for each strength."""
    gram, moments = x.T @ x / len(x), x.T @ y / len(x)
    for damping in grid:
        yield np.linalg.solve(gram + damping * np.eye(len(gram), dtype=gram.dtype), moments)


def r2(true: Floats, estimate: Floats) -> float:
    """Return 1 - Σ |true - estimate|² / Σ |true - mean|², rows (n, q): 1 is exact, 0 no better than the mean.

    >>> r2(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]]))
    0.5
    """
    return float(1 - np.sum((true - estimate) ** 2) / np.sum((true - true.mean(axis=0)) ** 2))


def way(model: JEPA, batches: Sequence[Batch], device: str) -> dict[str, float]:
    """Return the squared errors there and on the way back, as shares of the variance of what is to be hit.

    "there": of the prediction of the second view's embedding; "back": of the first one's, predicted from that
    prediction with the inverse pose. 0 is exact, 1 no better than the mean.
    """
    training = model.training
    model.eval()
    sides: list[list[Array]] = [[], [], [], []]
    with mt.no_grad():
        for batch in batches:
            whole = batch.changed(lambda x: mt.Tensor(x, device=device))
            c, valid = model.context.context(whole.seen, batch.keep, batch.asked)
            there = model.predictor(c, valid, batch.keep, batch.asked)[0]
            back = model.predictor(there, None, None, batch.asked.back())[0]
            target = model.target(model.context, whole.true, batch.asked)[0]
            for side, x in zip(sides, (target, there, c, back), strict=True):
                side.append(x.numpy()[:, 0])
    model.train(training)
    joint = [np.concatenate(side) for side in sides]
    return {"there": 1 - r2(*joint[:2]), "back": 1 - r2(*joint[2:])}
