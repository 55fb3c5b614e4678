"""JEPA on regions: the embedding of a target region is predicted from the context region and where the target lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import minitensor as mt
from jepa import losses
from jepa.config import Config
from jepa.data.loader import Batch
from jepa.models import Embeddings, JEPAModel


class CropJEPA:
    """The model, its loss, and the schedule of the moving average.

    The training loop calls `loss` for a batch, `after_step` after each optimizer step, and asks `groups` which
    parameters learn. Nothing else of a method is known to it.
    """

    def __init__(self, config: Config, steps: int) -> None:
        self.config, self.steps = config.model, steps
        self.model = JEPAModel(config.model)
        self.objective = losses.build(config.loss)
        self.normalizes = config.loss.normalize_targets and config.loss.name in ("l2", "smooth_l1")

    def embed(self, batch: Batch) -> Embeddings:
        """Return the embeddings of a batch, in the space of the loss.

        With `loss.normalize_targets` the targets go through a layer norm without parameters, (s - mean) / √(var + eps)
        over each embedding, as in I-JEPA.
        """
        device = next(iter(self.model.parameters())).device
        e: Embeddings = self.model(*(mt.Tensor(x, device=device) for x in batch[:3]))
        if self.normalizes:
            e = e._replace(target=mt.nn.functional.layer_norm(e.target, (e.target.shape[-1],)))
        return e

    def loss(self, batch: Batch) -> tuple[dict[str, mt.Tensor], Embeddings]:
        """Return the named parts of the loss ("loss" is the one to minimise) and the embeddings they come from."""
        embeddings = self.embed(batch)
        return self.objective(embeddings), embeddings

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return the optimizer's groups: weights decay; biases and the scales of normalisation (vectors) do not."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]

    def parts(self) -> dict[str, list[mt.Tensor]]:
        """Return the trained parameters by name of the part, whose gradient norms are logged apart."""
        encoder, predictor = self.model.context_encoder, self.model.predictor
        return {"encoder": list(encoder.parameters()), "predictor": list(predictor.parameters())}

    def momentum(self, step: int) -> float:
        """Return the moving average's momentum at a step, a pure function of the step."""
        c = self.config
        if c.ema_schedule == "constant":
            return c.ema_start
        schedule = mt.optim.schedule.cosine if c.ema_schedule == "cosine" else mt.optim.schedule.linear
        return float(schedule(step, start=c.ema_start, end=c.ema_end, steps=self.steps))

    def after_step(self, step: int) -> dict[str, float]:
        """Move the target encoder towards the context encoder; return what the log should show."""
        if self.model.target_encoder is None:
            return {}
        momentum = self.momentum(step)
        self.model.target_encoder.update(momentum)
        return {"ema": momentum}

    def held_out(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Return the held-out loss of the predictions, and the same when the predictor is told a wrong geometry.

        "loss": what the objective says of prediction and target (for VICReg the invariance alone), averaged over the
        held-out images. "shuffled": the same with another image's geometry; a predictor that uses what it is told gets
        clearly worse. "ratio": shuffled / loss.
        """
        training = self.model.training
        self.model.eval()
        right = wrong = 0.0
        count = 0
        with mt.no_grad():
            for batch in batches:
                shuffled = batch._replace(geometry=np.roll(batch.geometry, 1, axis=0))
                right += self._prediction_loss(batch) * len(batch.context)
                wrong += self._prediction_loss(shuffled) * len(batch.context)
                count += len(batch.context)
        self.model.train(training)
        return {"loss": right / count, "shuffled": wrong / count, "ratio": wrong / right} if count else {}

    def _prediction_loss(self, batch: Batch) -> float:
        parts = self.objective(self.embed(batch))
        return float(parts.get("invariance", parts["loss"]))
