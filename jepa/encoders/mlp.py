"""The plainest encoder: all numbers of an example at once through a multilayer perceptron."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, setting
from jepa.contracts import Grid
from jepa.encoders.base import WholeEncoder
from jepa.errors import ConfigError
from jepa.text import by_x


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Of the multilayer perceptron."""

    width: int = setting(512, WIDTH)
    """units of each hidden layer, the numbers in the token"""
    depth: int = setting(2, DEPTH)
    """hidden layers"""
    norm: Literal["batch", "none"] = setting("batch")
    """normalization after each linear map"""


class MLP(WholeEncoder):
    """Examples of any shape, flattened, to one token: `depth` times Linear, batch norm, ReLU.

    (n, *shape) -> (n, 1, width). There is one place, so that nothing can be masked. Raises ConfigError for examples of
    another shape.

    >>> encoder = MLP((3, 8, 8), width=16)
    >>> encoder.grid, encoder.tokens(mt.ones((5, 3, 8, 8))).shape, MLP((6, 128), width=16).grid
    ((1, 1), (5, 1, 16), (1,))
    """

    Settings = MLPSettings

    def __init__(self, shape: tuple[int, ...], settings: MLPSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or MLPSettings(), **changes)
        self.shape, self.dim = tuple(shape), s.width
        self.grid = self.grid_of(shape)
        inputs, layers = math.prod(shape), list[mt.nn.Layer]()
        for _ in range(s.depth):
            layers += [mt.nn.Linear(inputs, s.width, bias=s.norm == "none")]
            layers += [mt.nn.BatchNorm1d(s.width)] if s.norm == "batch" else []
            layers += [mt.nn.ReLU()]
            inputs = s.width
        self.mlp = mt.nn.Sequential(*layers)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if tuple(shape) != self.shape:
            raise ConfigError(
                f"encoder=mlp takes examples of one shape alone, {by_x(self.shape)}; these are {by_x(shape)}: bring "
                "them to that, or take another encoder"
            )
        return (1,) * (len(shape) - 1)

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        self.grid_of(x.shape[1:])
        y: mt.Tensor = self.mlp(x.reshape(len(x), -1))[:, None]
        return y
