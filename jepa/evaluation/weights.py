"""Evaluating published weights by the protocol of a run: what a run on the same images is to be compared with."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.assembly import Assembly, learner, task_of
from jepa.config import load
from jepa.evaluation.embed import FEW, pretrained, writable
from jepa.evaluation.evaluate import measured
from jepa.evaluation.split import for_probes
from jepa.files.atomic import write_text
from jepa.learner import JEPA
from jepa.parts import chosen
from jepa.runs.run import Run, choose_device

ALONE = ("task=views", "projector=none", "predictor=none", "target=shared", "objective=vicreg")  # nothing beside it

Array = NDArray[np.float32]


def evaluate_pretrained(
    weights: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    device: str = "auto",
    settings: Sequence[str] = (),
) -> dict[str, Any]:
    """Evaluate published weights on a folder of images as `evaluate_run` evaluates a run, and return the figures.

    The same rows by the same probes on the same split: the frozen encoder, the same network untrained, raw pixels,
    chance. weights, data, settings: as `jepa.evaluation.embed.embed_pretrained` has them, and `evaluation.*`, such as
    ``evaluation.pool=cls``. out: a .json file that the figures are written to; None: none.

    Raises JEPAError if the weights or the images cannot be read, or `out` is another file.
    """
    started, team = time.perf_counter(), mt.teams.join()
    if out is not None:
        writable(out, "figures", (".json",))  # before the work, not after it
    encoder, source = pretrained(weights, data, settings)
    words = [word for word in settings if not word.startswith("source")]
    config = load(overrides=["source=folder", *ALONE, *words])
    config = replace(
        config, device=choose_device(device), encoder=chosen("encoder", encoder), source=chosen("source", source)
    )
    model = learner(config.choices, config.seed, source.shape)
    model.context.encoder.load_state_dict(encoder.state_dict())
    model.to(config.device)
    run = _Weights(None, config, Assembly(source, task_of(config.choices), model), config.device)
    parts = {
        name: for_probes(source.split(name), config.evaluation.max_images, config.seed, team)
        for name in ("train", "val")
    }
    result = {"weights": str(weights), "data": str(data), **measured(run, parts)}
    result["seconds"] = round(time.perf_counter() - started, 2)
    if out is not None and (team is None or team.rank == 0):
        write_text(Path(out), json.dumps(result, indent=2) + "\n")
    return result


class _Weights(Run):
    """Published weights, opened as a run is: fewer examples at once, for large networks."""

    def features(self, x: Array, model: JEPA | None = None, layer: int | None = None) -> Array:
        encoder: Any = (model or self.model).context.encoder
        return frozen.frozen(encoder, lambda part: encoder.pooled(part, self.config.evaluation.pool), x, FEW)
