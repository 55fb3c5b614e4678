"""Evaluating a run: the frozen encoder against raw input, the same encoder untrained, and chance."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.errors import ConfigError
from jepa.evaluation import measures, methods
from jepa.evaluation.crops import averaged, center, scattered
from jepa.evaluation.kmeans import patch_features
from jepa.evaluation.patches import cut, starts
from jepa.evaluation.probes import PROBES, Protocol, figures, probe_table, row_titles
from jepa.evaluation.split import Part, for_probes, shared
from jepa.files.mark import read_object
from jepa.learner import JEPA
from jepa.runs.owned import check_replaceable, replace_text
from jepa.runs.run import Run, load_run
from jepa.several import Joint, each, rows, size_of
from jepa.sources.base import Source
from jepa.text import listed

CALIBRATION = 2048  # training examples at most, from which an untrained encoder has its batch-norm statistics
HEALTH_IMAGES = 4096  # held-out examples at most, that the figures without labels look at
TOKEN_IMAGES = 4000  # examples of each split at most, of which probes of tokens keep every token
ONLINE = (0.01, 0.1)  # strengths C of the linear probe during training: a look at every few epochs, not the last word

ALONE = "No untrained encoder beside it: a part of the model is of a class without Settings, and cannot be made again."

Array = NDArray[np.float32]
Parts = dict[str, Part]


def evaluate_run(
    run_dir: str | Path,
    *,
    data: str | Path | None = None,
    device: str = "auto",
    settings: Sequence[str] = (),
    **given: Any,
) -> dict[str, Any]:
    """Evaluate a run on held-out examples, write the figures into its folder, and return them.

    One protocol for every row (`probe_table`): linear probe and kNN, learned from the training examples without
    augmentation, tested on the held-out ones. The rows are

    - ``jepa``: features of the trained encoder, frozen (`evaluation.encoder`: the target encoder by default), or of a
      layer of the projector behind it (`evaluation.layer`);
    - ``center`` and ``crops``, with `evaluation.crops`: the same of one crop from the middle, and averaged over crops;
    - ``random``: the same encoder at random initialization, its batch-norm statistics calibrated on the training
      examples; the median over `evaluation.random_seeds` initializations; not of a model with a class without Settings;
    - ``pixels``: the examples themselves, as the encoder sees them, or what the source says is to be read of them
      (`Source.raw`), whether or not they are images;
    - ``kmeans``, ``patches``: distances to so many centroids of whitened patches, found by k-means, and to patches
      drawn at random (`jepa.evaluation.kmeans`), where `evaluation.kmeans` gives a number;
    - ``chance``: always the most frequent training class.

    Where there is a projector, ``layers`` has the figures of the encoder and of each layer of the projector, of at most
    4000 examples of each split and with two strengths of regularization to choose from: a look, to see which layer is
    worth the whole protocol. Where a task asks for single places there is a third probe, the attentive one, on the
    tokens of at most 4000 examples of each split.

    run_dir: a run folder with a checkpoint. data: another folder or file of examples than the one of the configuration
    (`evaluation.data`, else the training data); the figures then go into ``evaluation-NAME.json``, so that those of the
    run itself stay (with a hash of the whole path behind it, if other data of this name were evaluated before). device:
    auto, cpu, cuda or cuda:1. settings: other ones than the run's, such as ``evaluation.max_images=10000``; they are
    noted under ``settings``. given: `model`, `task` or `source`, where they cannot be made from their settings
    (`jepa.runs.run.load_run`).

    What is in ``evaluation.json``: accuracies are fractions under the names of `jepa.evaluation.probes.PROBES`;
    ``step`` is the step that the weights are of; ``random_seeds`` lists the accuracy of each random encoder; the names
    of `FIGURES` describe the held-out features (``untrained``: those of the first random encoder); ``geometry`` has the
    held-out loss of the predictions (``loss``) and, where examples are not all asked the same, with another example's
    question (``shuffled``), and their ratio. ``methods`` has the accuracies of simple methods for this kind of examples
    (`jepa.evaluation.methods`), and each further evaluation that the task or the source names stands under its name
    (`jepa.evaluation.measures`). Without labels of at least two classes there are no probes, and ``note`` says so.

    Raises JEPAError if the run or the data cannot be read.
    """
    started, run_dir = time.perf_counter(), Path(run_dir)
    run = load_run(run_dir, device=device, settings=settings, **given)
    out = run_dir / _file_name(run_dir, data)
    check_replaceable(out)
    protocol = run.config.evaluation
    root = data if data is not None else protocol.data
    team = mt.teams.join()
    chosen = {name: run.source(name, root) for name in ("train", "val")}
    parts = {k: for_probes(source, protocol.max_images, run.config.seed, team) for k, source in chosen.items()}
    source = parts["val"].source
    result: dict[str, Any] = {
        "data": str(root or (source.where if isinstance(source, Source) else "") or run.config.source.kind),
        "step": run.step,
        "encoder": protocol.encoder,
        **({"layer": protocol.layer} if protocol.layer else {}),
        **({"settings": list(settings)} if settings else {}),
        **measured(run, parts),
    }
    if data is None:
        result["geometry"] = run.held_out()
        named = measures.of(run.task, *([source] if isinstance(source, Source) else []))
        twin = run.random_twin(0, _calibration(parts["train"])) if named else None
        result |= {name: module.measured(run, twin) for name, module in named.items()}
    result["seconds"] = round(time.perf_counter() - started, 2)
    if team is None or team.rank == 0:
        replace_text(out, json.dumps(result, indent=2) + "\n")
    return result


def measured(run: Run, parts: Parts) -> dict[str, Any]:
    """Return the figures of the held-out features, and what the probes read out of them, as in evaluation.json."""
    note = _without_probes(parts)  # then nothing is read out of the features of "train"
    read = {name: part for name, part in parts.items() if name == "val" or not note}
    features = {name: part.rows(run.features, f"features of {name}") for name, part in read.items()}  # (N, d)
    held_out, source = features["val"][:HEALTH_IMAGES], parts["val"].source
    result: dict[str, Any] = {
        "shape": each(list, source.shape),
        **({"raw": source.raw_title} if isinstance(source, Source) and source.raw_title != Source.raw_title else {}),
        "images": len(parts["val"].kept),
        "train_images": len(parts["train"].kept),
        "classes": len(source.classes),
        "feature_dim": held_out.shape[1],
        **figures(held_out),
    }
    if not note:
        result |= _probes(run, features, parts)
        note = _absent(source.classes, {name: part.classes for name, part in parts.items()})
        note = note if "untrained" in result else f"{note} {ALONE}".strip()
    return result | ({"note": note} if note else {})


def _without_probes(parts: Parts) -> str:
    """Say why classes cannot be read out of features; nothing if they can."""
    without = [name for name, part in parts.items() if part.labels is None]
    what = "images" if len(parts["train"].source.shape) == 3 else "examples"
    if without:
        why = f"the {what} of {' and '.join(without)} have no labels"
    elif len(parts["train"].classes) < 2:
        why = "there is only one class"
    else:
        return ""
    way = "Put the images of each class into a sub-folder, or" if what == "images" else "Give the array labels, or"
    return f"No linear probe and no kNN: {why}. {way} name labeled data with --data."


def _absent(classes: Sequence[str], present: dict[str, set[int]]) -> str:
    """Say which classes have no examples in a split, by name: the first ten."""
    absent = {split: [name for i, name in enumerate(classes) if i not in codes] for split, codes in present.items()}
    return " ".join(f"Classes without images in {split}: {listed(names)}." for split, names in absent.items() if names)


def _file_name(run_dir: Path, data: str | Path | None) -> str:
    """Name the file for other data, so that no other data's figures are replaced."""
    if data is None:
        return "evaluation.json"
    here = Path(data).resolve()
    name = f"evaluation-{here.name[:60]}"  # names of files end at 255 bytes
    try:
        same = Path(read_object(run_dir / f"{name}.json")["data"]).resolve() == here
    except (OSError, ValueError, KeyError, TypeError):
        return f"{name}.json"
    return f"{name}.json" if same else f"{name}-{hashlib.sha256(str(here).encode()).hexdigest()[:6]}.json"


