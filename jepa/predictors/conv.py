"""The predictor of feature maps: a small residual convolutional network that is told its own predictions again."""

import math
from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.impala import Residual
from jepa.errors import ConfigError
from jepa.predictors.base import Predictor
from jepa.tasks.forecast import Future

CONVOLUTIONS = mt.nn.Conv1d, mt.nn.Conv2d


@dataclass(frozen=True)
class ConvSettings(Settings):
    """Of the predictor of feature maps."""

    past: int = setting(2, between(1, 64))
    """feature maps that it looks at: the last ones; at most those that the task shows"""
    width: int = setting(64, WIDTH)
    """channels inside"""
    depth: int = setting(3, DEPTH)
    """residual blocks"""


class Conv(Predictor):
    """Predicts the feature map of the next frame from the last ones, and goes on from what it has predicted.

        ẑ_{t+1} = z_t + conv(relu(blocks(conv([z_{t-p+1}, ..., z_t]))));   then z_{t+1} = ẑ_{t+1}

    p = `past` maps are looked at. The last convolution begins with weights of 0, so that an untrained predictor says
    that nothing changes. As in eb_jepa's video example a loss of k steps goes back through all of them: what is
    predicted must be good enough to go on from. There the network is a U-Net on maps as large as the frame.

    Shapes: tokens (n, K, dim), the last p · rows · columns of them in raster order, asked.index (n, S, k), one step
    each -> S of (n, k, dim).

    >>> import numpy as np
    >>> from jepa.tasks import Forecast
    >>> keep, asked = Forecast(steps=3).question(5, (8, 4, 4))
    >>> [y.shape for y in Conv(8, (8, 4, 4), width=4)(mt.ones((5, 32, 8)), None, keep, asked)]
    [(5, 16, 8), (5, 16, 8), (5, 16, 8)]
    """

    Settings = ConvSettings
    answers = (Future,)

    def __init__(self, dim: int, grid: Grid, settings: ConvSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or ConvSettings(), **changes)
        rank = len(self.grid) - 1
        if not 1 <= rank <= len(CONVOLUTIONS):
            raise ConfigError(
                f"predictor=conv takes a feature map of each frame, of 1 or 2 axes, and the encoder's grid is "
                f"{self.grid}: take an encoder with places in each frame, such as frames, or another predictor"
            )
        conv = CONVOLUTIONS[rank - 1]
        self.first = conv(s.past * dim, s.width, 3, padding=1)
        self.blocks = mt.nn.LayerList([Residual(s.width, conv) for _ in range(s.depth)])
        self.last = conv(s.width, dim, 3, padding=1)
        mt.nn.init.zeros_(self.last.weight)

    def check(self, task: Any) -> None:
        if task.settings.past < self.settings.past:
            raise ConfigError(
                f"predictor.past={self.settings.past} with task.past={task.settings.past}: the predictor looks at more "
                "frames than the task shows; take a lower predictor.past, or a higher task.past"
            )

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Future) -> list[mt.Tensor]:
        n, count, _ = tokens.shape
        frame = self.grid[1:]
        maps = tokens.reshape(n, count // math.prod(frame), -1, self.dim)  # (n, frames, places, dim)
        seen = [maps[:, -k].swapaxes(1, 2).reshape(n, self.dim, *frame) for k in range(self.settings.past, 0, -1)]
        predictions = []
        for _ in asked.sizes:
            seen = [*seen[1:], self.next(seen)]
            predictions.append(seen[-1].reshape(n, self.dim, -1).swapaxes(1, 2))
        return predictions

    def next(self, seen: list[mt.Tensor]) -> mt.Tensor:
        """Return the feature map that follows `past` others, (n, dim, *frame) each."""
        x = self.first(mt.concatenate(seen, axis=1))
        for block in self.blocks:
            x = block(x)
        y: mt.Tensor = seen[-1] + self.last(mt.relu(x))
        return y
