"""The predictor of crops: from a context's embedding, and where a target lies, to the target's embedding."""

import math
from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.predictors.base import Predictor
from jepa.projectors import perceptron
from jepa.tasks.crops import Geometry as Asked

FREQUENCIES = 4  # of each of the four numbers of a geometry: 1, 2, 4 and 8 quarter turns per unit


def encode_geometry(geometry: mt.Tensor) -> mt.Tensor:
    """Return sin and cos of each number at rising frequencies: (..., 4) -> (..., 4 + 8 · FREQUENCIES).

    γ(v) = (v, sin(2ᶠ π v / 2), cos(2ᶠ π v / 2)) for f = 0, 1, ... (Mildenhall et al. 2020, eq. 4): a small difference
    of place becomes a large one of the code, which an MLP can tell apart.

    >>> encode_geometry(mt.zeros((2, 3, 4))).shape
    (2, 3, 36)
    """
    turns = mt.concatenate([geometry * (2**f * math.pi / 2) for f in range(FREQUENCIES)], axis=-1)
    return mt.concatenate([geometry, mt.sin(turns), mt.cos(turns)], axis=-1)


@dataclass(frozen=True)
class GeometrySettings(Settings):
    """Of the predictor that is told a geometry."""

    width: int = setting(256, WIDTH)
    """hidden units"""
    depth: int = setting(2, between(0, 256))
    """hidden layers"""


class Geometry(Predictor):
    """An MLP that is told which target to predict; without that it could only predict the mean over all targets.

    `depth` hidden layers of `width` units, batch norm and ReLU. dim: numbers in an embedding. The four numbers of a
    geometry are the target's center relative to the context's, in units of the context's height and width, and the
    logarithms of the ratios of their heights and widths.

    Shapes: context (n, 1, dim), asked.places (n, v, 4) -> one set (n, v, dim).
    """

    Settings = GeometrySettings
    answers = (Asked,)

    def __init__(self, dim: int, grid: Grid, settings: GeometrySettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or GeometrySettings(), **changes)
        self.mlp = perceptron(dim + 4 + 8 * FREQUENCIES, s.width, s.depth, dim)

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Asked) -> list[mt.Tensor]:
        n, targets, _ = asked.places.shape
        x = mt.broadcast_to(tokens, (n, targets, self.dim))
        x = mt.concatenate([x, encode_geometry(mt.Tensor(asked.places, device=tokens.device))], axis=-1)
        return [self.mlp(x.reshape(n * targets, x.shape[2])).reshape(n, targets, self.dim)]
