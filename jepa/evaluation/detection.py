"""Where things are, read out of codes: of frames that are seen, and of frames that are only predicted.

A small head learns to find the centers of what moves on the cells of the encoder's grid, from frozen codes of true
frames. Then it is shown what a model that has seen the first frames predicts of the following ones. Average precision
(AP) at each horizon stands beside what one knows without a model: that nothing moves (persistence), or that all moves
straight on (constant velocity).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Flags
from jepa.evaluation.fitting import fit, seeded
from jepa.evaluation.measures import Table
from jepa.frozen import frozen
from jepa.learner import JEPA
from jepa.objectives.base import Objective
from jepa.runs.run import Run

HORIZONS = 7
"""frames ahead, at most"""
WIDTH, STEPS, BATCH, RATE = 32, 600, 128, 3e-3  # of the head and its training
TRAIN = 2000  # clips that the head learns from, at most
ROWS = {
    "jepa": "predicted codes",
    "true": "codes of the true frames",
    "random": "predicted codes, untrained",
    "random true": "codes of the true frames, untrained",
    "persistence": "persistence (last frame seen)",
    "velocity": "constant velocity (of the true places)",
}
Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.float32]


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return AP of finding the centers of what moves, {} for an encoder without places in each frame.

        {"read": {"jepa": 0.9, "random": 0.7}, "cells": [8, 8], "share": 0.03, "clips": 800,
         "ap": {"jepa": [0.8, ..., 0.4], "velocity": [...], ...}, "map": {"jepa": 0.6, ...}}

    read: of the codes of all true held-out frames, of the encoder and its untrained twin. share: of the cells that hold
    a center, the AP of guessing. If the task asks what comes next there is also, for each horizon from 1 on, up to 7 or
    the end of the clips, ``ap`` of the rows of `ROWS`, and ``map``, their mean over horizons. Codes are tokens of the
    target's branch behind its projector, as the objective compares them. What stands still or moves straight on is told
    the true places in the last frames that are seen, and where the edges are.
    """
    grid = run.model.context.encoder.grid
    source: Any = run.source("val")
    if len(grid) != 3:
        return {}
    unit, size = source.shape[1] // grid[0], source.shape[2]
    learned, held = run.source("train"), source.normalize(source.read(range(len(source))))
    few = np.random.default_rng(0).permutation(len(learned))[:TRAIN]
    shown = learned.normalize(learned.read(few))
    at = slice(unit - 1, unit * grid[0], unit)  # the last frame of each place
    told: Any = learned
    truth = cells(told.positions[few][:, at], size, grid[1:]), cells(source.positions[:, at], size, grid[1:])
    found: dict[str, Any] = {"read": {}, "cells": list(grid[1:]), "share": float(truth[1].mean()), "clips": len(held)}
    scores: dict[str, Floats] = {}
    for row, model in {"jepa": run.model, "random": twin}.items():
        if model is None:
            continue
        head = fit_head(codes(model, shown, grid), truth[0], run.device)
        read = head(codes(model, held, grid))
        found["read"][row] = average_precision(read, truth[1])
        if run.task.forecasts:
            scores |= _ahead(run, model, head, held, row, read)
    if not run.task.forecasts:
        return found
    past = run.task.settings.past
    scores["velocity"] = _straight_on(source.positions[:, at], past, size, grid[1:])
    steps = range(scores["jepa"].shape[1])
    found["ap"] = {row: [average_precision(s[:, k], truth[1][:, past + k]) for k in steps] for row, s in scores.items()}
    found["ap"] = {row: found["ap"][row] for row in ROWS if row in found["ap"]}
    return found | {"map": {row: float(np.mean(ap)) for row, ap in found["ap"].items()}}


