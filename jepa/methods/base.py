"""What all methods share: which parameters learn, the moving average, the held-out loss. The loop knows only this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import minitensor as mt
from jepa import losses
from jepa.config import Config
from jepa.models import Embeddings

__all__ = ["Method"]

B = TypeVar("B", bound=tuple[Any, ...])


class Method(ABC, Generic[B]):
    """A model, its loss, and the schedule of the moving average.

    The training loop calls `loss` for a batch, `after_step` after each optimizer step, and asks `groups` which
    parameters learn. Nothing else of a method is known to it.
    """

    model: Any

    def __init__(self, config: Config, steps: int) -> None:
        self.config, self.steps = config.model, steps
        self.objective = losses.build(config.loss)
        self.normalizes = config.loss.normalize_targets and config.loss.name in ("l2", "smooth_l1")

    @property
    def device(self) -> str:
        """Where the model is."""
        return next(iter(self.model.parameters())).device  # type: ignore[no-any-return]

    @abstractmethod
    def embed(self, batch: B) -> Embeddings:
        """Return the embeddings of a batch, in the space of the loss."""

    @abstractmethod
    def misled(self, batch: B) -> Embeddings:
        """Return the same, with a predictor that is told another image's geometry."""

    def normalized(self, target: mt.Tensor) -> mt.Tensor:
        """Return target embeddings as the loss sees them.

        With `loss.normalize_targets` they go through a layer norm without parameters, (s - mean) / √(var + 1e-5) over
        each embedding, as in I-JEPA.
        """
        return mt.nn.functional.layer_norm(target, (target.shape[-1],)) if self.normalizes else target

    def loss(self, batch: B) -> tuple[dict[str, mt.Tensor], Embeddings]:
        """Return the named parts of the loss ("loss" is the one to minimise) and the embeddings they come from."""
        embeddings = self.embed(batch)
        return self.compare(embeddings, batch), embeddings

    def compare(self, embeddings: Embeddings, batch: B) -> dict[str, mt.Tensor]:
        """Return the named parts of the loss of a batch's embeddings."""
        return self.objective(embeddings)

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

    def held_out(self, batches: Iterable[B]) -> dict[str, float]:
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
                n = len(batch[0])
                right += self._prediction_loss(self.embed(batch), batch) * n
                wrong += self._prediction_loss(self.misled(batch), batch) * n
                count += n
        self.model.train(training)
        return {"loss": right / count, "shuffled": wrong / count, "ratio": wrong / right} if count else {}

    def _prediction_loss(self, embeddings: Embeddings, batch: B) -> float:
        parts = self.compare(embeddings, batch)
        return float(parts.get("invariance", parts["loss"]))
