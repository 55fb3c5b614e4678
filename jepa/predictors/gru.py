"""The recurrent predictor of dynamics: its state is the code, and what it is told is the action."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.contracts import Grid
from jepa.predictors.dynamics import DynamicsSettings, Stepwise

KEEP = 3.0  # first bias of the update gate: 95 % of a code stay as they are, so that nothing moves at first


@dataclass(frozen=True)
class GRUSettings(DynamicsSettings):
    """Of the recurrent predictor of dynamics."""


class GRU(Stepwise):
    """ẑ_{t+1} = LayerNorm(GRU(a_t, ẑ_t)), from ẑ_0 = z_0: eb_jepa's predictor of actions.

    The state of a gated recurrent unit (Cho et al. 2014) is the code itself, and its input the action. The norm, with
    weights of its own, keeps predictions on the sphere that an encoder with a last layer norm has its codes on. The
    update gate begins nearly open, σ(3), as a memory's does (Jozefowicz et al. 2015): at first almost nothing moves,
    where PyTorch's start forgets half of a code in each step.

    Shapes: codes (n, K, dim), of which the last counts, actions (n, K - 1 + S, a) -> (n, S, dim).

    >>> GRU(8, (17,), actions=2).imagine(mt.ones((5, 1, 8)), mt.ones((5, 4, 2))).shape
    (5, 4, 8)
    """

    Settings = GRUSettings

    def __init__(self, dim: int, grid: Grid, settings: GRUSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid, replace(settings or GRUSettings(), **changes))
        self.cell = mt.nn.GRUCell(self.actions, dim)
        self.norm = mt.nn.LayerNorm(dim)
        gates: Any = self.cell.bias_ih  # of reset, update and new
        with mt.no_grad():
            gates[dim : 2 * dim] = KEEP

    def step(self, z: mt.Tensor, told: mt.Tensor) -> mt.Tensor:
        y: mt.Tensor = self.norm(self.cell(told, z))
        return y
