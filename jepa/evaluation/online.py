"""Probes during training: how good the features are by now, beside the same encoder untrained."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.protocol import probe_table
from jepa.evaluation.split import stratified
from jepa.evaluation.streamed import streamed
from jepa.runs.run import features, normalized, random_twin

__all__ = ["OnlineProbe"]

C = (0.01, 0.1)  # for the linear probe: a look at every few epochs, not the last word


class OnlineProbe:
    """Linear probe and kNN on a part of the labelled images, the same ones each time.

    Their pixels are kept; the untrained twin's figures are computed once. It draws nothing from the generator that
    training uses, so a run is the same with and without it.
    """

    def __init__(self, config: Any, train: Any, held_out: Any, device: str) -> None:
        self.config, self.images, self.labels = config, [], []
        for part in (train, held_out):
            chosen = stratified(part.labels, config.evaluation.online_images, generator=np.random.default_rng(0))
            self.images.append(streamed(partial(normalized, config), part, chosen, "images of the probes"))
            self.labels.append(part.labels[chosen])
        twin = random_twin(config, 0, self.images[0], device=device)
        self.untrained = self._figures("random", twin)

    def __call__(self, model: Any) -> dict[str, float]:
        """Return the accuracies of a model and of its untrained twin: probe/linear, probe/linear_random, ..."""
        found = self._figures("jepa", model)
        twin = {f"probe/{name}_random": value for name, value in self.untrained.items()}
        return {**{f"probe/{name}": value for name, value in found.items()}, **twin}

    def _figures(self, name: str, model: Any) -> dict[str, float]:
        rows: dict[str, tuple[NDArray[Any], NDArray[Any]]]
        rows = {name: (features(model, self.config, self.images[0]), features(model, self.config, self.images[1]))}
        table = probe_table(rows, *self.labels, k=self.config.evaluation.k, grid=C)
        return {probe: table[probe][name] for probe in ("linear", "knn")}
