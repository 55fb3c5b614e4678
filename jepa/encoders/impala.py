"""The IMPALA network: a small residual network of frames, one code for each, as agents have it."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, each, setting
from jepa.contracts import Grid
from jepa.encoders.frames import Framewise


@dataclass(frozen=True)
class ImpalaSettings(Settings):
    """Of the IMPALA network."""

    widths: tuple[int, ...] = setting((16, 32, 32), each(WIDTH))
    """channels of each stack; each stack halves the frame"""
    dim: int = setting(512, WIDTH)
    """numbers in the code of a frame"""
    stride: int = setting(1, between(1, 16))
    """pixels from one place of the first convolution to the next; 2: about a quarter of the work"""


class Residual(mt.nn.Layer):
    """x + conv(relu(conv(relu(x)))), 3x3 with zeros around: (n, width, *lengths) -> the same."""

    def __init__(self, width: int, conv: Any = mt.nn.Conv2d) -> None:
        self.conv1, self.conv2 = (conv(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map."""
        y: mt.Tensor = x + self.conv2(mt.relu(self.conv1(mt.relu(x))))
        return y


class Impala(Framewise):
    """Clips (c, f, h, w) to one code for each frame: the residual network of IMPALA (Espeholt et al. 2018, figure 3).

        stack: conv 3x3 -> max-pool 3x3, every second -> two residual blocks x + conv(relu(conv(relu(x))))
        code = LayerNorm(W relu(stacks(frame)) + b)

    The code has no places, as the feature map is flattened: W knows where things are. With the widths 16, 32, 32 and
    512 numbers it is the encoder of eb_jepa's two rooms. Frames have one size, that of `shape`; a clip any number of
    them. Raises ConfigError for examples that are no clips.

    >>> encoder = Impala((2, 9, 33, 33), widths=(4, 8), dim=16)
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 2, 9, 33, 33))).shape
    ((9,), (5, 9, 16))
    """

    Settings = ImpalaSettings

    def __init__(self, shape: tuple[int, ...], settings: ImpalaSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or ImpalaSettings(), **changes)
        (inputs, *lengths), self.shape = self.frame_of(shape), tuple(shape)
        stacks: list[mt.nn.Layer] = []
        for k, width in enumerate(s.widths):
            stride = 1 if k else s.stride
            conv, pool = (mt.nn.Conv2d(inputs, width, 3, stride=stride, padding=1), mt.nn.MaxPool2d(3, 2, padding=1))
            stacks += [conv, pool, Residual(width), Residual(width)]
            lengths, inputs = [-(-length // (2 * stride)) for length in lengths], width
        self.stacks = mt.nn.Sequential(*stacks)
        self.embed = mt.nn.Linear(inputs * lengths[0] * lengths[1], s.dim)
        self.norm = mt.nn.LayerNorm(s.dim)
        self.dim, self.grid = s.dim, self.grid_of(shape)

    def places_of(self, shape: tuple[int, ...]) -> Grid:
        return ()

    def frame(self, x: mt.Tensor) -> mt.Tensor:
        y = mt.relu(self.stacks(x))
        code: mt.Tensor = self.norm(self.embed(y.reshape(len(y), 1, -1)))
        return code
