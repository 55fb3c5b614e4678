"""Fine-tuning: on each share of the labels the trained encoder, and beside it the same network from scratch."""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minitensor as mt
from jepa import contracts
from jepa.config import Choice, Config, FinetuneSettings, TrainSettings, differences
from jepa.errors import ConfigError, RunError
from jepa.evaluation.probes import chance
from jepa.evaluation.split import Part
from jepa.files.mark import read_object
from jepa.finetuning.classifier import Classifier
from jepa.finetuning.labels import Changed, Tuning, share_of
from jepa.finetuning.start import SCRATCH, TITLES, Start, of_encoder, of_run
from jepa.runs.checkpoint import drop_after, list_checkpoints, load_weights, read_checkpoint
from jepa.runs.folder import alone, check_new, environment, read_config, write_settings
from jepa.runs.owned import clear, replace_text
from jepa.runs.run import located
from jepa.sources.base import Source
from jepa.text import did_you_mean
from jepa.training.log import RunLog
from jepa.training.loop import Trainer
from jepa.training.optimizer import AdamW
from jepa.transforms.augment import Nothing

FIGURES = "finetune.json"
ALONE = "No network from scratch beside it: the encoder is of a class without Settings, and cannot be made again."
MOST_CLASSES = 100  # of which a confusion matrix is kept


