"""Evaluating a finished run: the frozen encoder against raw pixels, the same encoder untrained, and chance."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.config import patch_size
from jepa.evaluation.attentive_probe import attentive_probe
from jepa.evaluation.dimension import correlation_dimension
from jepa.evaluation.patches import cut
from jepa.evaluation.protocol import chance, probe_table
from jepa.evaluation.quality import effective_rank, feature_std, uniformity
from jepa.evaluation.split import stratified
from jepa.evaluation.streamed import streamed
from jepa.files.mark import read_object
from jepa.runs import pipeline
from jepa.runs.owned import check_replaceable, replace_text
from jepa.text import listed

CALIBRATION = 2048
"""Training images that an untrained encoder takes its batch-norm statistics from, at most."""
HEALTH_IMAGES = 4096
"""Held-out images that the health figures look at, at most."""
ATTENTIVE_IMAGES = 4000
"""Images of each split that the attentive probe uses, at most: it keeps every token of each."""


class Part(NamedTuple):
    """One split of the images, and which of them are used."""

    images: Any
    """the dataset"""
    kept: NDArray[np.int64]
    """positions in it"""
    labels: Any
    """their classes, or None"""


def evaluate_run(
    run_dir: str | Path, *, data: str | Path | None = None, device: str = "auto", settings: Sequence[str] = ()
) -> dict[str, Any]:
    """Evaluate a run on held-out images and write the figures into its folder.

    One protocol for every row (`probe_table`): linear probe and kNN, learned from the training images without
    augmentation, tested on the held-out ones. The rows are

    - ``jepa``: features of the trained encoder, frozen (`evaluation.encoder`: the target encoder by default);
    - ``random``: the same encoder at random initialisation, its batch-norm statistics calibrated on the training
      images; the median over `evaluation.random_seeds` initialisations;
    - ``pixels``: the images themselves, as the encoder sees them;
    - ``chance``: always the most frequent training class.

    A masked method has a third probe, the attentive one, on the tokens of at most 4000 images of each split.

    Parameters
    ----------
    run_dir : path
        A run folder with a checkpoint.
    data : path, optional
        Another folder of images than the one of the configuration (`data.eval_root`, else the training data). The
        figures then go into ``evaluation-FOLDER.json``, so that those of the run itself stay (with a hash of the whole
        path behind it, if another folder of this name was evaluated before).
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    settings : list of str
        Settings other than the run's, such as ``evaluation.max_images=10000``; they are noted under ``settings``.

    Returns
    -------
    dict
        What is in ``evaluation.json``: accuracies are fractions under ``linear`` and ``knn``; ``step`` is the step that
        the weights are of; ``random_seeds`` lists the accuracy of each random encoder; ``effective_rank``,
        ``feature_std``, ``correlation_dimension`` and ``uniformity`` describe the held-out features (``untrained``:
        those of the first random encoder); ``geometry`` has the held-out loss of the predictions with the true target
        geometry (``loss``) and with another image's (``shuffled``), and their ratio.
        Without labels of at least two classes there are no probes, and ``note`` says so.

    Raises
    ------
    JEPAError
        If the run or the data cannot be read.
    """
    from jepa.runs.run import load_run

    started = time.perf_counter()
    run_dir = Path(run_dir)
    run = load_run(run_dir, device=device, settings=settings)
    out = run_dir / _file_name(run_dir, data)
    check_replaceable(out)
    protocol = run.config.evaluation
    root = str(data) if data is not None else run.config.data.eval_root or None
    parts: dict[str, Part] = {}
    for split in ("train", "val"):
        found = run.dataset(split, root)
        kept = _limited(len(found), found.labels, protocol.max_images, seed=run.config.seed)
        parts[split] = Part(found, kept, None if found.labels is None else found.labels[kept])
    classes = found.classes
    labels = {split: part.labels for split, part in parts.items()}
    features = {
        split: streamed(
            lambda x: run.features(run.normalized(x)), part.images, part.kept, f"features of {split} images"
        )
        for split, part in parts.items()
    }  # (N, D)

    held_out = features["val"][:HEALTH_IMAGES]
    health = _health(held_out)
    result: dict[str, Any] = {
        "data": root or pipeline.source(run.config),
        "step": run.step,
        "encoder": protocol.encoder,
        **({"settings": list(settings)} if settings else {}),
        "images": len(parts["val"].kept),
        "train_images": len(parts["train"].kept),
        "classes": len(classes),
        "feature_dim": held_out.shape[1],
        **health,
    }
    unlabelled = [name for name, codes in labels.items() if codes is None]
    present = {split: set() if codes is None else set(codes.tolist()) for split, codes in labels.items()}
    if unlabelled or len(present["train"]) < 2:
        why = f"the images of {' and '.join(unlabelled)} have no labels" if unlabelled else "there is only one class"
        result["note"] = (
            f"No linear probe and no kNN: {why}. Put the images of each "
            "class into a sub-folder, or name a labelled folder with --data."
        )
    else:
        result |= _probes(run, features, parts)
        if note := _absent(classes, present):
            result["note"] = note
    if data is None:
        result["geometry"] = run.validation_losses()
    result["seconds"] = round(time.perf_counter() - started, 2)

    replace_text(out, json.dumps(result, indent=2) + "\n")
    return result


def _absent(classes: Sequence[str], present: dict[str, set[int]]) -> str:
    """Say which classes have no images in a split, by name: the first ten."""
    absent = {split: [name for i, name in enumerate(classes) if i not in codes] for split, codes in present.items()}
    return " ".join(f"Classes without images in {split}: {listed(names)}." for split, names in absent.items() if names)


def _health(z: NDArray[np.float32]) -> dict[str, float | None]:
    """Return the label-free figures of features (n, d); None where they cannot be told."""
    dimension = correlation_dimension(z)
    return {
        "feature_std": feature_std(z),
        "effective_rank": effective_rank(z),
        "correlation_dimension": dimension if np.isfinite(dimension) else None,
        "uniformity": uniformity(z) if len(z) > 1 else None,
    }


def _file_name(run_dir: Path, data: str | Path | None) -> str:
    """Name the file for a folder of images, so that no other folder's figures are replaced."""
    if data is None:
        return "evaluation.json"
    here = Path(data).resolve()
    name = f"evaluation-{here.name[:60]}"  # names of files end at 255 bytes
    try:
        same = Path(read_object(run_dir / f"{name}.json")["data"]).resolve() == here
    except (OSError, ValueError, KeyError, TypeError):
        return f"{name}.json"
    return f"{name}.json" if same else f"{name}-{hashlib.sha256(str(here).encode()).hexdigest()[:6]}.json"


