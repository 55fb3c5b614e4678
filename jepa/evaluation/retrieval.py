"""What belongs together is found again: recall from one array to the other, and what each array's features say."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.contracts import Generators, Keep
from jepa.evaluation.measures import Table
from jepa.evaluation.probes import PROBES, Protocol, probe_table
from jepa.evaluation.split import Part
from jepa.health import unit
from jepa.learner import JEPA
from jepa.runs.run import Run
from jepa.several import each, rows, size_of

MOST = 10_000  # held-out examples that are looked through
RANKS = (1, 10)
Array = NDArray[np.float32]
Index = NDArray[np.int64]


def measured(run: Run, twin: JEPA | None) -> dict[str, Any]:
    """Return the recall among the held-out examples, and the probes of each array's features.

        {"recall": {"first to second": {"1": {"jepa": 0.4, "random": 0.002, "chance": 0.001}, "10": ...}, ...},
         "examples": 1000, "sides": {"first": {"linear": {"jepa": 0.5, "random": 0.4, "pixels": 0.2}, ...}, ...}}

    recall at k: the share of examples of which what belongs to them is among the k targets nearest (by the cosine) to
    what is predicted of it. Two examples of which one array is the very same, such as a caption, belong together: each
    is as right an answer as the other, and equal targets are one. "chance" is the recall of a random order. sides: the
    usual probes on the mean token of each array, encoded alone, and on the array as it is, where there are labels of at
    least two classes.
    """
    source = run.source("val")
    rows = np.random.default_rng(0).permutation(len(source))[:MOST]
    x: Any = source.normalize(source.read(rows))
    models = {"jepa": run.model} | ({} if twin is None else {"random": twin})
    found = {row: answers(run, model, x) for row, model in models.items()}
    same = np.stack([alike(part) for part in x.values()])  # (2, n)
    recall: dict[str, Any] = {}
    for way in found["jepa"]:
        of = list(x).index(way[1])
        by = {row: recalls(*told[way], same, of) for row, told in found.items()} | {"chance": chances(same, of)}
        recall[" to ".join(way)] = {str(k): {row: told[k] for row, told in by.items()} for k in RANKS}
    return {"recall": recall, "examples": len(rows), "sides": _sides(run, models, list(x))}


def answers(run: Run, model: JEPA, x: Any) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Return what is predicted of normalized examples, and the true targets, (n, d) each, of each way that is asked.

    x: the arrays (n, *shape) by name.
    A way is the name of the array that predicts, and that of the one that is predicted.
    """
    encoder: Any = model.context.encoder
    batch, n = run.task.ask(x, encoder.grid, Generators([], np.random.default_rng(0))), size_of(x)
    training, names, found = model.training, list(x), list[Any]()
    model.eval()
    with mt.no_grad():
        for i in range(0, n, 256):
            part = each(partial(mt.Tensor, device=run.device), rows(x, slice(i, i + 256)))
            kept: Any = (None if side is None else side[i : i + 256] for side in batch.keep)
            _, predictions, targets, *_ = mt.data_parallel(model.part, part, Keep(*kept), None, batch.asked)
            found.append([[s.numpy()[:, 0] for s in pair] for pair in zip(predictions, targets, strict=True)])
    model.train(training)
    told = {}
    for (a, b), parts in zip(batch.asked.ways, zip(*found, strict=True), strict=True):
        prediction, target = (np.concatenate(side) for side in zip(*parts, strict=True))
        told[names[a], names[b]] = prediction, target
    return told


def alike(x: Array) -> Index:
    """Return a number for each example (n, *shape), the same for those that are equal, gaps included.

    >>> alike(np.float32([[1, np.nan], [2, 3], [1, np.nan]])).tolist()
    [0, 1, 0]
    """
    rows = np.nan_to_num(x.reshape(len(x), -1), nan=-(2.0**100))
    places: dict[bytes, int] = {}
    return np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], np.int64)


