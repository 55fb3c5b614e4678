"""Opening a run again: its config, its model with the trained weights, its images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import Config, changed
from jepa.data.folder import ImageFolder
from jepa.errors import DataError, RunError
from jepa.methods import Method, build
from jepa.runs import pipeline
from jepa.runs.checkpoint import find_checkpoint, load_weights
from jepa.runs.device import choose_device
from jepa.runs.folder import read_config

__all__ = ["Run", "features", "load_run", "normalized", "random_twin"]

Images = NDArray[np.float32]
Split = Literal["train", "val"] | None
CALIBRATION = 2048  # training images from which an untrained encoder takes its batch-norm statistics


class Run:
    """A run on disk, opened to be evaluated, drawn, or used."""

    def __init__(self, folder: Path, config: Config, method: Method[Any], device: str, step: int) -> None:
        self.folder, self.config, self.method, self.device, self.step = folder, config, method, device, step
        self.model: Any = method.model
        self._root: Path | None = None
        self._said: set[str] = set()

    def dataset(self, split: Split, root: str | Path | None = None) -> ImageFolder:
        """Return a split ("train", "val", None: all) of the run's own images, or of another folder.

        What is left out of it is told once, as a warning of the logger "jepa".
        """
        if root is None and self._root is None:
            self._root = pipeline.prepare(self.config)
            if not self._root.exists():
                raise DataError(
                    f"the images of {self.folder} are not in {self._root}: say where they are now with data.root=FOLDER"
                )
        found = pipeline.dataset(self.config, root or self._root or "", split)
        for text in [*found.remarks, *([found.describe_skipped()] if found.skipped else [])]:
            if text not in self._said:
                self._said.add(text)
                logging.getLogger("jepa").warning("warning: %s", text)
        return found

    def images(
        self, split: Split, root: str | Path | None = None
    ) -> tuple[Images, NDArray[np.int64] | None, list[str], list[Path]]:
        """Return a split's images as the network sees them (n, c, h, w), labels (n,) or None, class names and paths."""
        found = self.dataset(split, root)
        return self.normalized(found.images()), found.labels, found.classes, found.paths

    def features(self, images: Images) -> Images:
        """Return the frozen encoder's features of normalised images (n, d), as `evaluation` says."""
        return features(self.model, self.config, images)

    def normalized(self, images: Images) -> Images:
        """Return images in [0, 1] as the network sees them."""
        return normalized(self.config, images)

    def validation_losses(self) -> dict[str, Any]:
        """Return the held-out losses, with the true geometry and with another image's (see `Method.held_out`)."""
        loader = pipeline.loader(self.config, self.dataset("val"), seed=self.config.seed + 1, drop_last=False)
        return self.method.held_out(b for b in loader.batches(0, progress=1.0) if len(b.indices) > 1)


def load_run(folder: str | Path, device: str = "auto", checkpoint: str = "last", settings: Sequence[str] = ()) -> Run:
    """Open a run with its last weights, those of its best checkpoint ("best"), or of a checkpoint file.

    `settings` are changed in its configuration, such as "data.root=FOLDER" where its images have moved.

    Raises RunError if the folder is no run's, or its checkpoint is missing, damaged, of another model, or holds NaN.
    """
    folder, device = Path(folder), choose_device(device)
    config = changed(read_config(folder), settings)
    path = (
        folder
        if checkpoint == "last"
        else folder / "checkpoints" / "best.safetensors"
        if checkpoint == "best"
        else Path(checkpoint)
    )
    method = build(config, steps=1)  # its schedule is over: nobody asks for it
    path = find_checkpoint(path)
    arrays, metadata = load_weights(method, path, config)
    odd = [k for k, x in arrays.items() if k.startswith("model.") and x.dtype.kind == "f" and not np.isfinite(x).all()]
    if odd:
        raise RunError(
            f"{path} holds NaN or infinity in {len(odd)} of its weights, such as {odd[0].removeprefix('model.')}: its "
            "training diverged. Train anew with a lower optim.lr"
        )
    step = metadata["step"]
    method.model.to(device)
    return Run(folder, config, method, device, step)


def normalized(config: Config, images: Images) -> Images:
    """Return images in [0, 1] as the network of this config sees them."""
    return pipeline.normalize(config).apply(images, [None] * len(images))


def features(model: Any, config: Config, images: Images) -> Images:
    """Return a model's features of normalised images: of evaluation.encoder, tokens pooled by evaluation.pool."""
    settings = config.evaluation
    pool = {} if config.method == "crops" else {"pool": settings.pool}
    return model.features(images, encoder=settings.encoder, **pool)  # type: ignore[no-any-return]


def random_twin(config: Config, seed: int, images: Images, device: str = "cpu") -> Any:
    """Return the same model with fresh random weights, its batch-norm statistics taken from training images.

    Without that calibration an untrained encoder with batch norm is weaker than it has to be, and a baseline too easy.
    """
    generator = mt.default_generator().bit_generator
    before = generator.state
    mt.manual_seed(seed)
    model = build(config, steps=1).model
    mt.default_generator().bit_generator.state = before  # whoever is training draws on as if nothing had happened
    encoder = model.context_encoder
    norms: list[Any] = [x for x in encoder.layers() if isinstance(x, mt.nn.BatchNorm1d | mt.nn.BatchNorm2d)]
    encoder.train()
    with mt.no_grad():
        for k, i in enumerate(range(0, min(len(images), CALIBRATION) if norms else 0, 256)):
            for norm in norms:
                norm.momentum = 1 / (k + 1)  # the running statistics become the mean over the batches
            encoder(mt.Tensor(images[i : i + 256]))
    if model.target_encoder is not None:
        model.target_encoder.update(0.0)
    model.eval()
    model.to(device)
    return model
