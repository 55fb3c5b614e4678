"""Opening a run again: its config, its model with the trained weights, its task and its source."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import contracts, frozen
from jepa.assembly import LEARNER, Assembly, described, learner, task_of
from jepa.config import Config, changed
from jepa.encoders.base import Encoder
from jepa.errors import DataError, RunError
from jepa.learner import JEPA
from jepa.parts import Choice, Unmade, chosen, made
from jepa.runs.checkpoint import find_checkpoint, load_weights, read_checkpoint
from jepa.runs.folder import read_config
from jepa.several import each, rows, size_of
from jepa.sources.base import Source
from jepa.tasks.batches import Batches

Array = NDArray[np.float32]
GIVEN = {"model": LEARNER, "task": ("task", "augment"), "source": ("source",)}
"""what `load_run` may be given, and the roles of it"""


class Run:
    """A run that is opened, or in the making: its parts, and what is asked of them together."""

    def __init__(self, folder: Path | None, config: Config, parts: Assembly, device: str, step: int = 0) -> None:
        self.folder, self.config, self.parts, self.device, self.step = folder, config, parts, device, step
        self.model, self.task = parts.model, parts.task
        if isinstance(self.model.context.encoder, Encoder):
            frozen.check_features(self.model, config.evaluation.pool, config.evaluation.layer)
        self._said: set[str] = set()

    def source(self, split: str | None = None, data: str | Path | None = None) -> contracts.Source:
        """Return the run's own examples, or those in `data`, another folder or file: all, or "train" or "val" of them.

        What is left out of them is told once, as a warning of the logger "jepa".
        """
        if data is None:
            self.check_source()
        found: contracts.Source = self.parts.source if data is None else self.parts.source.at(data)
        found = found if split is None else found.split(split)
        self._said |= tell_left_out(found, self._said)
        return found

    def check_source(self, how: str = "") -> None:
        """Raise DataError if the examples are not where they were. how: the command that is given where they are."""
        found = self.parts.source
        if isinstance(found, Source) and found.missing:
            raise DataError(
                f"the examples of {self.folder} are not in {found.missing}: say where they are now{how or ' with'} "
                f"source.{found.place}=PATH"
            )

    def features(self, x: Array, model: JEPA | None = None, layer: int | None = None) -> Array:
        """Return the frozen encoder's features, as `evaluation` says, of normalized examples: (n, *shape) -> (n, d).

        model: another one of these settings, such as `random_twin`. layer: other than `evaluation.layer`.
        """
        s = self.config.evaluation
        return frozen.features(model or self.model, x, s.encoder, s.pool, s.layer if layer is None else layer)

    def batches(self, split: str, seed_offset: int = 0) -> Batches:
        """Return the batches of a part of the examples, the last of an epoch too; another offset draws anew."""
        seed = self.config.seed + seed_offset
        return self.parts.batches(self.source(split), self.config.train, seed=seed, drop_last=False)

    def held_out(self) -> dict[str, Any]:
        """Return the held-out losses, and those with another example's question (see `JEPA.held_out`)."""
        return self.parts.held_out(self.config, self.source("val"))

    def random_twin(self, seed: int, x: Array) -> JEPA | None:
        """Return the same model with fresh weights, the batch norm of what is evaluated calibrated.

        None if a part of it has no Settings, so that it cannot be made again.

        Its statistics are the mean over batches of normalized training examples (n, *shape): without them an untrained
        encoder with batch norm is weaker than it has to be, and a baseline too easy.
        """
        if any(isinstance(self.config.choices[role].settings, Unmade) for role in LEARNER):
            return None
        generator = mt.default_generator().bit_generator
        before = generator.state
        model = learner(self.config.choices, seed, each(lambda part: part.shape[1:], x))
        generator.state = before  # whoever is training draws on as if nothing had happened
        s = self.config.evaluation
        branch: Any = model.branches[s.encoder]
        part = branch if s.layer else branch.encoder
        norms: list[Any] = [n for n in part.layers() if isinstance(n, mt.nn.BatchNorm1d | mt.nn.BatchNorm2d)]
        part.train()
        with mt.no_grad():
            for k, i in enumerate(range(0, size_of(x) if norms else 0, 256)):
                for norm in norms:
                    norm.momentum = 1 / (k + 1)  # the running statistics become the mean over the batches
                tokens = branch.encoder.tokens(each(mt.Tensor, rows(x, slice(i, i + 256))))
                if s.layer and len(tokens) > 1:
                    branch.projector(tokens.mean(axis=1))
        model.eval()
        model.to(self.device)
        return model


def tell_left_out(source: Any, before: Collection[str] = ()) -> set[str]:
    """Say what is left out of examples, as warnings of the logger "jepa", but for what was said before; return it."""
    remarks: list[str] = [*source.remarks, source.skipped] if isinstance(source, Source) else []
    new = [text for text in dict.fromkeys(remarks) if text and text not in before]
    for text in new:
        logging.getLogger("jepa").warning("warning: %s", text)
    return {*new}


def located(source: Any) -> Choice:
    """Return the choice that opens a source again, from any working directory."""
    choice = chosen("source", source)
    return choice._replace(settings=source.located()) if isinstance(source, Source) else choice


def load_run(
    folder: str | Path, device: str = "auto", checkpoint: str = "last", settings: Sequence[str] = (), **given: Any
) -> Run:
    """Open a run with its last weights, those of its best checkpoint ("best"), or of a checkpoint file.

    `settings` are changed in its configuration, such as "source.root=FOLDER" where its images have moved. given: model,
    task or source, for those that cannot be made from their settings; the weights are put into that model.

    Raises RunError if the folder is no run's, or its checkpoint is missing, damaged, of another model, or holds NaN.
    """
    if unknown := given.keys() - GIVEN.keys():
        raise TypeError(f"load_run() got an unexpected argument {min(unknown)!r}; it takes model, task and source")
    folder, device = Path(folder), choose_device(device)
    model, task, source = (given.get(name) for name in ("model", "task", "source"))
    config = read_config(folder, without=[role for name in given for role in GIVEN[name]])
    own: dict[str, Any] = dict(described(model, task, source))
    config = replace(changed(config, settings), **own)
    path = folder / "checkpoints" / "best.safetensors" if checkpoint == "best" else Path(checkpoint)
    path = find_checkpoint(folder if checkpoint == "last" else path)
    arrays, metadata = read_checkpoint(path)
    shape = metadata["shape"]
    shape = {k: tuple(s) for k, s in shape.items()} if isinstance(shape, dict) else tuple(shape)
    model = learner(config.choices, config.seed, shape) if model is None else model
    load_weights(model, path, (arrays, metadata), config)
    odd = [k for k, x in arrays.items() if k.startswith("model.") and x.dtype.kind == "f" and not np.isfinite(x).all()]
    if odd:
        what = f"{path} holds NaN or infinity in {len(odd)} of its weights, such as {odd[0].removeprefix('model.')}"
        raise RunError(f"{what}: its training diverged. Train anew with a lower optimizer.lr")
    source = made(config.source, "source") if source is None else source
    parts = Assembly(source, task_of(config.choices) if task is None else task, model)
    model.to(device)
    return Run(folder, config, parts, device, metadata["step"])


def choose_device(asked: str) -> str:
    """Return the device that `auto` stands for: a GPU if CuPy finds one, else the CPU; other names as they are.

    >>> choose_device("cpu")
    'cpu'
    """
    if asked != "auto":
        return asked
    try:
        return mt.zeros(1, device="cuda").device
    except Exception:  # no CuPy, no driver, no toolkit: all of them mean the CPU
        return "cpu"