def _probes(run: Run, features: dict[str, Array], parts: Parts) -> dict[str, Any]:
    """Every row of the table; the random encoders are folded into their median."""
    settings, train, val = run.config.evaluation, parts["train"], parts["val"]
    calibration = _calibration(train)
    result: dict[str, Any] = {}
    rows: dict[str, Any] = {
        "jepa": (features["train"], features["val"]),
        **_crops(run, parts),
        "pixels": _made(parts, _raw(train.source), "raw input"),
    }
    if settings.kmeans and isinstance(train.source.shape, Mapping):
        raise ConfigError(
            f"evaluation.kmeans={settings.kmeans} takes patches of one array, the source has several: null"
        )
    rows |= _patch_rows(parts, settings.kmeans, run.config.seed) if settings.kmeans else {}
    twins, first = list[str](), run.random_twin(0, calibration)
    for seed in range(settings.random_seeds if first is not None else 0):
        twin = run.random_twin(seed, calibration) if seed else first
        twins.append(name := f"random {seed}")
        rows[name] = _made(parts, lambda x, twin=twin: run.features(x, twin), f"features of untrained encoder {seed}")()
        if seed == 0:
            result["untrained"] = figures(rows[name][1][:HEALTH_IMAGES])
    tokens = _token_table(run, first, parts) | _layers(run, parts)
    protocol = Protocol(settings.k, settings.C, run.config.seed)
    table = probe_table(rows, train.labels, val.labels, protocol)
    result |= {"random_seeds": {}, "k": min(settings.k, len(train.kept))}
    for name, row in table.items():
        if name in PROBES:
            result["random_seeds"][name] = accuracies = [row.pop(twin) for twin in twins]
            row |= {"random": float(np.median(accuracies))} if twins else {}
            row = {which: row[which] for which in row_titles() if which in row}
        result[name] = row
    if isinstance(train.source, Source) and train.source.methods:
        result["methods"] = methods.accuracies(train.source.methods, train, val, run.config.seed)
    return result | tokens