def sentences(found: dict[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say how well places can be read, and how far ahead."""
    read = ", ".join(f"{rows[row]} {ap:.2f}" for row, ap in found["read"].items())
    said = [
        f"Where things are, read out of codes of held-out frames (average precision of {found['share']:.1%} of the "
        f"cells): {read}."
    ]
    if "ap" not in found:
        return said
    last = {ROWS[row]: ap[-1] for row, ap in found["ap"].items()}
    far = len(found["ap"]["jepa"])
    return [
        *said,
        f"Average precision {far} frames ahead: {', '.join(f'{row} {ap:.2f}' for row, ap in last.items())}; mean over "
        f"the horizons 1 to {far}: predicted {found['map']['jepa']:.2f}, constant velocity "
        f"{found['map']['velocity']:.2f}.",
    ]


def tables(found: dict[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return AP of each row at each horizon, and its mean."""
    if "ap" not in found:
        return [Table(["places read out of codes", "AP"], [[rows[r], f"{ap:.2f}"] for r, ap in found["read"].items()])]
    heads = ["average precision, frames ahead", *map(str, range(1, len(found["ap"]["jepa"]) + 1)), "mean"]
    cell = [[ROWS[row], *(f"{v:.2f}" for v in [*ap, found["map"][row]])] for row, ap in found["ap"].items()]
    note = (
        f"A small head finds the centers of what moves on {found['cells'][0]} x {found['cells'][1]} cells. It learned "
        "from frozen codes of true training frames, and is shown codes that were predicted, each from those before. "
        "Constant velocity is told the true places in the last two frames that are seen, and where the edges are; only "
        "bounces are news to it."
    )
    return [Table(heads, cell, note)]


def codes(model: JEPA, x: Codes, grid: tuple[int, ...]) -> Codes:
    """Return the codes of all places of clips, as predictions are compared with them: (n, f, dim, rows, columns)."""
    branch, objective = model.branches["target"], model.objective
    compared: Callable[[mt.Tensor], mt.Tensor] = objective.targets if isinstance(objective, Objective) else lambda s: s
    return as_maps(frozen(branch, lambda x: compared(branch(x)), x), grid[1:])


def predicted(run: Run, model: JEPA, x: Codes, steps: int) -> Codes:
    """Return the predicted codes of so many frames behind the first ones: (n, steps, dim, rows, columns)."""
    grid = model.context.encoder.grid
    entries = x.shape[2] // grid[0] * (run.task.settings.past + steps)

    def ahead(seen: mt.Tensor) -> mt.Tensor:
        keep, asked = run.task.question(len(seen), grid, steps)
        tokens, valid = model.context.context(seen, keep, asked)
        return mt.concatenate(model.predictor(tokens, valid, keep, asked), axis=1)

    return as_maps(frozen(model, ahead, np.ascontiguousarray(x[:, :, :entries])), grid[1:])


def as_maps(tokens: Codes, frame: tuple[int, ...]) -> Codes:
    """Return tokens (n, f · rows · columns, dim) as feature maps (n, f, dim, rows, columns)."""
    n, _, dim = tokens.shape
    return np.ascontiguousarray(tokens.reshape(n, -1, *frame, dim).transpose(0, 1, 4, 2, 3))


def _ahead(
    run: Run, model: JEPA, head: Callable[[Codes], Floats], x: Codes, row: str, read: Floats
) -> dict[str, Floats]:
    """Return the scores of predicted codes at each horizon, of the true ones, and of the last frame that is seen."""
    past = run.task.settings.past
    steps = min(HORIZONS, read.shape[1] - past)
    true = read[:, past : past + steps]
    if row != "jepa":
        return {row: head(predicted(run, model, x, steps)), f"{row} true": true}
    last = np.broadcast_to(read[:, past - 1 : past], true.shape)
    return {row: head(predicted(run, model, x, steps)), "true": true, "persistence": last}


def fit_head(maps: Codes, truth: Flags, device: str) -> Callable[[Codes], Floats]:
    """Train the head on codes (n, f, dim, rows, columns) and cells (n, f, rows, columns); return what finds the cells.

    conv 3x3 to 32 channels, ReLU, conv 3x3 to one logit for each cell, on standardized codes; binary cross-entropy,
    Adam for 600 batches of 128 frames, the rate falling to 0. The result gives scores (n, f, rows, columns) of codes.
    """
    x, y = maps.reshape(-1, *maps.shape[2:]), truth.reshape(-1, 1, *truth.shape[2:])
    mean, std = (f(x, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.std))
    std = np.where(std > 1e-6, std, 1).astype(np.float32)
    dim = x.shape[1]

    def loss(rows: NDArray[np.int64]) -> mt.Tensor:
        logits = net(mt.Tensor((x[rows] - mean) / std, device=device))
        target = mt.Tensor(y[rows].astype(np.float32), device=device)
        return mt.nn.functional.binary_cross_entropy_with_logits(logits, target)

    with seeded():
        convs = mt.nn.Conv2d(dim, WIDTH, 3, padding=1), mt.nn.Conv2d(WIDTH, 1, 3, padding=1)
        net = mt.nn.Sequential(convs[0], mt.nn.ReLU(), convs[1])
        net.to(device)
        optimizer = mt.optim.Adam(list(net.parameters()), lr=RATE)
        fit(optimizer, loss, len(x), BATCH, STEPS, "fitting a head that finds places")

    def scores(maps: Codes) -> Floats:
        found = frozen(net, net, ((maps.reshape(-1, *maps.shape[2:]) - mean) / std).astype(np.float32))
        return found.reshape(*maps.shape[:2], *maps.shape[3:])

    return scores


def cells(positions: Floats, size: int, grid: tuple[int, ...]) -> Flags:
    """Return which cells hold a center: positions (..., things, 2), (x, y) in pixels -> bool (..., rows, columns).

    >>> cells(np.array([[1.0, 7.0]]), 8, (2, 4)).astype(int).tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0]]
    """
    found = np.zeros((*positions.shape[:-2], *grid), bool)
    place = [np.clip((positions[..., a] * n / size).astype(int), 0, n - 1) for a, n in ((1, grid[0]), (0, grid[1]))]
    where = np.indices(positions.shape[:-1])[:-1]
    found[(*where, *place)] = True
    return found


def _straight_on(positions: Floats, past: int, size: int, grid: tuple[int, ...]) -> Floats:
    """Return the scores of constant velocity, from positions (n, f, things, 2): (n, steps, rows, columns).

    1 at the cell where a thing would be if it went on as between the last two frames that are seen, no further than any
    center has ever been; of other cells minus the distance from there to their middle, in cells, so that near misses
    come first. Of a past of one frame nothing moves.
    """
    steps = np.arange(1, min(HORIZONS, positions.shape[1] - past) + 1)[:, None, None]
    last = positions[:, past - 1 : past]
    way = last - positions[:, past - 2 : past - 1] if past > 1 else np.zeros_like(last)
    there = np.clip(last + steps * way, positions.min(), positions.max())  # (n, steps, things, 2)
    middles = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in grid), indexing="ij"))  # (2, rows, columns)
    place = there[..., ::-1] * np.array(grid) / size
    apart = np.linalg.norm(place[..., None, None] - middles, axis=-3).min(axis=2)
    return np.where(cells(there, size, grid), 1.0, -apart)


def average_precision(scores: Floats, truth: Flags) -> float:
    """Return Σ_k (R_k - R_{k-1}) P_k: precision P over recall R as the threshold falls from score to score.

    Cells of one score come in together. It is what scikit-learn's `average_precision_score` computes; a guess has the
    share of cells that are true. NaN where none is.

    >>> average_precision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])) == (1 + 2 / 3) / 2
    True
    """
    order = np.argsort(-scores.reshape(-1), kind="stable")
    s, hits = scores.reshape(-1)[order], np.cumsum(truth.reshape(-1)[order])
    if not hits[-1]:
        return float("nan")
    ends = np.append(np.flatnonzero(np.diff(s)), len(s) - 1)  # the last cell of each score
    recall = hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * hits[ends] / (ends + 1)))