def recalls(prediction: Array, target: Array, same: Index, of: int = 0) -> dict[int, float]:
    """Return the recall at each of `RANKS` of predictions (n, d) among targets (n, d) of the array number `of`.

    same (arrays, n): examples with the same number in some row belong together; targets with the same number in row
    `of` are one target.

    >>> eye = np.eye(20, dtype=np.float32)
    >>> recalls(eye, eye, np.arange(20)[None]), recalls(np.roll(eye, 1, axis=0), eye, np.arange(20)[None])[1]
    ({1: 1.0, 10: 1.0}, 0.0)
    """
    once = distinct(same[of])
    p, t, most = unit(prediction), unit(target[once]), min(max(RANKS), len(once))
    hits = np.zeros((len(p), most), bool)
    for i in range(0, len(p), 256):
        order = once[np.argsort(-(p[i : i + 256] @ t.T), axis=1, kind="stable")[:, :most]]
        hits[i : i + 256] = (same[:, order] == same[:, i : i + 256, None]).any(axis=0)
    return {k: float(hits[:, :k].any(axis=1).mean()) for k in RANKS}


def distinct(numbers: Index) -> Index:
    """Return where each number stands first, ascending.

    >>> distinct(np.array([5, 5, 2, 5, 2])).tolist()
    [0, 2]
    """
    return np.sort(np.unique(numbers, return_index=True)[1])


def chances(same: Index, of: int = 0) -> dict[int, float]:
    """Return the recall that a random order of the targets has: 1 - C(n - m, k) / C(n, k), m that belong, averaged.

    >>> chances(np.array([[0, 0, 1, 2], [0, 1, 2, 3]]), of=1)[1]
    0.375
    """
    once = distinct(same[of])
    n, m = len(once), np.array([np.count_nonzero((same[:, once] == own[:, None]).any(axis=0)) for own in same.T])
    found = {}
    for k in RANKS:
        miss = np.prod([np.clip((n - m - i) / max(n - i, 1), 0, 1) for i in range(min(k, n))], axis=0)
        found[k] = float(np.mean(1 - miss))
    return found


def _sides(run: Run, models: Mapping[str, JEPA], names: Sequence[str]) -> dict[str, Any]:
    """Return the probes of each array's own features, beside the untrained encoder's and the array itself."""
    settings = run.config.evaluation
    parts = {name: Part.of(run.source(name), settings.max_images, run.config.seed) for name in ("train", "val")}
    if any(part.labels is None for part in parts.values()) or len(parts["train"].classes) < 2:
        return {}
    protocol, found = Protocol(settings.k, settings.C, run.config.seed), dict[str, Any]()
    sides: Any = parts["train"].source
    for name in names:
        rows: dict[str, Any] = {}
        for row, model in models.items():
            encoder = model.encoders[settings.encoder]
            rows[row] = _rows(parts, lambda x, e=encoder, s=name: frozen.frozen(e, lambda x: e.alone(x, s), x))
        rows["pixels"] = _rows(parts, lambda x, s=name: sides.sides[s].raw(x[s]))
        table = probe_table(rows, parts["train"].labels, parts["val"].labels, protocol)
        found[name] = {probe: table[probe] for probe in PROBES if probe in table}
    return found


def _rows(parts: Mapping[str, Part], f: Any) -> tuple[Array, Array]:
    return parts["train"].rows(f, "features of an array"), parts["val"].rows(f, "features of an array")


def sentences(found: dict[str, Any], rows: Mapping[str, str]) -> list[str]:
    """Say how often what belongs together is found, from each array to the other."""
    said = []
    for way, table in found["recall"].items():
        parts = []
        for k, row in table.items():
            others = ", ".join(f"{rows[name]} {100 * value:.1f} %" for name, value in row.items() if name != "jepa")
            parts.append(f"{100 * row['jepa']:.1f} % at {k} ({others})")
        said.append(f"Recall among {found['examples']:,} held-out examples, {way}: {'; '.join(parts)}.")
    return said


def tables(found: dict[str, Any], rows: Mapping[str, str]) -> list[Table]:
    """Return the recall of each way, and the probes of each array."""
    heads = [f"{way}, recall at {k}" for way, table in found["recall"].items() for k in table]
    cells = [of for table in found["recall"].values() for of in table.values()]
    made = [_table("what belongs together is found", heads, cells, rows)]
    for name, probes in found["sides"].items():
        titles = [PROBES[probe].title for probe in probes]
        made.append(_table(f"features of the {name} array alone", titles, list(probes.values()), rows))
    return made


def _table(title: str, heads: list[str], cells: list[dict[str, float]], rows: Mapping[str, str]) -> Table:
    names = {row: text for row, text in rows.items() if any(row in of for of in cells)}
    lines = [[text, *(f"{100 * of[row]:.1f} %" if row in of else "" for of in cells)] for row, text in names.items()]
    return Table([title, *heads], lines)