def _probes(run: Any, features: dict[str, NDArray[Any]], parts: dict[str, Part]) -> dict[str, Any]:
    """Every row of the table; the random encoders are folded into their median."""
    from jepa.runs.run import features as features_of
    from jepa.runs.run import random_twin

    settings, train, val = run.config.evaluation, parts["train"], parts["val"]

    def rows_of(function: Callable[[Any], Any], doing: str) -> tuple[NDArray[Any], NDArray[Any]]:
        train_rows, test_rows = (streamed(function, part.images, part.kept, doing) for part in (train, val))
        return train_rows, test_rows

    rows: dict[str, Any] = {
        "jepa": (features["train"], features["val"]),
        "pixels": lambda: rows_of(lambda x: run.normalized(x).reshape(len(x), -1), "pixels"),
    }
    twins = [f"random {seed}" for seed in range(settings.random_seeds)]
    result: dict[str, Any] = {}
    calibration = run.normalized(train.images.images(train.kept[:CALIBRATION]))
    for seed, name in enumerate(twins):
        twin = random_twin(run.config, seed, calibration, device=run.device)
        rows[name] = rows_of(partial(_features, features_of, twin, run), f"features of untrained encoder {seed + 1}")
        if seed == 0:
            result["untrained"] = _health(rows[name][1][:HEALTH_IMAGES])
            if run.config.method != "crops":
                result["attentive"] = _attentive(run, twin, parts)
    table = probe_table(rows, train.labels, val.labels, k=settings.k, grid=settings.C, seed=run.config.seed)
    result |= {"random_seeds": {}, "k": min(settings.k, len(train.kept)), "C": table.pop("C")}
    for probe, row in table.items():
        accuracies = [row.pop(name) for name in twins]
        result["random_seeds"][probe] = accuracies
        if accuracies:
            row["random"] = float(np.median(accuracies))
        result[probe] = {name: row[name] for name in ("jepa", "random", "pixels", "chance") if name in row}
    return result


def _features(features_of: Callable[..., Any], model: Any, run: Any, images: NDArray[Any]) -> Any:
    return features_of(model, run.config, run.normalized(images))


def _attentive(run: Any, twin: Any, parts: dict[str, Part]) -> dict[str, float]:
    """Return the attentive probe's accuracy on tokens: of the trained encoder, its twin, and the patches' pixels."""
    seed, x, codes = run.config.seed, [], []
    for part in parts.values():
        chosen = _limited(len(part.kept), part.labels, ATTENTIVE_IMAGES, seed=seed)
        x.append((part.images, part.kept[chosen]))
        codes.append(part.labels[chosen])
    side, encoder = patch_size(run.config), run.config.evaluation.encoder
    tokens: dict[str, Any] = {
        "jepa": lambda a: run.model.tokens(run.normalized(a), encoder=encoder),
        "random": lambda a: twin.tokens(run.normalized(a), encoder=encoder),
        "pixels": lambda a: cut(run.normalized(a), side),
    }
    train, test = codes
    row = {}
    for name, function in tokens.items():
        first, second = (streamed(function, *where, "tokens") for where in x)
        row[name] = attentive_probe(first, train, second, test, seed=seed).accuracy
    return row | {"chance": chance(train, test)}


def _limited(count: int, labels: NDArray[Any] | None, limit: int, *, seed: int) -> NDArray[np.int64]:
    """Positions of at most `limit` images (0: all), stratified if there are labels."""
    codes = np.zeros(count, dtype=np.int64) if labels is None else labels
    return stratified(codes, limit or count, generator=np.random.default_rng(seed))
