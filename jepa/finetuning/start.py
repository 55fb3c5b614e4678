"""Where a fine-tuning starts: an encoder, with the examples and settings that go with it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jepa import contracts
from jepa.config import Config, changed
from jepa.encoders.base import Encoder
from jepa.errors import ConfigError, DataError
from jepa.evaluation.embed import pretrained
from jepa.evaluation.split import Part
from jepa.learner import JEPA
from jepa.parts import Unmade, chosen, made
from jepa.runs.run import choose_device, load_run

SCRATCH = "scratch"
TITLES = {"jepa": "trained encoder", "pretrained": "published weights", SCRATCH: "same network from scratch"}
"""what each beginning is called"""


@dataclass(frozen=True)
class Start:
    """An encoder that learned without these labels, and what it is fine-tuned on."""

    name: str
    """what it is called in the results"""
    origin: str
    """where the weights come from"""
    encoder: Any
    source: Any
    augment: Any
    config: Config
    """of it `finetune`, `evaluation`, `seed` and the loading threads count"""

    def parts(self) -> tuple[Part, Part]:
        """Return the labeled training examples, and those that are scored and do nothing else.

        Raises DataError if there are no labels of two classes at least.
        """
        most, seed = self.config.evaluation.max_images, self.config.seed
        train, test = (Part.of(self.source.split(part), most, seed) for part in ("train", "val"))
        for part, where in ((train, "training"), (test, "held-out")):
            if part.labels is None:
                raise DataError(
                    f"fine-tuning needs labels, and the {where} examples have none: put the images of each class into "
                    "a sub-folder, give the array labels, or name labeled data with --data"
                )
        if len(train.classes) < 2:
            raise DataError("fine-tuning needs at least two classes, and the training examples have one: add another")
        return train, test

    def check(self) -> None:
        """Raise ConfigError for examples of several arrays, another pooling than there is, changes that do not fit."""
        if isinstance(self.source.shape, Mapping):
            raise ConfigError(
                f"fine-tuning takes examples of one array, the source's have several ({', '.join(self.source.shape)}): "
                "take one of its encoders, in Python jepa.finetune(run.model.context.encoder.sides[NAME], source)"
            )
        self.augment.check(self.source.shape)
        if isinstance(self.encoder, Encoder):
            try:
                self.encoder.check_pool(self.config.evaluation.pool)
            except ValueError as error:
                raise ConfigError(f"evaluation.{error}") from error

    def beginnings(self) -> dict[str, Callable[[], Any]]:
        """Return what makes the encoder that a training begins with, by name: the trained one, and a fresh one.

        There is no fresh one of a class without Settings.
        """
        choice = chosen("encoder", self.encoder)
        found: dict[str, Callable[[], Any]] = {self.name: lambda: copy.deepcopy(self.encoder)}
        if not isinstance(choice.settings, Unmade):
            found[SCRATCH] = lambda: made(choice, "encoder", self.source.shape)
        return found


def of_run(run_dir: str | Path, data: str | Path | None, device: str, words: Sequence[str], **given: Any) -> Start:
    """Return a run's encoder, that of `evaluation.encoder`, with the run's own examples or those in `data`."""
    run = load_run(run_dir, device=device, settings=words, **given)
    root = data if data is not None else run.config.evaluation.data
    encoder, origin = _of_learner(run.model, run.config.evaluation.encoder), f"{run_dir}, step {run.step}"
    config = replace(run.config, device=run.device)
    return Start("jepa", origin, encoder, run.source(None, root), run.task.augment, config)


def of_weights(weights: str | Path, data: str | Path, device: str, words: Sequence[str]) -> Start:
    """Return the encoder of published weights, with a folder of images, brought to their size."""
    encoder, source = pretrained(weights, data, [word for word in words if word.startswith("source.")])
    config = changed(Config(), [word for word in words if not word.startswith("source.")])
    config = replace(config, device=choose_device(device), encoder=chosen("encoder", encoder))
    return Start("pretrained", str(weights), encoder, source, made(config.augment, "augment"), config)


def of_encoder(encoder: Any, source: contracts.Source, augment: Any, config: Config) -> Start:
    """Return an encoder, or that of a learner, with a source of labeled examples."""
    config = replace(config, device=choose_device(config.device), augment=chosen("augment", augment))
    encoder = _of_learner(encoder, config.evaluation.encoder) if isinstance(encoder, JEPA) else copy.deepcopy(encoder)
    return Start(
        "jepa", "an encoder in memory", encoder, source, augment, replace(config, encoder=chosen("encoder", encoder))
    )


def _of_learner(model: JEPA, which: str) -> Any:
    """Return a copy of one of a learner's encoders whose parameters can learn: those of a moving average cannot."""
    encoder = copy.deepcopy(model.context.encoder)
    encoder.load_state_dict(model.encoders[which].state_dict())  # type: ignore[attr-defined]
    return encoder
