"""ResNet-9: a residual network of images small enough for two processor cores."""

from dataclasses import dataclass, replace
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, setting
from jepa.encoders.base import ImageEncoder

__all__ = ["ResNet9", "ResNet9Settings"]


@dataclass(frozen=True)
class ResNet9Settings(Settings):
    """Of the small residual network."""

    width: int = setting(28, WIDTH)
    """channels of the first convolution; the others have 2, 4 and 8 times as many"""


class _Convolution(mt.nn.Layer):
    """relu(norm(conv(x))), 3x3: (n, inputs, h, w) -> (n, outputs, h, w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.conv = mt.nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = mt.nn.BatchNorm2d(outputs)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map."""
        return mt.relu(self.norm(self.conv(x)))


class _Residual(mt.nn.Layer):
    """x + two convolutions of it: (n, width, h, w) -> the same."""

    def __init__(self, width: int) -> None:
        self.first, self.second = _Convolution(width, width), _Convolution(width, width)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map."""
        y: mt.Tensor = x + self.second(self.first(x))
        return y


class ResNet9(ImageEncoder):
    """Images to places of 8 x 8 pixels, by eight convolutions, two pairs of which are residual; the ninth classified.

        conv w -> pool, conv 2 w, residual -> pool, conv 4 w -> pool, conv 8 w, residual

    conv is a 3x3 convolution, batch norm and ReLU, pool a 2x2 max-pool. At 32 x 32 pixels it has 50,688 w² + 27,648 w
    multiply-adds: 40.5 million with w = 28, a fourteenth of ResNet-18's. Here a pool comes before the convolution that
    doubles the channels; in DAWNBench's ResNet-9 (Page 2018) behind it, for nearly twice as many.

    shape: (channels, height, width). `tokens`: (n, *shape) -> (n, rows · columns, 8 width). Raises ConfigError for
    examples that are no images, or smaller than 8 pixels.

    >>> encoder = ResNet9((3, 32, 32), width=4)
    >>> encoder.dim, encoder.grid, encoder.tokens(mt.ones((2, 3, 32, 32))).shape
    (32, (4, 4), (2, 16, 32))
    """

    Settings = ResNet9Settings
    stride = 8

    def __init__(self, shape: tuple[int, ...], settings: ResNet9Settings | None = None, /, **changes: Any) -> None:
        self.settings = replace(settings or ResNet9Settings(), **changes)
        self.shape, self.grid, w = tuple(shape), self.grid_of(shape), self.settings.width
        self.dim = 8 * w
        self.stages = mt.nn.Sequential(
            _Convolution(shape[0], w),
            mt.nn.MaxPool2d(2),
            _Convolution(w, 2 * w),
            _Residual(2 * w),
            mt.nn.MaxPool2d(2),
            _Convolution(2 * w, 4 * w),
            mt.nn.MaxPool2d(2),
            _Convolution(4 * w, 8 * w),
            _Residual(8 * w),
        )
        for part in self.layers():
            if isinstance(part, mt.nn.Conv2d):
                mt.nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        """Return the last feature map: (n, channels, h, w) -> (n, 8 width, rows, columns)."""
        y: mt.Tensor = self.stages(x)
        return y