def finetune(
    start: Any,
    source: contracts.Source | str | Path | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Train a classifier on a trained encoder, and the encoder with it, on shares of the labels; return the figures.

    For each share in `labels` two models are trained, with the same network, steps and augmentation: from the trained
    encoder (`Classifier` says how), and from scratch, with fresh weights, where all layers learn at the same rate from
    the first step. The share is drawn from the training examples by the seed, each class alike. Of it a part,
    `validation`, chooses the epoch whose weights are kept. The held-out examples ("val") are scored once, at the end.

    start: a run's folder, an encoder, or a `JEPA`. source: labeled examples, or a folder or file of them; None: those
    of the run. out: the folder that is written, RUN-finetuned or runs/finetuned by default; what was finished there
    with these settings is not done again, and what was stopped goes on. settings: those of
    `jepa.config.FinetuneSettings` (labels, epochs, lr, ...); seed, device, and `augment`, the run's by default.

    ``finetune.json`` has for each model under ``results``: ``start`` and ``labels``, how many ``examples`` have a label
    (``learned`` from, ``chose``), ``steps``, the ``step`` whose weights are kept, ``accuracy`` on ``test`` held-out
    examples, and ``confusion``, counts by true class and answer. Its folder has metrics, log and checkpoints.

    Raises JEPAError with one sentence for settings that do not exist, examples without labels, and a folder with
    something else in it; KeyboardInterrupt after a checkpoint was written.

    >>> import jepa, tempfile
    >>> x = np.random.default_rng(0).normal(size=(80, 2, 16)).astype(np.float32)
    >>> x[:40] += 2
    >>> source = jepa.sources.Arrays(x, ["high"] * 40 + ["low"] * 40)
    >>> encoder = jepa.encoders.MLP(source.shape, width=16)
    >>> found = jepa.finetune(encoder, source, labels=[0.2], epochs=3, epoch_steps=20, out=tempfile.mkdtemp())
    >>> [result["start"] for result in found["results"]], found["results"][0]["accuracy"] > 0.5
    (['jepa', 'scratch'], True)
    """
    own = {f.name for f in fields(FinetuneSettings)}
    known = [*own, "seed", "device", "augment"]
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"finetune has no setting {name!r}.{did_you_mean(name, known) or ' It has ' + ', '.join(sorted(known))}"
            )
    if team := mt.teams.join():
        raise ConfigError(f"finetune does not share its work out among {team.size} processes: start it without mpiexec")
    device = settings.get("device", "auto")
    if isinstance(start, str | Path):
        data = source if isinstance(source, str | Path) else None
        given = {} if data is source else {"source": source}
        begun, folder = of_run(start, data, device, [], **given), f"{start}-finetuned"
        begun = replace(begun, augment=settings.get("augment", begun.augment))
    else:
        if source is None or isinstance(source, str | Path):
            raise ConfigError(
                "an encoder is fine-tuned on a source of labeled examples: give one, such as Arrays(x, y)"
            )
        folder = "runs/finetuned"
        begun = of_encoder(start, source, settings.get("augment", Nothing()), Config(device=device))
    config = begun.config
    config = replace(
        config,
        seed=settings.get("seed", config.seed),
        finetune=replace(config.finetune, **{name: settings[name] for name in own & settings.keys()}),
    )
    return tuned(replace(begun, config=config), Path(folder if out is None else out), overwrite=overwrite)


def tuned(start: Start, out: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Fine-tune in a folder, and return the figures (`finetune`)."""
    start.check()
    train, test = start.parts()
    before = _ready(out, overwrite)
    with alone(out):
        if before is None:
            clear(out)
        config = _kept(start, out)
        if before is None:
            write_settings(out, config, environment(config.device, mt.get_num_threads()))
        else:
            _check_same(out, config, before, start.origin)
        assert test.labels is not None, "they were asked for"
        found: dict[str, Any] = {
            "origin": start.origin,
            **({} if SCRATCH in start.beginnings() else {"note": ALONE}),
            "shape": list(start.source.shape),
            "classes": list(start.source.classes),
            "pool": config.evaluation.pool,
            "test": len(test.kept),
            "chance": chance(train.labels, test.labels),  # type: ignore[arg-type]
            "results": [] if before is None else before["results"],
        }
        _write(out, found)
        done = {(result["start"], result["labels"]) for result in found["results"]}
        for share in config.finetune.labels:
            for name, encoder in start.beginnings().items():
                if (name, share) not in done:
                    job = Job(name, share, config, out / f"{name}-{share:g}")
                    found["results"].append(job.result(start, encoder, train, test))
                    _write(out, found)
    return found


def _write(out: Path, found: Mapping[str, Any]) -> None:
    replace_text(out / FIGURES, json.dumps(found) + "\n")


class Job(NamedTuple):
    """One model to train: from a beginning, on a share of the labels."""

    start: str
    share: float
    config: Config
    folder: Path

    def result(self, start: Start, encoder: Any, train: Part, test: Part) -> dict[str, Any]:
        """Train it, or go on with it, and return its figures."""
        s, seed, clock = self.config.finetune, self.config.seed, time.monotonic()
        examples = share_of(train, self.share, s.validation, s.epoch_steps * s.batch_size, seed)
        mt.manual_seed(seed)
        fresh, title = self.start == SCRATCH, TITLES[self.start]
        model = Classifier(
            encoder(),
            start.source.shape,
            len(start.source.classes),
            pool=self.config.evaluation.pool,
            layer_decay=1.0 if fresh else s.layer_decay,
            freeze=0.0 if fresh else s.freeze,
        )
        parts: Any = Tuning(examples, Changed(start.augment), model)
        config = _training(self.config, len(examples.train))
        trainer = Trainer(config, self.folder, config.device, parts)
        if earlier := list_checkpoints(self.folder):
            trainer.restore(earlier[-1])
            drop_after(self.folder, trainer.step, 0)
        self.folder.mkdir(parents=True, exist_ok=True)
        log = RunLog(self.folder, step=trainer.step, steps=trainer.steps)
        try:
            many = f"{self.share:.3g} of the labels, {examples.examples + len(examples.val)} examples"
            log.say(f"{title}: {trainer.steps} steps on {many} -> {self.folder}")
            trainer.run(log)
            step = load_best(model, self.folder, config)
            scores = _scores(model, test)
            log.say(f"{title}: {100 * scores['accuracy']:.1f} % of {len(test.kept)} held-out examples right")
        except KeyboardInterrupt:
            log.say(f"stopped at step {trainer.step} of {trainer.steps}: the same command goes on")
            raise
        finally:
            log.close()
        counts = {"examples": examples.examples + len(examples.val), "learned": examples.examples}
        counts |= {"chose": len(examples.val), "steps": trainer.steps, "step": step}
        what = {"start": self.start, "title": title, "labels": self.share, "folder": self.folder.name}
        return {**what, **counts, **scores, "seconds": round(time.monotonic() - clock, 1)}


def load_best(model: Classifier, folder: Path, config: Config) -> int:
    """Put the kept weights of a training into its model, those of the best epoch if any chose; return their step."""
    best = folder / "checkpoints" / "best.safetensors"
    path = best if best.exists() else list_checkpoints(folder)[-1]
    arrays, metadata = read_checkpoint(path)
    load_weights(model, path, (arrays, metadata), config)
    step: int = metadata["step"]
    return step


def _training(config: Config, examples: int) -> Config:
    """Return the configuration of the training loop."""
    s, steps = config.finetune, config.finetune.epochs * (examples // config.finetune.batch_size)
    optimizer = AdamW(lr=s.lr, weight_decay=s.weight_decay, warmup_steps=steps // 10, final_lr=0.0)
    loading: dict[str, Any] = {"prefetch": config.train.prefetch, "threads": config.train.threads}
    return replace(
        config,
        train=TrainSettings(epochs=s.epochs, batch_size=s.batch_size, keep=0, **loading),
        optimizer=Choice("adamw", optimizer),
        evaluation=replace(config.evaluation, every=None),
    )


def _scores(model: Classifier, test: Part) -> dict[str, Any]:
    """Return the accuracy on examples, and how often each class was taken for each other."""
    labels, classes = test.labels, model.head.out_features
    assert labels is not None, "they were asked for"
    answers = test.rows(lambda x: model.probabilities(x), "scoring").argmax(axis=1)
    confusion = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)
    found = {"accuracy": float(np.mean(answers == labels))}
    return found | ({"confusion": confusion.tolist()} if classes <= MOST_CLASSES else {})


def _kept(start: Start, out: Path) -> Config:
    """Return the configuration as it is written down: where the examples are, and how they are normalized."""
    source = start.source
    choice = located(source.stored(out) if isinstance(source, Source) else source)
    if isinstance(source, Source):
        mean, std = (tuple(map(float, np.ravel(v))) for v in source.scale)
        choice = choice._replace(settings=replace(choice.settings, mean=mean, std=std))
    return replace(start.config, source=choice)


def _ready(out: Path, overwrite: bool) -> dict[str, Any] | None:
    """Return the figures of a fine-tuning that goes on in this folder; None for a new one. What is replaced is deleted.

    Raises RunError if there is something else in it.
    """
    try:
        before: dict[str, Any] | None = read_object(out / FIGURES)
    except (OSError, ValueError):
        before = None
    if before is None:
        check_new(out, overwrite=False)
    elif overwrite:
        check_new(out, overwrite=True)
        for path in out.glob("*/train.log"):
            clear(path.parent)
            with contextlib.suppress(OSError):  # something of somebody else's is in it
                path.parent.rmdir()
        clear(out)
        return None
    return before


def _check_same(out: Path, config: Config, before: Mapping[str, Any], origin: str) -> None:
    """Raise RunError if the fine-tuning in a folder is another one."""
    found = {key: pair for key, pair in differences(read_config(out), config).items() if not key.startswith(FREE)}
    found |= {} if before["origin"] == origin else {"the start": (before["origin"], origin)}
    if found:
        said = "; ".join(f"{key} was {a}, now {b}" for key, (a, b) in found.items())
        raise RunError(f"{out} has a fine-tuning with other settings: {said}. Take another --out, or --overwrite")


FREE = ("name", "device", "train", "finetune.labels")
"""settings that may differ when a fine-tuning goes on"""
