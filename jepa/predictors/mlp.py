"""Predictors that are told nothing: every target of an example is predicted alike."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import minitensor as mt
from jepa.config.settings import WIDTH, NoSettings, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.predictors.base import Predictor
from jepa.projectors import perceptron
from jepa.tasks.crops import Geometry
from jepa.tasks.views import Whole


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Of the predictor that is told nothing."""

    width: int = setting(256, WIDTH)
    """hidden units"""
    depth: int = setting(2, between(0, 256))
    """hidden layers"""


class Identity(Predictor):
    """The context's own embedding stands for every target (no parameters): SimCLR, VICReg.

    Shapes: tokens (n e, 1, dim) -> S of (n e, k, dim).
    """

    Settings: ClassVar[Any] = NoSettings
    answers = (Geometry, Whole)

    def __init__(self, dim: int, grid: Grid, settings: NoSettings | None = None, /) -> None:
        super().__init__(dim, grid)
        self.settings: Any = settings or NoSettings()

    def embedding(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return the one prediction for each context: (n e, 1, dim) -> (n e, 1, dim)."""
        return tokens

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Any) -> list[mt.Tensor]:
        y, sizes = self.embedding(tokens), asked.sizes
        return [y if k == 1 else mt.broadcast_to(y, (len(y), k, y.shape[2])) for k in sizes]


class MLP(Identity):
    """An MLP: `depth` hidden layers of `width` units, batch norm and ReLU (BYOL, Grill et al. 2020; SimSiam).

    Of crops it could only predict the mean over all targets that a context may have; of two views of an example, whose
    difference is not to matter, there is one.

    Shapes: tokens (n e, 1, dim) -> S of (n e, k, dim).
    """

    Settings = MLPSettings

    def __init__(self, dim: int, grid: Grid, settings: MLPSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or MLPSettings(), **changes)
        self.mlp = perceptron(dim, s.width, s.depth, dim)

    def embedding(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return what the MLP makes of each context."""
        return self.mlp(tokens.reshape(-1, self.dim)).reshape(tokens.shape)  # type: ignore[no-any-return]
