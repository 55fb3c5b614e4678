"""Residual networks, with a stem for small images or the one for large images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import minitensor as mt
from jepa.models.feature_map import IMAGE_SIZE, FeatureMapEncoder, Pair, pair

__all__ = ["BasicBlock", "ResNet", "resnet18", "resnet34"]


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
        self.downsample: mt.nn.Layer | None = None
        if stride != 1 or inputs != outputs:
            shortcut = mt.nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = mt.nn.Sequential(shortcut, mt.nn.BatchNorm2d(outputs))

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map after the block."""
        y = self.bn2(self.conv2(mt.relu(self.bn1(self.conv1(x)))))
        return mt.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(FeatureMapEncoder):
    """Residual stages of basic blocks, each but the first halving the image and doubling the channels.

    layers: blocks of each stage; width: channels of the first. stem="cifar": one 3x3 convolution that keeps the size,
    as is usual for images of 32 pixels; "imagenet": 7x7 with stride 2, then a 3x3 max-pool with stride 2. Parameters
    have torchvision's names, without `fc`, so its weights load as they are with stem="imagenet".

    (n, channels, h, w) -> (n, dim), and `tokens` -> (n, rows · columns, dim), dim = width · 2^(stages - 1); one place
    for 8 pixels with four stages and the stem for small images, for 32 with the other. Raises ValueError for another
    stem. Reference: He et al. 2016.

    >>> encoder = ResNet((1, 1), width=8, image_size=16)
    >>> encoder.dim, encoder.grid, encoder(mt.ones((2, 3, 16, 16))).shape, encoder.tokens(mt.ones((2, 3, 16, 16))).shape
    (16, (8, 8), (2, 16), (2, 64, 16))
    """

    def __init__(
        self,
        layers: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        channels: int = 3,
        stem: str = "cifar",
        image_size: Pair = IMAGE_SIZE,
    ) -> None:
        if stem not in ("cifar", "imagenet"):
            raise ValueError(f"stem is 'cifar' or 'imagenet'; got {stem!r}")
        self.image_size, self.stem = pair(image_size), stem
        self.stride = 2 ** (len(layers) - 1) * (1 if stem == "cifar" else 4)
        if stem == "cifar":
            self.conv1 = mt.nn.Conv2d(channels, width, 3, padding=1, bias=False)
        else:
            self.conv1 = mt.nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = mt.nn.BatchNorm2d(width)
        self.names = [f"layer{k}" for k in range(1, len(layers) + 1)]
        inputs = width
        for k, (name, count) in enumerate(zip(self.names, layers, strict=True)):
            outputs = width * 2**k
            first = BasicBlock(inputs, outputs, stride=2 if k else 1)
            setattr(self, name, mt.nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(count - 1))))
            inputs = outputs
        self.dim = inputs
        for part in self.layers():
            if isinstance(part, mt.nn.Conv2d):
                mt.nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def feature_map(self, images: mt.Tensor) -> mt.Tensor:
        """Return the last feature map: (n, channels, h, w) -> (n, dim, rows, columns)."""
        x = mt.relu(self.bn1(self.conv1(images)))
        if self.stem == "imagenet":
            x = mt.nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        for name in self.names:
            x = getattr(self, name)(x)
        return x


def resnet18(**settings: Any) -> ResNet:
    """Return ResNet-18, 11.17 M parameters with the stem for small images; settings as of `ResNet`.

    >>> encoder = resnet18()
    >>> encoder.dim, encoder.grid, round(sum(p.size for p in encoder.parameters()) / 1e6, 2)
    (512, (4, 4), 11.17)
    """
    return ResNet(**{"layers": (2, 2, 2, 2), **settings})


def resnet34(**settings: Any) -> ResNet:
    """Return ResNet-34; settings as of `ResNet`.

    >>> round(sum(p.size for p in resnet34().parameters()) / 1e6, 2)
    21.28
    """
    return ResNet(**{"layers": (3, 4, 6, 3), **settings})
