"""What comes next in a series, read out of frozen features of what came before, beside persistence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.contracts import Keep
from jepa.evaluation.measures import Table
from jepa.evaluation.pose import read
from jepa.evaluation.split import Part
from jepa.learner import JEPA
from jepa.runs.run import Run

Array = NDArray[np.float32]
SEEN = 0.75  # of the places are the past
FEWEST = 8  # series without gaps, of each part, of which something can be said
MOST = 4000  # series of each part that are used
STRETCHES = ("near", "mid", "far")
"""thirds of what is to come"""
OWN = {
    "persistence": "persistence: the last value",
    "seasonal": "seasonal persistence: one period before",
    "mean": "mean of the training series",
}
"""rows of simple methods"""


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return the errors of forecasts of the last quarter of held-out series, from features of the rest.

        {"mse": {"near": {"jepa": 0.2, "random": 0.4, ..., "persistence": 0.9}, "mid": ..., "far": ..., "all": ...},
         "past": 30, "horizon": 10, "period": 7}

    The encoder is given the places of the past alone, and frozen; its features are the mean of their tokens and the
    last one. A ridge regression from these to all samples to come (`jepa.evaluation.pose.read`) is fitted on the
    training series. mse: mean squared errors of normalized samples, over thirds of what is to come and all of it. Rows:
    the encoder of the evaluation, its untrained twin, the samples of the past themselves, and the simple methods of
    `OWN`; the period is the lag with the highest peak of the training series' autocorrelation, and the row is not there
    where there is no peak. {} for an encoder with less than four places, and where there are too few series without
    gaps.
    """
    grid, which = run.model.context.encoder.grid, run.config.evaluation.encoder
    x = {split: _whole(Part.of(run.source(split), MOST, run.config.seed)) for split in ("train", "val")}
    if len(grid) != 1 or grid[0] < 4 or min(map(len, x.values())) < FEWEST:
        return {}
    places, length = round(SEEN * grid[0]), x["train"].shape[2]
    past = -(-places * length // grid[0])  # samples: where the first place to come begins
    rows = {"jepa": {split: _features(run.model, one, places, which) for split, one in x.items()}}
    if twin is not None:
        rows["random"] = {split: _features(twin, one, places, which) for split, one in x.items()}
    rows["pixels"] = {split: one[:, :, :past].reshape(len(one), -1) for split, one in x.items()}
    true, told = x["val"][:, :, past:], x["train"][:, :, past:].reshape(len(x["train"]), -1)
    found = {
        row: read(of["train"], told, of["val"], seed=run.config.seed).reshape(true.shape) for row, of in rows.items()
    }
    period = period_of(x["train"][:, :, :past])
    found |= simple(x["val"][:, :, :past], length - past, period, x["train"][:, :, past:].mean(axis=0))
    return {"mse": _errors(true, found), "past": past, "horizon": length - past, "period": period}


def _whole(part: Part) -> Array:
    """Return the normalized series of a part that have no gaps: (n, c, t)."""
    x = part.rows(lambda x: x, "series")
    return x[~np.isnan(x).any(axis=(1, 2))]


def _features(model: JEPA, x: Array, places: int, which: str) -> Array:
    """Return the mean of the tokens of the past, and the last of them: (n, c, t) -> (n, 2 d)."""
    encoder: Any = model.encoders[which]

    def past(x: mt.Tensor) -> mt.Tensor:
        tokens = encoder.tokens(x, Keep(np.tile(np.arange(places), (len(x), 1, 1))))
        return mt.concatenate([tokens.mean(axis=1), tokens[:, -1]], axis=1)

    return frozen.frozen(encoder, past, x)


def period_of(x: Array) -> int:
    """Return the first lag, 2 at least, at which the mean autocorrelation of series (n, c, t) has a high peak.

    A peak counts from nine tenths of the highest on: those at multiples of a period are as high as its own. 0: there is
    none above 0 up to half of the length.

    >>> period_of(np.sin(2 * np.pi * np.arange(40, dtype=np.float32) / 8)[None, None])
    8
    """
    z = x - x.mean(axis=2, keepdims=True)
    most = z.shape[2] // 2
    r = np.array([float(np.mean(z[:, :, lag:] * z[:, :, : z.shape[2] - lag])) for lag in range(most + 1)])
    peaks = [lag for lag in range(2, most) if r[lag] > 0 and r[lag] >= max(r[lag - 1], r[lag + 1])]
    highest = max((r[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if r[lag] >= 0.9 * highest), 0)


def simple(past: Array, horizon: int, period: int, mean: Array) -> dict[str, Array]:
    """Return the forecasts of simple methods, (n, c, horizon) each, of the past (n, c, t)."""
    n, channels, length = past.shape
    found = {"persistence": np.repeat(past[:, :, -1:], horizon, axis=2)}
    if period:
        found["seasonal"] = past[:, :, length - period + np.arange(horizon) % period]
    return found | {"mean": np.broadcast_to(mean, (n, channels, horizon))}


def _errors(true: Array, found: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    thirds = dict(zip(STRETCHES, np.array_split(np.arange(true.shape[2]), len(STRETCHES)), strict=True))
    stretches = {name: of for name, of in thirds.items() if len(of)} | {"all": np.arange(true.shape[2])}
    return {
        name: {row: float(np.mean((true[:, :, of] - y[:, :, of]) ** 2)) for row, y in found.items()}
        for name, of in stretches.items()
    }


def sentences(found: Mapping[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say how well what comes next is forecast."""
    errors = found["mse"]["all"]
    others = {row: error for row, error in errors.items() if row != "jepa"}
    best, titles = min(others, key=lambda row: others[row]), {**rows, **OWN}
    gap = 100 * (1 - errors["jepa"] / others[best]) if others[best] else 0.0
    return [
        f"Forecasts of the last {found['horizon']} samples from features of the first {found['past']} have a mean "
        f"squared error of {errors['jepa']:.3g}, {abs(gap):.0f} % {'less' if gap > 0 else 'more'} than the best other "
        f"row ({titles[best]}, {others[best]:.3g}); persistence has {errors['persistence']:.3g}."
    ]


def tables(found: Mapping[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return the errors row by row, over near, mid and far samples and all of them."""
    errors, titles = found["mse"], {**rows, **OWN}
    cells = [
        [text, *(f"{of[row]:.3g}" for of in errors.values())] for row, text in titles.items() if row in errors["all"]
    ]
    heads = [f"forecast of {found['horizon']} samples from {found['past']}: mean squared error", *errors]
    note = f"The period is {found['period']} samples." if found["period"] else "The series have no period."
    return [Table(heads, cells, note)]
