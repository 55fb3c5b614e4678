"""The predictor of dynamics that goes by neighbourhoods: convolutions of a feature map, told the action everywhere."""

import math
from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, between, setting
from jepa.contracts import Grid
from jepa.errors import ConfigError
from jepa.predictors.dynamics import DynamicsSettings, Stepwise


@dataclass(frozen=True)
class MapsSettings(DynamicsSettings):
    """Of the predictor of feature maps by actions."""

    channels: int = setting(8, WIDTH)
    """numbers at each place of a code, `encoder.channels`"""
    rows: int | None = setting(None, between(1, 4096))
    """rows of a code's map; null: as many as columns"""
    width: int = setting(32, WIDTH)
    """channels of each hidden layer"""
    layers: int = setting(2, between(1, 16))
    """hidden layers"""


class Maps(Stepwise):
    """ẑ_{t+1} = LayerNorm(ẑ_t + g(relu((1 + V a_t) conv(ẑ_t) + U a_t))), from ẑ_0 = z_0; g: more such convolutions.

    Codes are feature maps (channels, rows, columns), as encoder=maps has them, and all convolutions are 3x3 with zeros
    around. What an action does depends on what lies near, by one rule for all places; the product lets an
    action move what is there (Perez et al. 2018). The last convolution begins with zeros: at first nothing moves.

    Shapes: codes (n, K, dim), of which the last counts, actions (n, K - 1 + S, a) -> (n, S, dim). Raises ConfigError
    for codes that are no such maps.

    >>> Maps(18, (17,), channels=2, width=4).imagine(mt.ones((5, 1, 18)), mt.ones((5, 4, 2))).shape
    (5, 4, 18)
    """

    Settings = MapsSettings

    def __init__(self, dim: int, grid: Grid, settings: MapsSettings | None = None, /, **changes: Any) -> None:
        s = replace(settings or MapsSettings(), **changes)
        super().__init__(dim, grid, s)
        self.map = self._map(dim, s)
        sizes = [s.channels, *[s.width] * s.layers, s.channels]
        first, *middle, last = [mt.nn.Conv2d(a, b, 3, padding=1) for a, b in zip(sizes, sizes[1:], strict=False)]
        for p in last.parameters():
            mt.nn.init.zeros_(p)
        self.told, self.seen = mt.nn.Linear(self.actions, 2 * s.width, bias=False), first
        self.change = mt.nn.Sequential(*(layer for conv in middle for layer in (conv, mt.nn.ReLU())), last)
        self.norm = mt.nn.LayerNorm(dim)

    @staticmethod
    def _map(dim: int, s: MapsSettings) -> tuple[int, int, int]:
        """Return channels, rows and columns of a code."""
        places, left = divmod(dim, s.channels)
        rows = s.rows or math.isqrt(places)
        if left or places % rows or (s.rows is None and rows * rows != places):
            raise ConfigError(
                f"predictor=maps with predictor.channels={s.channels} and predictor.rows={s.rows or 'null'}: a code of "
                f"{dim} numbers is no such feature map; take encoder=maps with encoder.channels={s.channels}, and set "
                "predictor.rows where frames are not square"
            )
        return s.channels, rows, places // rows

    def step(self, z: mt.Tensor, told: mt.Tensor) -> mt.Tensor:
        scale, shift = mt.split(told[..., None, None], 2, axis=1)
        hidden = mt.relu(self.seen(z.reshape(-1, *self.map)) * (1 + scale) + shift)
        y: mt.Tensor = self.norm(z + self.change(hidden).reshape(len(z), -1))
        return y
