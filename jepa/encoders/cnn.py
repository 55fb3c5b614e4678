"""A small convolutional network of images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, each, setting
from jepa.encoders.base import WholeEncoder
from jepa.errors import ConfigError

__all__ = ["CNN", "CNNSettings"]


@dataclass(frozen=True)
class CNNSettings(Settings):
    """Of the convolutional network."""

    widths: tuple[int, ...] = setting((32, 64, 128), each(WIDTH))
    """channels of each stage; each stage but the first halves the image"""
    norm: Literal["batch", "none"] = setting("batch")
    """normalization after each convolution"""


class CNN(WholeEncoder):
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
        side = 2 ** (len(widths) - 1)
        if len(shape) != 3:
            raise ConfigError(
                f"encoder=cnn takes images (channels, height, width); the source has {shape}: see mlp, vit"
            )
        if min(shape[1:]) < side:
            most = int(math.log2(min(shape[1:]))) + 1
            raise ConfigError(
                f"encoder.widths={list(widths)}: {len(widths)} stages, each but the first halving the image, leave "
                f"nothing of {shape[1]} x {shape[2]} pixels; use at most {most}, or larger images"
            )
        self.dim, self.grid = widths[-1], (shape[1] // side, shape[2] // side)
        self.stages = mt.nn.Sequential(*self._layers((shape[0], *widths), batch))

    @staticmethod
    def _layers(channels: tuple[int, ...], batch: bool) -> Iterator[mt.nn.Layer]:
        for k, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
            if k:
                yield mt.nn.MaxPool2d(2)
            yield mt.nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch)
            if batch:
                yield mt.nn.BatchNorm2d(outputs)
            yield mt.nn.ReLU()

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return one token for each place of the last stage: (n, channels, h, w) -> (n, rows · columns, widths[-1])."""
        y = self.stages(x)
        return y.reshape(*y.shape[:2], -1).swapaxes(1, 2)  # type: ignore[no-any-return]
