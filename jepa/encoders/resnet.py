"""Residual networks of images, with a stem for small ones or the one for large ones."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, each, setting
from jepa.contracts import Grid
from jepa.encoders.base import ImageEncoder

SMALL = (3, 32, 32)  # CIFAR's images


class BasicBlock(mt.nn.Layer):
    """y = relu(x' + norm(conv(relu(norm(conv(x)))))), x' = x, or a strided 1x1 convolution of it where shapes change.

    (n, inputs, h, w) -> (n, outputs, h / stride, w / stride), rounded up. Reference: He et al. 2016, fig. 2.

    >>> BasicBlock(4, 8, stride=2)(mt.ones((2, 4, 6, 6))).shape
    (2, 8, 3, 3)
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        self.conv1 = mt.nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = mt.nn.BatchNorm2d(outputs)
        self.conv2 = mt.nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = mt.nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map after the block."""
        y = self.bn2(self.conv2(mt.relu(self.bn1(self.conv1(x)))))
        return mt.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(mt.nn.Layer):
    """As `BasicBlock`, by three convolutions: 1x1 to `outputs` / 4 channels, 3x3 with the stride, 1x1 back.

    (n, inputs, h, w) -> (n, outputs, h / stride, w / stride), rounded up. Reference: He et al. 2016, fig. 5; the stride
    in the 3x3 convolution, as torchvision has it.

    >>> Bottleneck(4, 8, stride=2)(mt.ones((2, 4, 6, 6))).shape
    (2, 8, 3, 3)
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        width = outputs // 4
        self.conv1 = mt.nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = mt.nn.BatchNorm2d(width)
        self.conv2 = mt.nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = mt.nn.BatchNorm2d(width)
        self.conv3 = mt.nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = mt.nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map after the block."""
        y = mt.relu(self.bn2(self.conv2(mt.relu(self.bn1(self.conv1(x))))))
        return mt.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> mt.nn.Layer | None:
    """Return what brings the input of a block to the shape of its output; None: it has it."""
    if stride == 1 and inputs == outputs:
        return None
    return mt.nn.Sequential(mt.nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), mt.nn.BatchNorm2d(outputs))


BLOCKS: dict[str, tuple[type[BasicBlock | Bottleneck], int]] = {"basic": (BasicBlock, 1), "bottleneck": (Bottleneck, 4)}
"""each with how many times the channels of its 3x3 convolution leave it"""


@dataclass(frozen=True)
class ResNetSettings(Settings):
    """Of the residual network."""

    layers: tuple[int, ...] = setting((2, 2, 2, 2), each(DEPTH, 8))
    """blocks of each stage; each stage but the first halves the image and doubles the channels"""
    width: int = setting(64, WIDTH)
    """channels of the first stage's 3x3 convolutions"""
    block: Literal["basic", "bottleneck"] = setting("basic")
    """two 3x3 convolutions; or 1x1, 3x3 and 1x1, with four times the channels behind them (ResNet-50 and deeper)"""
    stem: Literal["cifar", "imagenet"] = setting("cifar")
    """cifar: one 3x3 convolution that keeps the size; imagenet: 7x7 and a max-pool, which quarter it"""


class ResNet(ImageEncoder):
    """Residual stages of blocks, each but the first halving the image and doubling the channels.

    stem="cifar": one 3x3 convolution that keeps the size, as is usual for images of 32 pixels; "imagenet": 7x7 with
    stride 2, then a 3x3 max-pool with stride 2. Parameters have torchvision's names, without `fc`, so its weights load
    as they are with stem="imagenet".

    shape: (channels, height, width). `tokens`: (n, *shape) -> (n, rows · columns, dim), dim = width · 2^(stages - 1),
    four times that with bottlenecks; one place for 8 pixels with four stages and the stem for small images, for 32 with
    the other, rounded up. Raises ConfigError for examples that are no images. Reference: He et al. 2016.

    >>> encoder = ResNet((3, 16, 16), layers=(1, 1), width=8)
    >>> encoder.dim, encoder.grid, encoder.tokens(mt.ones((2, 3, 16, 16))).shape
    (16, (8, 8), (2, 64, 16))
    """

    Settings = ResNetSettings

    def __init__(self, shape: tuple[int, ...], settings: ResNetSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or ResNetSettings(), **changes)
        small = s.stem == "cifar"
        self.stride = 2 ** (len(s.layers) - 1) * (1 if small else 4)
        self.shape, self.grid = tuple(shape), self.grid_of(shape)
        kernel, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = mt.nn.Conv2d(shape[0], s.width, kernel, stride=stride, padding=padding, bias=False)
        self.bn1 = mt.nn.BatchNorm2d(s.width)
        self.names = [f"layer{k}" for k in range(1, len(s.layers) + 1)]
        inputs, (block, times) = s.width, BLOCKS[s.block]
        for k, (name, count) in enumerate(zip(self.names, s.layers, strict=True)):
            outputs = times * s.width * 2**k
            first = block(inputs, outputs, stride=2 if k else 1)
            setattr(self, name, mt.nn.Sequential(first, *(block(outputs, outputs) for _ in range(count - 1))))
            inputs = outputs
        self.dim = inputs
        for part in self.layers():
            if isinstance(part, mt.nn.Conv2d):
                mt.nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        """Return the grid of images of a shape; one that the stride does not divide has one place more."""
        up = [-(-side // self.stride) * self.stride for side in shape[1:]]
        return super().grid_of((shape[0], *up) if len(up) == 2 else shape)

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        x = mt.relu(self.bn1(self.conv1(x)))
        if self.settings.stem == "imagenet":
            x = mt.nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        for name in self.names:
            x = getattr(self, name)(x)
        return x


def resnet18(shape: tuple[int, ...] = SMALL, /, **changes: Any) -> ResNet:
    """Return ResNet-18, 11.17 M parameters with the stem for small images.

    ResNet-34 has layers=(3, 4, 6, 3), ResNet-50 those of bottlenecks, block="bottleneck".

    >>> encoder = resnet18()
    >>> encoder.dim, encoder.grid, round(sum(p.size for p in encoder.parameters()) / 1e6, 2)
    (512, (4, 4), 11.17)
    """
    return ResNet(shape, **changes)
