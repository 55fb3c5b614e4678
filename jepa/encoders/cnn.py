"""A small convolutional network of images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, each, setting
from jepa.contracts import Grid
from jepa.encoders.base import ImageEncoder
from jepa.errors import ConfigError


@dataclass(frozen=True)
class CNNSettings(Settings):
    """Of the convolutional network."""

    widths: tuple[int, ...] = setting((32, 64, 128), each(WIDTH))
    """channels of each stage; each stage but the first halves the image"""
    norm: Literal["batch", "none"] = setting("batch")
    """normalization after each convolution"""


class CNN(ImageEncoder):
    """Images to the places of a small feature map.

    Each stage is Conv2d 3x3, batch norm and ReLU; between two stages a 2x2 max-pool halves the image, and leaves out
    what is over. shape: (channels, height, width) of the images for which `grid` tells rows and columns; images of
    other sizes are taken too. Raises ConfigError for examples that are no images, or so small that nothing is left.

    >>> encoder = CNN((3, 8, 8), widths=(8, 16))
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 3, 8, 8))).shape
    ((4, 4), (5, 16, 16))
    """

    Settings = CNNSettings

    def __init__(self, shape: tuple[int, ...], settings: CNNSettings | None = None, /, **changes: Any) -> None:
        self.settings = replace(settings or CNNSettings(), **changes)
        widths, batch = self.settings.widths, self.settings.norm == "batch"
        self.dim, self.stride = widths[-1], 2 ** (len(widths) - 1)
        self.shape, self.grid = tuple(shape), self.grid_of(shape)
        self.stages = mt.nn.Sequential(*self._layers((shape[0], *widths), batch))

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if len(shape) == 3 and min(shape[1:]) < self.stride:
            raise ConfigError(
                f"encoder.widths={list(self.settings.widths)}: {len(self.settings.widths)} stages, each but the first "
                f"halving the image, leave nothing of {shape[1]} x {shape[2]} pixels; use at most "
                f"{int(math.log2(min(shape[1:]))) + 1}, or larger images"
            )
        return super().grid_of(shape)

    @staticmethod
    def _layers(channels: tuple[int, ...], batch: bool) -> Iterator[mt.nn.Layer]:
        for k, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
            if k:
                yield mt.nn.MaxPool2d(2)
            yield mt.nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch)
            if batch:
                yield mt.nn.BatchNorm2d(outputs)
            yield mt.nn.ReLU()

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        y: mt.Tensor = self.stages(x)
        return y
