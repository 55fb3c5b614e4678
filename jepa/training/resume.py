"""Going on with a run: over the images that it was trained on, or over others, knowingly, with the schedule it had."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jepa.config import Config, TrainConfig
from jepa.errors import DataError, RunError
from jepa.files.mark import read_object
from jepa.runs import pipeline
from jepa.runs.folder import read_config
from jepa.runs.images import Epochs, what_differs

__all__ = ["Earlier", "fresh_epochs", "limits"]


class Earlier:
    """What a run's folder says of how it was trained: empty for a run that is new, or older than these notes."""

    def __init__(self, folder: Path, *, accept: bool = False) -> None:
        self.folder, self.accept, self.differs = folder, accept, ""
        try:
            self.env: Mapping[str, Any] = read_object(folder / "env.json")
        except (OSError, ValueError):
            self.env = {}

    @property
    def knows_images(self) -> bool:
        """Whether it is written down which images they were."""
        return isinstance(self.env.get("images"), dict)

    def check_root(self, config: Config) -> None:
        """Raise DataError, and say what to do, if the images are not where they were."""
        if not pipeline.prepare(config).exists():
            raise DataError(
                f"the images of {self.folder} are not in {config.data.root}: say where they are now, python -m jepa "
                f"train --resume {shlex.quote(str(self.folder))} data.root=FOLDER"
            )

    def epochs(self, t: TrainConfig, length: int, images: Mapping[str, Any], step: Callable[[], int]) -> Epochs:
        """Return the epochs of the run from `step` on, over these images, which give epochs of `length` steps.

        Raises RunError if they are not those of the run, unless that is accepted: then what is left of the steps is
        gone through in epochs of the new length, and the schedules go on as they were.
        """
        self.differs = what_differs(self.env.get("images"), images)
        if self.differs and not self.accept:
            raise RunError(
                f"the images of {self.folder} have changed: {self.differs}. Put them back as they were, or add "
                "--accept-changes to go on over these, with the schedule that the run had"
            )
        pieces: Any = self.env.get("epochs")
        steps = self.env.get("steps")
        if not (_are_pieces(pieces) and isinstance(steps, int)) or (len(pieces) == 1 and not self.differs):
            return fresh_epochs(t, length)
        before = read_config(self.folder).train
        epochs = Epochs(pieces, steps)
        if self.differs or pieces[-1][2] != length:
            epochs = epochs.changed(step(), length)
        if (before.epochs, before.max_steps) == (t.epochs, t.max_steps):
            return epochs
        first, epoch, _ = epochs.pieces[-1]
        return epochs._replace(steps=_capped(first + (t.epochs - epoch) * length, t))

    def warnings(self, threads: int) -> Iterator[str]:
        """Yield a sentence for each thing that makes other bits than a run that was never stopped has."""
        before = self.env.get("threads")
        if isinstance(before, int) and before != threads:
            yield (
                f"this run was trained with {before} threads, and goes on with {threads}: the results are as good, but "
                f"not the same to the bit; --threads {before} keeps them so"
            )
        if self.differs:
            yield f"the images have changed: {self.differs}"


def fresh_epochs(t: TrainConfig, length: int) -> Epochs:
    """Return the epochs of a run over the same images from its first step to its last."""
    return Epochs([[0, 0, length]], _capped(t.epochs * length, t))


def _capped(steps: int, t: TrainConfig) -> int:
    return min(steps, t.max_steps or steps)


def _are_pieces(value: Any) -> bool:
    """Whether a value that was read is what `Epochs` was made of."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(piece, list) and len(piece) == 3 for piece in value)
        and all(type(x) is int and 0 <= x < 1 << 60 for piece in value for x in piece)
        and all(piece[2] > 0 for piece in value)
        and value[0][0] == 0
        and all(a[0] < b[0] for a, b in zip(value, value[1:], strict=False))
    )


def limits(t: TrainConfig, per_epoch: int, steps: int) -> str:
    """Return the settings that have to be larger for a run to be longer.

    >>> limits(TrainConfig(epochs=2, max_steps=5), 10, 5), limits(TrainConfig(epochs=2), 10, 20)
    ('train.max_steps', 'train.epochs')
    """
    capped = ["train.max_steps"] if 0 < t.max_steps <= steps else []
    return " and ".join([*capped, *(["train.epochs"] if t.epochs * per_epoch <= steps or not capped else [])])
