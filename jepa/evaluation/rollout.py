"""How far ahead a world model knows where things are: places read out of codes that are predicted by actions alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.evaluation.fitting import fit, seeded
from jepa.evaluation.measures import Table
from jepa.frozen import frozen
from jepa.learner import JEPA
from jepa.runs.run import Run
from jepa.sources.world import Walks

HORIZON = 20
"""steps ahead, at most"""
WIDTH, STEPS, BATCH, RATE = 256, 2000, 256, 1e-3  # of the probe and its training
FRAMES, WALKS = 12_000, 500  # that the probe learns from; trajectories that are rolled out
SHOWN = (1, 5, 10, 15, 20)  # steps that the table has
ROWS = {
    "jepa": "predicted codes",
    "true": "codes of the true frames",
    "persistence": "persistence (nothing moves)",
    "random": "predicted codes, untrained",
    "random true": "codes of the true frames, untrained",
}
Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.float32]


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return how far off places are along open-loop rollouts of 20 steps, {} where nobody knows the true places.

        {"error": {"jepa": [0.4, ..., 0.9], "true": [...], "persistence": [...], ...}, "unit": "px", "scale": 0.5,
         "rollouts": 500}

    A small MLP learns to read places out of frozen codes of single training frames, as the objective compares them. It
    is then given codes that were predicted from the first frames of held-out trajectories and all actions, with nothing
    seen in between. error: the mean distance from the true place at each step, in `unit`; divided by `scale`, it is in
    pixels of a picture of 65. Rows as `ROWS`: of the model and its untrained twin, each with its own probe, and of what
    stands still where it was last seen. The trajectories of a world are fresh ones; of a file, the held-out ones.
    """
    past = run.task.settings.past
    held: Any = run.source("val")
    learned: Any = run.source("train")
    walks: Walks = held.walks(WALKS, past + HORIZON)
    told: Walks = learned.walks(-(-FRAMES // walks.frames.shape[2]), walks.frames.shape[2])
    if walks.positions is None or told.positions is None:
        return {}
    true = walks.positions[:, past:]
    error = {}
    for row, model in {"": run.model, "random": twin}.items():
        if model is None:
            continue
        read = probe(codes(run, model, told.frames), told.positions, run.device)
        z = codes(run, model, walks.frames)
        error[row or "jepa"] = apart(read(imagined(model, z[:, :past], walks.actions)), true)
        error[f"{row} true".strip()] = apart(read(z[:, past:]), true)
    error["persistence"] = apart(walks.positions[:, past - 1 : past], true)
    error = {row: error[row] for row in ROWS if row in error}
    return {"error": error, "unit": walks.unit, "scale": walks.scale, "rollouts": len(true)}


def sentences(found: dict[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say how far off places are at the end of the rollouts."""
    error, unit, far = found["error"], found["unit"], len(found["error"]["jepa"])
    others = ", ".join(f"{ROWS[row]} {of[-1]:.2f}" for row, of in error.items() if row != "jepa")
    scaled = f" ({error['jepa'][-1] / found['scale']:.2f} in a picture of 65)" if found["scale"] != 1 else ""
    return [
        f"Along rollouts of {far} steps by actions alone, a probe of places is off by {error['jepa'][-1]:.2f} {unit}"
        f"{scaled} at the last step; {others}."
    ]


def tables(found: dict[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return the errors of each row at some steps, and their mean."""
    error, unit = found["error"], found["unit"]
    steps = [step for step in SHOWN if step <= len(error["jepa"])]
    cells = [[ROWS[row], *(f"{of[k - 1]:.2f}" for k in steps), f"{np.mean(of):.2f}"] for row, of in error.items()]
    note = (
        f"Mean distance from the true place in {unit}, over {found['rollouts']} trajectories, of places read out of "
        "codes by a probe. It learned from frozen codes of true frames; predicted ones come from the first frames and "
        "the actions behind them alone."
    )
    return [Table([f"error of places, {unit}, steps ahead", *map(str, steps), "mean"], cells, note)]


def codes(run: Run, model: JEPA, frames: Codes) -> Codes:
    """Return the codes of all frames of clips, as they are compared and planned with: (n, c, T, ...) -> (n, T, d)."""
    branch = model.branches["context"]
    return frozen(branch, branch, run.parts.source.normalize(frames), batch=64)


def imagined(model: JEPA, seen: Codes, actions: Codes) -> Codes:
    """Return the codes that follow, by actions: (n, K, d), (n, K - 1 + S, a) -> (n, S, d)."""
    both = {"seen": seen, "actions": actions}
    return frozen(model, lambda x: model.predictor.imagine(x["seen"], x["actions"]), both)  # type: ignore[arg-type]


def apart(found: Floats, true: Floats) -> list[float]:
    """Return the mean distance at each step of places (n, S, p), which may be parts of several things (x, y).

    >>> apart(np.zeros((5, 2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])[None].repeat(5, 0))
    [5.0, 0.0]
    """
    return [float(d) for d in np.linalg.norm(found - true, axis=-1).mean(axis=0)]


def probe(z: Codes, places: Floats, device: str = "cpu") -> Callable[[Codes], Floats]:
    """Train an MLP to read places (n, T, p) out of codes (n, T, d); return what reads them, (..., d) -> (..., p).

    Two hidden layers of 256 units on standardized codes, mean squared error of standardized places, AdamW for 2000
    batches of 256 frames, the rate falling to 0.
    """
    x, y = z.reshape(-1, z.shape[-1]), places.reshape(-1, places.shape[-1])
    (mean, std), (middle, wide) = ((v.mean(axis=0), np.maximum(v.std(axis=0), 1e-6)) for v in (x, y))
    sizes = (x.shape[1], WIDTH, WIDTH)

    def loss(rows: NDArray[np.int64]) -> mt.Tensor:
        found = net(mt.Tensor((x[rows] - mean) / std, device=device))
        target = mt.Tensor(((y[rows] - middle) / wide).astype(np.float32), device=device)
        return mt.nn.functional.mse_loss(found, target)

    with seeded():
        hidden = [layer for a, b in zip(sizes, sizes[1:], strict=False) for layer in (mt.nn.Linear(a, b), mt.nn.ReLU())]
        net = mt.nn.Sequential(*hidden, mt.nn.Linear(WIDTH, y.shape[1]))
        net.to(device)
        fit(mt.optim.AdamW(list(net.parameters()), lr=RATE), loss, len(x), BATCH, STEPS, "fitting a probe of places")

    def read(z: Codes) -> Floats:
        rows = ((z.reshape(-1, z.shape[-1]) - mean) / std).astype(np.float32)
        return np.asarray(frozen(net, net, rows) * wide + middle).reshape(*z.shape[:-1], -1)

    return read
