"""A small convolutional network of series."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, each, setting
from jepa.contracts import Grid
from jepa.encoders.base import WholeEncoder
from jepa.errors import ConfigError


@dataclass(frozen=True)
class CNN1dSettings(Settings):
    """Of the convolutional network of series."""

    widths: tuple[int, ...] = setting((32, 64, 128), each(WIDTH))
    """channels of each layer"""
    kernels: tuple[int, ...] = setting((5, 3, 3), each(between(1, 1023)))
    """samples that each layer looks at, one number for all or one for each layer"""
    strides: tuple[int, ...] = setting((2,), each(between(1, 1024)))
    """samples from one place to the next, one number for all or one for each layer"""
    norm: Literal["batch", "none"] = setting("batch")
    """normalization after each convolution"""

    def problems(self) -> Iterator[str]:
        for name in ("kernels", "strides"):
            if len(getattr(self, name)) not in (1, len(self.widths)):
                yield f"{name}={list(getattr(self, name))}: needs one number, or as many as widths={list(self.widths)}"

    def layers(self) -> list[tuple[int, int, int]]:
        """Return the width, the kernel and the stride of each layer."""
        count = len(self.widths)
        kernels, strides = (v * count if len(v) == 1 else v for v in (self.kernels, self.strides))
        return list(zip(self.widths, kernels, strides, strict=True))


class CNN1d(WholeEncoder):
    """Series (c, t) to the places of a shorter one: Conv1d, batch norm and ReLU, layer by layer.

    A layer of stride s leaves ⌈t / s⌉ samples of t, with zeros of half a kernel at both ends. What is missing (NaN) is
    0, too. Raises ConfigError for examples that are no series.

    >>> encoder = CNN1d((2, 40), widths=(8, 16, 16))
    >>> encoder.grid, encoder.tokens(mt.zeros((5, 2, 40))).shape
    ((5,), (5, 5, 16))
    """

    Settings = CNN1dSettings
    gaps = True

    def __init__(self, shape: tuple[int, ...], settings: CNN1dSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or CNN1dSettings(), **changes)
        self.shape, self.dim = tuple(shape), s.widths[-1]
        self.grid = self.grid_of(shape)
        self.stages = mt.nn.Sequential(*self._layers(shape[0]))

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if len(shape) != 2:
            raise ConfigError(
                f"encoder=cnn1d takes series (channels, length); the source's examples are {shape}: see cnn, vit, mlp, "
                "or take another source"
            )
        length = shape[1]
        for _, kernel, stride in self.settings.layers():
            length = (length + 2 * (kernel // 2) - kernel) // stride + 1
        return (length,)

    def _layers(self, inputs: int) -> Iterator[mt.nn.Layer]:
        batch = self.settings.norm == "batch"
        for width, kernel, stride in self.settings.layers():
            yield mt.nn.Conv1d(inputs, width, kernel, stride=stride, padding=kernel // 2, bias=not batch)
            if batch:
                yield mt.nn.BatchNorm1d(width)
            yield mt.nn.ReLU()
            inputs = width

    def whole(self, x: mt.Tensor) -> mt.Tensor:
        """Return the tokens of all places: (n, c, t) -> (n, N, dim)."""
        y: mt.Tensor = self.stages(x).swapaxes(1, 2)
        return y