def _raw(source: Any) -> Callable[[Array], Array]:
    return source.raw if isinstance(source, Source) else lambda x: x.reshape(len(x), -1)


def _calibration(train: Part) -> Array:
    """Return the examples from which an untrained encoder has its batch-norm statistics."""
    x: Array = train.source.normalize(train.source.read(train.kept[:CALIBRATION]))
    return x


def _patch_rows(parts: Parts, centroids: int, seed: int) -> dict[str, Callable[[], tuple[Array, Array]]]:
    """Return the features of patches: with centroids of k-means, and with patches as they were drawn."""
    made: dict[str, Callable[[], tuple[Array, Array]]] = {}
    for name, f in patch_features(parts["train"], centroids, seed=seed).items():
        rows = _made(parts, f, f"features of {row_titles()[name]}")()  # once: they take minutes
        made[name] = partial(_copied, rows)
    return made


def _copied(rows: tuple[Array, Array]) -> tuple[Array, Array]:
    return rows[0].copy(), rows[1].copy()


def _made(parts: Parts, f: Callable[..., Array], doing: str) -> Callable[[], tuple[Array, Array]]:
    """Return a function that makes the rows of both parts."""
    return lambda: (parts["train"].rows(f, doing), parts["val"].rows(f, doing))


def _crops(run: Run, parts: Parts) -> dict[str, Callable[[], tuple[Array, Array]]]:
    """Return what makes the features of crops, if they are asked for."""
    s, shape = run.config.evaluation, parts["val"].source.shape
    if s.crops is None:
        return {}
    if isinstance(shape, Mapping):
        raise ConfigError(f"evaluation.crops={s.crops} cuts one array, and the source has several: take null")
    lengths = shape[1:]
    boxes = {"center": center(lengths, s.crop), "crops": scattered(lengths, s.crop, s.crops, run.config.seed)}
    return {name: _made(parts, averaged(run.features, some), f"features of {name}") for name, some in boxes.items()}


