"""ConvNeXt: a convolutional network shaped like a transformer: wide depthwise kernels, then an MLP at each place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, PROBABILITY, WIDTH, Settings, between, each, setting
from jepa.encoders.base import ImageEncoder
from jepa.encoders.block import EPS, STD
from jepa.errors import ConfigError

CONVNEXTS: dict[str, dict[str, Any]] = {
    "micro": {"depths": (2, 2, 4), "dims": (40, 80, 160)},  # ours: three stages, 1 place for 8 pixels with patch=2
    "atto": {"depths": (2, 2, 6, 2), "dims": (40, 80, 160, 320)},
    "femto": {"depths": (2, 2, 6, 2), "dims": (48, 96, 192, 384)},
    "pico": {"depths": (2, 2, 6, 2), "dims": (64, 128, 256, 512)},
    "nano": {"depths": (2, 2, 8, 2), "dims": (80, 160, 320, 640)},
    "tiny": {"depths": (3, 3, 9, 3), "dims": (96, 192, 384, 768)},
}


class ConvNeXtBlock(mt.nn.Layer):
    """x ← x + W₂ r(GELU(W₁ norm(depthwise 7x7 (x)))), the norm and the MLP at each place by itself.

    scale="grn": r is global response normalization, in which channels compete (Woo et al. 2023); "layer": r is nothing,
    and the branch is multiplied by a learned vector that starts at 1e-6 (Liu et al. 2022). drop_path: the share of
    samples for which, in training, the branch is left out. (n, dim, h, w), the same out.

    >>> ConvNeXtBlock(8)(mt.ones((2, 8, 5, 5))).shape
    (2, 8, 5, 5)
    """

    def __init__(self, dim: int, scale: str = "grn", drop_path: float = 0.0) -> None:
        self.dwconv = mt.nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = mt.nn.LayerNorm(dim, EPS)
        self.pwconv1 = mt.nn.Linear(dim, 4 * dim)
        self.grn = mt.nn.GRN(4 * dim) if scale == "grn" else None
        self.pwconv2 = mt.nn.Linear(4 * dim, dim)
        self.gamma = mt.nn.Parameter(np.full(dim, 1e-6, np.float32)) if scale == "layer" else None
        self.drop_path = mt.nn.DropPath(drop_path)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the feature map after the block."""
        y = self.dwconv(x).transpose(0, 2, 3, 1)  # (n, h, w, dim)
        y = mt.nn.functional.gelu(self.pwconv1(self.norm(y)))
        if self.grn is not None:
            y = self.grn(y.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        y = self.pwconv2(y)
        y = y if self.gamma is None else self.gamma * y
        found: mt.Tensor = x + self.drop_path(y.transpose(0, 3, 1, 2))
        return found


@dataclass(frozen=True)
class ConvNeXtSettings(Settings):
    """Of the ConvNeXt."""

    depths: tuple[int, ...] = setting((2, 2, 4), each(DEPTH, 8))
    """blocks of each stage; each stage but the first halves the image"""
    dims: tuple[int, ...] = setting((40, 80, 160), each(WIDTH, 8))
    """channels of each stage"""
    patch: int = setting(2, between(1, 2048))
    """side of a patch of the first convolution, in pixels; 2 to 4 for small images"""
    scale: Literal["grn", "layer"] = setting("grn")
    """grn: channels compete (ConvNeXt V2); layer: a learned factor of each branch (the first ConvNeXt)"""
    drop_path: float = setting(0.0, PROBABILITY)
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""

    def problems(self) -> Iterator[str]:
        if len(self.depths) != len(self.dims):
            yield f"depths={list(self.depths)}: one number for each stage, as many as dims={list(self.dims)}"


class ConvNeXt(ImageEncoder):
    """Patches, then stages of blocks; between two stages a 2x2 convolution halves the image.

    Parameters have the names of the authors' code, without `head`; the layer norm that there comes after the mean over
    all places, `norm`, is applied to each place here, since places are tokens.

    shape: (channels, height, width). `tokens`: (n, *shape) -> (n, rows · columns, dims[-1]); one place for
    patch · 2^(stages - 1) pixels. Raises ConfigError for examples that are no images, or smaller than one place.
    References: Liu et al. 2022; Woo et al. 2023.

    >>> encoder = ConvNeXt((3, 16, 16), depths=(1, 1), dims=(8, 16))
    >>> encoder.dim, encoder.grid, encoder.tokens(mt.ones((2, 3, 16, 16))).shape
    (16, (4, 4), (2, 16, 16))
    """

    Settings = ConvNeXtSettings

    def __init__(self, shape: tuple[int, ...], settings: ConvNeXtSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or ConvNeXtSettings(), **changes)
        self.dim, self.stride = s.dims[-1], s.patch * 2 ** (len(s.dims) - 1)
        self.shape, self.grid = tuple(shape), self.grid_of(shape)
        stem = mt.nn.Sequential(
            mt.nn.Conv2d(shape[0], s.dims[0], s.patch, stride=s.patch), mt.nn.LayerNorm2d(s.dims[0])
        )
        halve = [
            mt.nn.Sequential(mt.nn.LayerNorm2d(a), mt.nn.Conv2d(a, b, 2, stride=2))
            for a, b in zip(s.dims[:-1], s.dims[1:], strict=True)
        ]
        shares = iter(np.linspace(0.0, s.drop_path, sum(s.depths)))
        self.downsample_layers = mt.nn.LayerList([stem, *halve])
        self.stages = mt.nn.LayerList(
            [
                mt.nn.Sequential(*(ConvNeXtBlock(dim, s.scale, float(next(shares))) for _ in range(depth)))
                for depth, dim in zip(s.depths, s.dims, strict=True)
            ]
        )
        self.norm = mt.nn.LayerNorm2d(self.dim, EPS)
        for part in self.layers():
            if isinstance(part, mt.nn.Linear | mt.nn.Conv2d):
                mt.nn.init.trunc_normal_(part.weight, std=STD)
                if part.bias is not None:
                    mt.nn.init.zeros_(part.bias)

    def depths(self) -> list[list[mt.Tensor]]:
        pairs = zip(self.downsample_layers, self.stages, strict=True)
        layers: list[list[mt.Tensor]] = [[*halve.parameters(), *stage.parameters()] for halve, stage in pairs]
        layers[-1] += self.norm.parameters()
        return layers

    def feature_map(self, x: mt.Tensor) -> mt.Tensor:
        for halve, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(halve(x))
        y: mt.Tensor = self.norm(x)
        return y


def convnext(name: str, shape: tuple[int, ...] = (3, 32, 32), /, **changes: Any) -> ConvNeXt:
    """Return a ConvNeXt by name: convnext_SIZE, with settings of `ConvNeXtSettings` changed.

    SIZE is micro, atto, femto, pico, nano or tiny (`CONVNEXTS`). Raises ConfigError for another name.

    >>> encoder = convnext("convnext_micro")
    >>> encoder.dim, encoder.grid, round(sum(p.size for p in encoder.parameters()) / 1e6, 2)
    (160, (4, 4), 1.07)
    """
    size = name.removeprefix("convnext_")
    if size == name or size not in CONVNEXTS:
        raise ConfigError(f"a ConvNeXt is named convnext_SIZE, SIZE one of {', '.join(CONVNEXTS)}; got {name!r}")
    return ConvNeXt(shape, **{**CONVNEXTS[size], **changes})
