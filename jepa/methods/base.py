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
        self.config, self.horizon = config.model, config.optim.ipe_scale * steps
        self.objective = losses.build(config.loss)
        self.normalizes = config.loss.normalize_targets and config.loss.name in ("l2", "smooth_l1")

    @property
    def device(self) -> str:
        """Where the model is."""
        return next(iter(self.model.parameters())).device  # type: ignore[no-any-return]

    def placed(self, *arrays: Any) -> list[mt.Tensor]:
        """Return arrays as Tensors where the model is: so `mt.data_parallel` sees that a GPU takes them whole."""
        device = self.device
        return [mt.Tensor(x, device=device) for x in arrays]

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
        """Return the moving average's momentum at a step, counted from 0: from ema_start there towards ema_end at T."""
        c = self.config
        if c.ema_schedule == "constant":
            return c.ema_start
        schedule = mt.optim.schedule.cosine if c.ema_schedule == "cosine" else mt.optim.schedule.linear
        return float(schedule(step, start=c.ema_start, end=c.ema_end, steps=self.horizon))

    def after_step(self, step: int) -> dict[str, float]:
        """Move the target encoder towards the context encoder; return what the log should show."""
        if self.model.target_encoder is None:
            return {}
        momentum = self.momentum(step)
        self.model.target_encoder.update(momentum)
        return {"ema": momentum}

    def held_out(self, batches: Iterable[B]) -> dict[str, Any]:
        """Return the held-out loss of the predictions, and the same when the predictor is told a wrong geometry.

        "loss": what the objective says of prediction and target (see `told_apart`), averaged over the held-out images.
        "shuffled": the same with another image's geometry; a predictor that uses what it is told gets clearly worse.
        "ratio": shuffled / loss. "parts": the parts of the objective, by name.
        """
        training = self.model.training
        self.model.eval()
        wrong, count = 0.0, 0
        total: dict[str, float] = {}
        with mt.no_grad():
            for batch in batches:
                n = len(batch[0])
                found, _ = self.loss(batch)
                found["told apart"] = self.told_apart(found)
                for name, part in found.items():
                    total[name] = total.get(name, 0.0) + float(part) * n
                wrong += float(self.told_apart(self.compare(self.misled(batch), batch))) * n
                count += n
        self.model.train(training)
        if not count:
            return {}
        right = total.pop("told apart")
        parts = {name: value / count for name, value in total.items() if name != "loss"}
        ratio = wrong / right if right else 1.0
        return {"loss": right / count, "shuffled": wrong / count, "ratio": ratio, "parts": parts}

    def told_apart(self, parts: dict[str, mt.Tensor]) -> mt.Tensor:
        """Return, of the parts of a loss, what prediction and target are apart: of VICReg the invariance alone."""
        return parts.get("invariance", parts["loss"])
