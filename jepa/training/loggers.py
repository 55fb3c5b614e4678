"""Where the figures of a training go beside its folder: TensorBoard's files, and the two trackers that people ask for.

A logger of one's own is any class with the three methods of `Logger`; `jepa.fit(..., loggers=[Mine()])` tells it.
"""

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from jepa.errors import ConfigError


class Logger(Protocol):
    """Told of a training while it goes on. What it raises ends the logger, never the training."""

    def begin(self, folder: Path | None, settings: Mapping[str, Any], step: int, /) -> None:
        """Take the folder of the run (None: there is none), its settings by full key, and the step it begins at.

        A run that is resumed begins at a step above 0: what was told after it is told once more.
        """

    def log(self, figures: Mapping[str, float], step: int, /) -> None:
        """Take figures of a step: those of metrics.jsonl, of epochs as ``epoch/NAME``."""

    def end(self) -> None:
        """Write what is left: the training is over, was stopped or has failed."""


class TensorBoard:
    """Writes RUN/tensorboard, which ``tensorboard --logdir RUN`` shows; settings as a text.

    Raises ConfigError without tensorboardX, and for a training without a folder.
    """

    def __init__(self) -> None:
        self._module = _installed("tensorboardX", "minitensor-jepa[track]")
        self._writer: Any = None

    def begin(self, folder: Path | None, settings: Mapping[str, Any], step: int) -> None:
        """Open a file; a reader drops what an earlier one has behind `step`."""
        if folder is None:
            raise ConfigError("TensorBoard's files lie in the run's folder, and this training has none")
        self._writer = self._module.SummaryWriter(
            str(folder / "tensorboard"),
            purge_step=step + 1 if step else None,
            filename_suffix=f".{step}",  # a file that was begun in the same second would be written over
        )
        table = "\n".join(f"|{key}|{value}|" for key, value in settings.items())
        self._writer.add_text("settings", f"|setting|value|\n|-|-|\n{table}", step)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Write a scalar for each figure."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def end(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


class WandB:
    """Tells Weights & Biases, as ``wandb.init(name=NAME, group=NAME, config=settings)``; more words go to that call.

    A run that is resumed is another one there, of the same group. Raises ConfigError without wandb.
    """

    def __init__(self, **words: Any) -> None:
        self._module, self._words = _installed("wandb", "wandb"), words
        self._run: Any = None

    def begin(self, folder: Path | None, settings: Mapping[str, Any], step: int) -> None:
        """Begin a run."""
        name = str(settings.get("name", "run"))
        self._run = self._module.init(**{"name": name, "group": name, "config": dict(settings), **self._words})

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Tell figures."""
        self._run.log(dict(figures), step=step)

    def end(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()


class MLflow:
    """Tells MLflow, as ``mlflow.start_run(run_name=NAME)``; more words go to that call.

    A run that is resumed is another one there. Raises ConfigError without mlflow.
    """

    def __init__(self, **words: Any) -> None:
        self._module, self._words, self._begun = _installed("mlflow", "mlflow"), words, False

    def begin(self, folder: Path | None, settings: Mapping[str, Any], step: int) -> None:
        """Begin a run, with the settings as its parameters."""
        self._module.start_run(**{"run_name": str(settings.get("name", "run")), **self._words})
        self._begun = True
        self._module.log_params({key: str(value)[:500] for key, value in settings.items()})

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Tell figures; `/` in a name makes groups there."""
        self._module.log_metrics(dict(figures), step=step)

    def end(self) -> None:
        """End the run."""
        if self._begun:
            self._module.end_run()


TRACKS: dict[str, type[TensorBoard | WandB | MLflow]] = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}
"""the values of `train.track`, besides none"""


def tracked(track: str) -> list[Logger]:
    """Return the loggers of a value of `train.track`.

    >>> tracked("none")
    []
    """
    return [TRACKS[track]()] if track in TRACKS else []


def figures_of(entry: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a line of metrics.jsonl that a curve can be drawn of.

    >>> figures_of({"kind": "epoch", "step": 3, "epoch": 1, "loss": 0.5, "rank": float("nan")}, "epoch/")
    {'epoch/epoch': 1.0, 'epoch/loss': 0.5}
    """
    numbers = {name: float(x) for name, x in entry.items() if isinstance(x, int | float) and name != "step"}
    return {f"{prefix}{name}": x for name, x in numbers.items() if math.isfinite(x)}


def _installed(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"train.track needs {module}: pip install '{package}', or train.track=none") from error
