"""The first sketch: a small convolutional network, its moving average, and an MLP that is told where a crop lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import minitensor as mt
from jepa import learner, predictors, targets
from jepa.contracts import Batch, Embeddings
from jepa.encoders.cnn import CNN
from jepa.projectors import Linear
from jepa.tasks.crops import Geometry


class ContextEncoder(mt.nn.Layer):
    """A small convolutional network (`jepa.encoders.CNN`) from images to one embedding each.

    >>> ContextEncoder(3, (8, 16), 32)(mt.zeros((5, 3, 8, 8))).shape
    (5, 32)
    """

    def __init__(self, channels: int, widths: Sequence[int], embedding_dim: int, norm: str = "batch") -> None:
        side = 2 ** (len(widths) - 1)
        self.encoder, self.dim = CNN((channels, side, side), widths=widths, norm=norm), embedding_dim
        self.head = mt.nn.Linear(widths[-1], embedding_dim)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embeddings: (n, channels, h, w) -> (n, embedding_dim)."""
        y: mt.Tensor = self.head(self.encoder.pooled(x))
        return y


class TargetEncoder(mt.nn.Layer):
    """A copy of an encoder that follows it (`jepa.targets.EMA`): target = m · target + (1 - m) · context.

    >>> context = ContextEncoder(3, (8, 16), 32)
    >>> target = TargetEncoder(context)
    >>> target.update(0.99)
    >>> target(mt.zeros((5, 3, 8, 8))).requires_grad
    False
    """

    def __init__(self, context: mt.nn.Layer) -> None:
        self.target = targets.EMA()
        self.target.follow(context)

    def update(self, momentum: float) -> None:
        """Move towards the context encoder by 1 - momentum."""
        self.target.move(momentum)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return what the copy makes of its input, without a graph."""
        with mt.no_grad(), mt.nn.frozen_statistics(self.target.copy):
            y: mt.Tensor = self.target.copy(x)
            return y


@dataclass(frozen=True)
class JEPAConfig:
    """The sizes of a `JEPAModel`."""

    image_size: int = 32
    channels: int = 3
    widths: tuple[int, ...] = (32, 64, 128)
    norm: str = "batch"
    embedding_dim: int = 128
    predictor_width: int = 256
    predictor_depth: int = 2
    geometry: bool = True
    target: str = "ema"


class JEPAModel(learner.JEPA):
    """A JEPA on crops of images: a CNN, a Linear into the space of the loss, and a predictor that is told a geometry.

    >>> model = JEPAModel(JEPAConfig(widths=(8, 16), embedding_dim=32))
    >>> images = mt.zeros((5, 3, 32, 32))
    >>> model(images, images[:, None], mt.zeros((5, 1, 4))).predictions[0].shape
    (5, 1, 32)
    """

    def __init__(self, config: JEPAConfig | None = None, objective: Any = None) -> None:
        self.config = c = config or JEPAConfig()
        encoder = CNN((c.channels, c.image_size, c.image_size), widths=c.widths, norm=c.norm)
        projector = Linear(encoder.dim, dim=c.embedding_dim)
        kind: Any = predictors.Geometry if c.geometry else predictors.MLP
        predictor = kind(projector.dim, encoder.grid, width=c.predictor_width, depth=c.predictor_depth)
        super().__init__(encoder, predictor, objective=objective, target=c.target, projector=projector)

    def forward(self, context: Any, target: Any, geometry: Any) -> Embeddings:
        """Return the embeddings of contexts (n, c, h, w), targets (n, t, c, h', w') and their geometry (n, t, 4)."""
        context, target, geometry = (x.numpy() if isinstance(x, mt.Tensor) else x for x in (context, target, geometry))
        return self.embed(Batch(context, None, target, Geometry(geometry)))
