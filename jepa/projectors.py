"""What brings an encoder's tokens into the space of the loss; it is left away when the encoder is used."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, NoSettings, Settings, between, setting

__all__ = [
    "MLP",
    "Identity",
    "Linear",
    "LinearSettings",
    "MLPSettings",
    "Projector",
    "Prototypes",
    "PrototypesSettings",
]

DIM = between(2, 16_384)


@dataclass(frozen=True)
class LinearSettings(Settings):
    """Of the linear map."""

    dim: int = setting(128, DIM)
    """numbers in an embedding"""


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Of the multilayer perceptron."""

    dim: int = setting(128, DIM)
    """numbers in an embedding"""
    width: int = setting(512, WIDTH)
    """hidden units"""
    depth: int = setting(2, DEPTH)
    """hidden layers"""
    unit: bool = setting(False)
    """bring embeddings to length 1"""


@dataclass(frozen=True)
class PrototypesSettings(Settings):
    """Of the scores of prototypes."""

    dim: int = setting(128, DIM)
    """prototypes"""
    width: int = setting(512, WIDTH)
    """hidden units"""
    depth: int = setting(1, DEPTH)
    """hidden layers"""
    embedding: int = setting(128, DIM)
    """numbers in a prototype, and in what is compared with it"""


def perceptron(inputs: int, width: int, depth: int, outputs: int) -> mt.nn.Sequential:
    """Return `depth` times Linear, batch norm, ReLU, then a Linear: (rows, inputs) -> (rows, outputs)."""
    layers: list[mt.nn.Layer] = []
    for _ in range(depth):
        layers += [mt.nn.Linear(inputs, width, bias=False), mt.nn.BatchNorm1d(width), mt.nn.ReLU()]
        inputs = width
    return mt.nn.Sequential(*layers, mt.nn.Linear(inputs, outputs))


class Projector(mt.nn.Layer):
    """Base of the projectors: a subclass sets `dim`, what it makes. A layer that has `dim` alone will do as well."""

    dim: int
    depth: int = 1
    """its layers, each of which can be probed"""

    def after_layers(self, x: mt.Tensor) -> list[mt.Tensor]:
        """Return what each of its layers makes of tokens, (..., dim) -> (..., width) each; the last is `forward`'s."""
        return [self(x)]


class Identity(Projector):
    """No projector: the loss sees the encoder's tokens."""

    Settings = NoSettings
    depth = 0

    def __init__(self, dim: int, settings: NoSettings | None = None) -> None:
        self.settings, self.dim = settings or NoSettings(), dim

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens."""
        return x


class Linear(Projector):
    """W x + b of each token: (..., dim) -> (..., settings.dim)."""

    Settings = LinearSettings

    def __init__(self, dim: int, settings: LinearSettings | None = None, /, **changes: Any) -> None:
        self.settings = replace(settings or LinearSettings(), **changes)
        self.dim = self.settings.dim
        self.head = mt.nn.Linear(dim, self.dim)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the projected tokens."""
        y: mt.Tensor = self.head(x)
        return y


class MLP(Projector):
    """`depth` times Linear, batch norm, ReLU, then a Linear, on each token: (..., dim) -> (..., settings.dim).

    Wide and deep it is worth points in papers of views, and is thrown away after training.

    >>> projector = MLP(8, dim=4, width=16)
    >>> projector(mt.ones((2, 3, 8))).shape, [y.shape for y in projector.after_layers(mt.ones((5, 8)))]
    ((2, 3, 4), [(5, 16), (5, 16), (5, 4)])
    """

    Settings = MLPSettings

    def __init__(self, dim: int, settings: MLPSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or MLPSettings(), **changes)
        self.dim, self.mlp = s.dim, perceptron(dim, s.width, s.depth, s.dim)
        self.depth = s.depth + 1

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the projected tokens."""
        return self._last(self.mlp(x.reshape(-1, x.shape[-1])), x)

    def _last(self, y: mt.Tensor, x: mt.Tensor) -> mt.Tensor:
        y = y.reshape(*x.shape[:-1], self.dim)
        return mt.nn.functional.normalize(y, dim=-1) if self.settings.unit else y

    def after_layers(self, x: mt.Tensor) -> list[mt.Tensor]:
        """Return what each hidden layer makes of tokens, behind its ReLU, and then what `forward` does."""
        y, hidden = x.reshape(-1, x.shape[-1]), list[mt.Tensor]()
        for layer in self.mlp:
            y = layer(y)
            hidden += [y.reshape(*x.shape[:-1], y.shape[-1])] if isinstance(layer, mt.nn.ReLU) else []
        return [*hidden, self._last(y, x)]


class Prototypes(Projector):
    """How near each token lies to each of `dim` prototypes: cosines, (..., dim of the encoder) -> (..., settings.dim).

        cos(MLP(x), c_k),   k = 1, ..., settings.dim

    The prototypes c are learned (Caron et al. 2020, section 3.1); the objective `swav` takes these scores.

    >>> Prototypes(8, dim=5, width=16, embedding=4)(mt.ones((2, 3, 8))).shape
    (2, 3, 5)
    """

    Settings = PrototypesSettings

    def __init__(self, dim: int, settings: PrototypesSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or PrototypesSettings(), **changes)
        self.dim, self.depth = s.dim, s.depth + 2
        self.embed = MLP(dim, dim=s.embedding, width=s.width, depth=s.depth, unit=True)
        self.prototypes = mt.nn.Linear(s.embedding, s.dim, bias=False)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the scores."""
        return self._scores(self.embed(x))

    def _scores(self, y: mt.Tensor) -> mt.Tensor:
        scores: mt.Tensor = y @ mt.nn.functional.normalize(self.prototypes.weight, dim=1).T
        return scores

    def after_layers(self, x: mt.Tensor) -> list[mt.Tensor]:
        """Return what each hidden layer makes of tokens, what is compared with the prototypes, and the scores."""
        found = self.embed.after_layers(x)
        return [*found, self._scores(found[-1])]
