"""The plainest predictor of dynamics: an MLP of code and action says how the code changes."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, between, setting
from jepa.contracts import Grid
from jepa.encoders.block import relu_mlp
from jepa.predictors.dynamics import DynamicsSettings, Stepwise


@dataclass(frozen=True)
class ResidualSettings(DynamicsSettings):
    """Of the residual predictor of dynamics."""

    width: int = setting(512, WIDTH)
    """hidden units of each layer"""
    layers: int = setting(2, between(1, 16))
    """hidden layers; where two things meet, as a wall does a dot, one layer of any width says it badly"""


class Residual(Stepwise):
    """ẑ_{t+1} = LayerNorm(ẑ_t + g(relu(V ẑ_t + U a_t + b))), from ẑ_0 = z_0; g: more such layers, and a linear one.

    A step of a residual network, unrolled. Where a GRU's gates add what an action and a code say, the hidden units here
    are of both, so that an action can mean another change of the code at another place; a step costs a planner as much.

    Shapes: codes (n, K, dim), of which the last counts, actions (n, K - 1 + S, a) -> (n, S, dim).

    >>> Residual(8, (17,), actions=2, width=16).imagine(mt.ones((5, 1, 8)), mt.ones((5, 4, 2))).shape
    (5, 4, 8)
    """

    Settings = ResidualSettings

    def __init__(self, dim: int, grid: Grid, settings: ResidualSettings | None = None, /, **changes: Any) -> None:
        s = replace(settings or ResidualSettings(), **changes)
        super().__init__(dim, grid, s)
        self.told, self.hidden = mt.nn.Linear(self.actions, s.width, bias=False), mt.nn.Linear(dim, s.width)
        self.change, self.norm = relu_mlp(*[s.width] * s.layers, dim), mt.nn.LayerNorm(dim)

    def step(self, z: mt.Tensor, told: mt.Tensor) -> mt.Tensor:
        y: mt.Tensor = self.norm(z + self.change(mt.relu(self.hidden(z) + told)))
        return y