def _layers(run: Run, parts: Parts) -> dict[str, Any]:
    """Return the probes and the health of the encoder and of each layer of the projector, if there is one."""
    behind = run.model.context.layers_behind
    if not behind or run.config.evaluation.pool != "mean":
        return {}
    few = {name: part.limited(TOKEN_IMAGES, run.config.seed) for name, part in parts.items()}
    protocol, found = Protocol(run.config.evaluation.k, ONLINE, run.config.seed), []
    for layer in range(behind + 1):
        train, test = _made(few, lambda x, layer=layer: run.features(x, layer=layer), f"features of layer {layer}")()
        row = {"layer": layer, "dim": test.shape[1], **figures(test[:HEALTH_IMAGES])}
        table = probe_table({"row": (train, test)}, few["train"].labels, few["val"].labels, protocol)
        found.append({**row, **{name: table[name]["row"] for name in table if name in PROBES}})
    return {"layers": found}


def _token_table(run: Run, twin: JEPA | None, parts: Parts) -> dict[str, Any]:
    """Return the probes of tokens: of the trained encoder, its twin, and what lies at their places in the input."""
    which, grid = run.config.evaluation.encoder, run.model.context.encoder.grid
    if not run.task.places or math.prod(grid) == 1:
        return {}
    few = {name: part.limited(TOKEN_IMAGES, run.config.seed) for name, part in parts.items()}
    models = {"jepa": run.model} | ({} if twin is None else {"random": twin})
    rows = {row: _made(few, lambda x, of=of: frozen.tokens(of, x, which), "tokens") for row, of in models.items()}
    if not isinstance(grid, Joint):
        rows["pixels"] = _made(few, lambda x: np.nan_to_num(cut(x, starts(x.shape[2:], grid))), "tokens")
    labels = few["train"].labels, few["val"].labels
    return probe_table(rows, labels[0], labels[1], Protocol(seed=run.config.seed), tokens=True)


class OnlineProbe:
    """Linear probe and kNN on a part of the labeled examples of a run, the same ones each time.

    The examples are kept; the untrained twin's figures are computed once. It draws nothing from the generator that
    training uses, so a run is the same with and without it.
    """

    def __init__(self, run: Run, team: Any = None) -> None:
        self.team = team
        self.run, count = run, run.config.evaluation.online_images
        self.parts = [Part.of(run.source(split), count) for split in ("train", "val")]
        self.examples = [part.source.normalize(part.source.read(part.kept)) for part in self.parts]
        twin = run.random_twin(0, self.examples[0])
        self.untrained = {} if twin is None else self._figures(twin)

    def __call__(self, model: JEPA) -> dict[str, float]:
        """Return the accuracies of a model and of its untrained twin: probe/linear, probe/linear_random, ..."""
        twin = {f"probe/{name}_random": value for name, value in self.untrained.items()}
        return {**{f"probe/{name}": value for name, value in self._figures(model).items()}, **twin}

    def _features(self, model: JEPA, x: Any) -> Array:
        """Return the features of examples, of which each process of a team makes its part."""
        return shared(lambda own: self.run.features(rows(x, own), model), size_of(x), self.team)

    def _figures(self, model: JEPA) -> dict[str, float]:
        train, test = map(partial(self._features, model), self.examples)
        protocol = Protocol(self.run.config.evaluation.k, ONLINE)
        table = probe_table({"row": (train, test)}, self.parts[0].labels, self.parts[1].labels, protocol)
        return {name: row["row"] for name, row in table.items() if name in PROBES}
