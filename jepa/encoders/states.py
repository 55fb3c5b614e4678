"""An encoder of trajectories of numbers: an MLP of each frame by itself."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, setting
from jepa.contracts import Grid
from jepa.encoders.block import relu_mlp
from jepa.encoders.frames import Framewise


@dataclass(frozen=True)
class StatesSettings(Settings):
    """Of the encoder of states."""

    width: int = setting(256, WIDTH)
    """hidden units"""
    depth: int = setting(2, DEPTH)
    """hidden layers"""
    dim: int = setting(128, WIDTH)
    """numbers in the code of a frame"""


class States(Framewise):
    """Trajectories (d, f) of d numbers, such as angles and speeds, to one code for each frame.

        code(t) = LayerNorm(MLP(x[:, t]))

    The MLP has `depth` hidden layers of `width` units with ReLU. Raises ConfigError for examples of other ranks.

    >>> encoder = States((4, 9), width=32, dim=16)
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 4, 9))).shape
    ((9,), (5, 9, 16))
    """

    Settings = StatesSettings
    rank = 1
    frames = "trajectories of numbers (numbers, frames)"

    def __init__(self, shape: tuple[int, ...], settings: StatesSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or StatesSettings(), **changes)
        (inputs,), self.shape = self.frame_of(shape), tuple(shape)
        self.mlp = relu_mlp(inputs, *[s.width] * s.depth, s.dim)
        self.norm = mt.nn.LayerNorm(s.dim)
        self.dim, self.grid = s.dim, self.grid_of(shape)

    def places_of(self, shape: tuple[int, ...]) -> Grid:
        return ()

    def frame(self, x: mt.Tensor) -> mt.Tensor:
        code: mt.Tensor = self.norm(self.mlp(x))[:, None]
        return code
