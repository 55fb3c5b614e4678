"""Predictors that are told nothing: every target of an example is predicted alike."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import minitensor as mt
from jepa.config.settings import WIDTH, NoSettings, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.predictors.base import Predictor
from jepa.projectors import perceptron
from jepa.tasks.crops import Geometry
from jepa.tasks.multiview import Mutual
from jepa.tasks.paired import Across
from jepa.tasks.saccade import Pose
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

    Shapes: tokens (n, V, dim), the views of an example -> S of (n, k, dim).
    """

    Settings: ClassVar[Any] = NoSettings
    answers = (Geometry, Whole, Mutual, Pose, Across)

    def __init__(self, dim: int, grid: Grid, settings: NoSettings | None = None, /) -> None:
        super().__init__(dim, grid)
        self.settings: Any = settings or NoSettings()

    def embedding(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return the one prediction for each context: (n, V, dim) -> (n, V, dim)."""
        return tokens

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Any) -> list[mt.Tensor]:
        y: list[mt.Tensor] = asked.repeated(self.embedding(tokens))
        return y


class MLP(Identity):
    """An MLP: `depth` hidden layers of `width` units, batch norm and ReLU (BYOL, Grill et al. 2020; SimSiam).

    Of crops it could only predict the mean over all targets that a context may have; of two views of an example, whose
    difference is not to matter, there is one.

    Shapes: tokens (n, V, dim), the views of an example -> S of (n, k, dim).
    """

    Settings = MLPSettings

    def __init__(self, dim: int, grid: Grid, settings: MLPSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or MLPSettings(), **changes)
        self.mlp = perceptron(dim, s.width, s.depth, dim)

    def embedding(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return what the MLP makes of each context."""
        y: mt.Tensor = self.mlp(tokens.reshape(-1, self.dim)).reshape(tokens.shape)
        return y
