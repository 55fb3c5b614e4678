"""A small convolutional network of frames whose whole feature map is the code: what is where stays where it is."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, each, setting
from jepa.contracts import Grid
from jepa.encoders.frames import Framewise
from jepa.encoders.impala import Residual


@dataclass(frozen=True)
class MapsSettings(Settings):
    """Of the network of feature maps."""

    widths: tuple[int, ...] = setting((16, 16), each(WIDTH))
    """channels of each stage; each stage halves the frame"""
    channels: int = setting(8, WIDTH)
    """numbers at each place of the code"""


class Maps(Framewise):
    """Clips (c, f, h, w) to one code for each frame, its feature map: channels · rows · columns numbers.

        stage: conv 3x3, every second place -> a residual block x + conv(relu(conv(relu(x))))
        code = LayerNorm(conv(relu(stages(frame)))), (channels, rows, columns) as one row of numbers

    Where a code of no places, as `impala` has, must learn for each place apart what a wall does to a dot there,
    predictor=maps goes by neighbourhoods, which are everywhere alike. So spatial codes need fewer data (PLDM's second
    encoder, Sobal et al. 2025; DINO-WM, Zhou et al. 2024). Frames have one size, that of `shape`; a clip any number of
    them. Raises ConfigError for examples that are no clips.

    >>> encoder = Maps((2, 9, 33, 33), widths=(4, 4), channels=3)
    >>> encoder.map, encoder.grid, encoder.tokens(mt.zeros((5, 2, 9, 33, 33))).shape
    ((3, 9, 9), (9,), (5, 9, 243))
    """

    Settings = MapsSettings

    def __init__(self, shape: tuple[int, ...], settings: MapsSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or MapsSettings(), **changes)
        (inputs, *lengths), self.shape = self.frame_of(shape), tuple(shape)
        stages: list[mt.nn.Layer] = []
        for width in s.widths:
            stages += [mt.nn.Conv2d(inputs, width, 3, stride=2, padding=1), Residual(width)]
            lengths, inputs = [-(-length // 2) for length in lengths], width
        self.stages = mt.nn.Sequential(*stages, mt.nn.ReLU(), mt.nn.Conv2d(inputs, s.channels, 3, padding=1))
        self.map = (s.channels, *lengths)
        self.dim, self.grid = s.channels * lengths[0] * lengths[1], self.grid_of(shape)
        self.norm = mt.nn.LayerNorm(self.dim)

    def places_of(self, shape: tuple[int, ...]) -> Grid:
        return ()

    def frame(self, x: mt.Tensor) -> mt.Tensor:
        code: mt.Tensor = self.norm(self.stages(x).reshape(len(x), 1, -1))
        return code
