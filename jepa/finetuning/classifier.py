"""The classifier that fine-tuning trains: an encoder, a batch norm without parameters, and one linear layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import health
from jepa.contracts import Batch
from jepa.encoders.base import Encoder
from jepa.frozen import frozen


class Classifier(mt.nn.Layer):
    """logits = W norm(encoder.pooled(x)) + b: (n, *shape) -> (n, classes).

    A learner, as `jepa.training.loop` takes one; its batches ask for classes, (n,). In the first `freeze` of all steps
    the encoder stays as it is, batch norm and all. Afterwards it learns too, layer by layer at a lower rate: counted
    from the classifier, which learns at the rate of the schedule, layer k of the encoder learns at layer_decay^k times
    that (Bao et al. 2022, "BEiT", appendix). Encoders say in `depths` what a layer is; one that is no
    `jepa.encoders.base.Encoder` is a single one.

    shape: of one example. pool: how the encoder pools its tokens.

    >>> import jepa
    >>> model = Classifier(jepa.encoders.MLP((2, 16), width=8), (2, 16), 3)
    >>> model(mt.ones((5, 2, 16))).shape
    (5, 3)
    """

    still: mt.Tensor
    """whether the encoder stays as it is"""

    def __init__(
        self,
        encoder: Any,
        shape: tuple[int, ...],
        classes: int,
        *,
        pool: str = "mean",
        layer_decay: float = 1.0,
        freeze: float = 0.0,
    ) -> None:
        self.encoder, self.pool, self.layer_decay, self.freeze = encoder, pool, layer_decay, freeze
        dim = frozen(encoder, self.features, np.zeros((1, *shape), np.float32)).shape[1]
        self.norm = mt.nn.BatchNorm1d(dim, affine=False)  # features of any scale
        self.head = mt.nn.Linear(dim, classes)
        self.register_buffer("still", mt.Tensor(np.array(freeze > 0)))

    def features(self, x: mt.Tensor) -> mt.Tensor:
        """Return one vector of each example: (n, *shape) -> (n, d)."""
        y: mt.Tensor = self.encoder.pooled(x, self.pool)
        return y

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the logits."""
        y: mt.Tensor = self.head(self.norm(self.features(x)))
        return y

    def loss(self, batch: Batch, rng: Any = None) -> tuple[dict[str, mt.Tensor], mt.Tensor]:
        """Return cross-entropy ("loss") and share of hits ("accuracy"), and the features."""
        device = self.head.weight.device
        still = bool(self.still)
        if still:
            self.encoder.eval()
        with mt.no_grad() if still else mt.enable_grad():
            z = mt.data_parallel(self.features, mt.Tensor(batch.seen, device=device))
        logits, labels = self.head(self.norm(z)), mt.Tensor(batch.asked, device=device)
        hits = (logits.detach().argmax(axis=1) == labels).astype(logits.dtype)
        return {"loss": mt.nn.functional.cross_entropy(logits, labels), "accuracy": hits.mean()}, z

    def figures(self, z: mt.Tensor) -> dict[str, float]:
        """Return how healthy the features of a batch are, for the log."""
        rows = z.numpy().astype(np.float32)
        return {"feature_std": health.feature_std(rows), "effective_rank": health.effective_rank(rows)}

    def parts(self) -> dict[str, list[mt.Tensor]]:
        """Return the trained parameters by name of the part."""
        found = {"encoder": self.encoder.parameters(), "classifier": self.head.parameters()}
        return {name: [p for p in parameters if p.requires_grad] for name, parameters in found.items()}

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return the optimizer's groups, the encoder's first layer first; "lr" is in units of the schedule's."""
        encoder = self.encoder
        layers = encoder.depths() if isinstance(encoder, Encoder) else [list(encoder.parameters())]
        layers = [*layers, list(self.head.parameters())]
        return [
            {**group, "lr": self.layer_decay ** (len(layers) - 1 - k)}
            for k, layer in enumerate(layers)
            for group in mt.optim.decay_groups(layer, weight_decay)
        ]

    def after_step(self, step: int, steps: float) -> dict[str, float]:
        """Let the encoder learn from the step on at which its rest is over."""
        self.still[...] = step + 1 < self.freeze * steps
        return {}

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each class of normalized examples: (n, *shape) -> (n, classes), rows sum to 1."""
        logits = mt.Tensor(frozen(self, self, x).astype(np.float64))
        return np.asarray(mt.softmax(logits, axis=1).numpy())
