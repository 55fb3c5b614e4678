"""The predictor of saccades: from a view's embedding, and how the other one lies seen from it, to that one's."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.predictors.base import Predictor
from jepa.predictors.geometry import FREQUENCIES, encode_geometry
from jepa.projectors import perceptron
from jepa.tasks.saccade import Pose as Asked


@dataclass(frozen=True)
class PoseSettings(Settings):
    """Of the predictor that is told a pose."""

    width: int = setting(256, WIDTH)
    """hidden units, of the code of the pose too"""
    depth: int = setting(2, between(0, 256))
    """hidden layers"""


class Pose(Predictor):
    """An MLP that is told by which rotation and shift the other view lies apart (LumenPallidium's Saccade-JEPA).

        ŝ = MLP(c + W' gelu(norm(W γ(sin θ, cos θ, t_x, t_y))) + b')

    γ are the four numbers, and sines and cosines of them at rising frequencies (`encode_geometry`); norm is batch norm,
    so that poses of a small range count as much as those of a large one. The pose is numbers, and is encoded behind its
    inversion: cos θ keeps its sign on the way back, and no pose has a negated code. The MLP has `depth` hidden layers
    of `width` units, batch norm and ReLU; the same one without the pose is `predictor=mlp`, the control that says what
    being told is worth. The public code has θ itself in place of its sine and cosine, no norm, and one Linear for all
    hidden layers.

    Shapes: tokens (n, 1, dim), asked.pose (n, 3) -> one set (n, 1, dim).

    >>> import numpy as np
    >>> Pose(8, (4, 4), width=16)(mt.ones((5, 1, 8)), None, None, Asked(np.zeros((5, 3), np.float32)))[0].shape
    (5, 1, 8)
    """

    Settings = PoseSettings
    answers = (Asked,)

    def __init__(self, dim: int, grid: Grid, settings: PoseSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or PoseSettings(), **changes)
        known = [mt.nn.Linear(4 + 8 * FREQUENCIES, s.width, bias=False), mt.nn.BatchNorm1d(s.width), mt.nn.GELU()]
        self.embed = mt.nn.Sequential(*known, mt.nn.Linear(s.width, dim))
        self.mlp = perceptron(dim, s.width, s.depth, dim)

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Asked) -> list[mt.Tensor]:
        told = encode_geometry(mt.Tensor(asked.code, device=tokens.device))
        x = tokens[:, 0] + self.embed(told)
        return [self.mlp(x)[:, None]]
