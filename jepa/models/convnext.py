"""ConvNeXt: a convolutional network shaped like a transformer: wide depthwise kernels, then an MLP at each place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import minitensor as mt
from jepa.models.block import STD
from jepa.models.feature_map import IMAGE_SIZE, FeatureMapEncoder, Pair, pair

__all__ = ["CONVNEXTS", "ConvNeXt", "ConvNeXtBlock", "convnext"]

EPS = 1e-6
CONVNEXTS: dict[str, dict[str, Any]] = {
    "micro": {"depths": (2, 2, 4), "dims": (40, 80, 160)},  # ours: three stages, 1 place for 8 pixels with patch_size=2
    "atto": {"depths": (2, 2, 6, 2), "dims": (40, 80, 160, 320)},
    "femto": {"depths": (2, 2, 6, 2), "dims": (48, 96, 192, 384)},
    "pico": {"depths": (2, 2, 6, 2), "dims": (64, 128, 256, 512)},
    "nano": {"depths": (2, 2, 8, 2), "dims": (80, 160, 320, 640)},
    "tiny": {"depths": (3, 3, 9, 3), "dims": (96, 192, 384, 768)},
}


class ConvNeXtBlock(mt.nn.Layer):
    """x ← x + W₂ r(GELU(W₁ norm(depthwise 7x7 (x)))), the norm and the MLP at each place by itself.

    scale="grn": r is global response normalisation, in which channels compete (Woo et al. 2023); "layer": r is nothing,
    and the branch is multiplied by a learned vector that starts at 1e-6 (Liu et al. 2022). drop_path: the share of
    samples for which, in training, the branch is left out. (n, dim, h, w), the same out.

    >>> ConvNeXtBlock(8)(mt.ones((2, 8, 5, 5))).shape
    (2, 8, 5, 5)
    """

    def __init__(self, dim: int, scale: str = "grn", drop_path: float = 0.0) -> None:
        if scale not in ("grn", "layer"):
            raise ValueError(f"scale is 'grn' or 'layer'; got {scale!r}")
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
        return x + self.drop_path(y.transpose(0, 3, 1, 2))  # type: ignore[no-any-return]


class ConvNeXt(FeatureMapEncoder):
    """Patches, then stages of blocks; between two stages a 2x2 convolution halves the image.

    depths and dims: blocks and channels of each stage. patch_size: of the first convolution, 2 to 4 for small images.
    scale: "grn" (ConvNeXt V2) or "layer" (the first ConvNeXt). Parameters have the names of the authors' code, without
    `head`; the layer norm that there comes after the mean over all places, `norm`, is applied to each place here, since
    places are tokens.

    (n, channels, h, w) -> (n, dim), and `tokens` -> (n, rows · columns, dim), dim = dims[-1]; one place for
    patch_size · 2^(stages - 1) pixels. Raises ValueError for depths and dims of different lengths, and for images that
    are smaller than one place. References: Liu et al. 2022; Woo et al. 2023.

    >>> encoder = ConvNeXt((1, 1), (8, 16), patch_size=2, image_size=16)
    >>> encoder.dim, encoder.grid, encoder.tokens(mt.ones((2, 3, 16, 16))).shape
    (16, (4, 4), (2, 16, 16))
    """

    def __init__(
        self,
        depths: Sequence[int] = (2, 2, 4),
        dims: Sequence[int] = (40, 80, 160),
        patch_size: int = 2,
        channels: int = 3,
        scale: str = "grn",
        drop_path: float = 0.0,
        image_size: Pair = IMAGE_SIZE,
    ) -> None:
        if len(depths) != len(dims) or not depths:
            raise ValueError(f"depths and dims need one number for each stage; got {tuple(depths)} and {tuple(dims)}")
        self.dim, self.image_size = dims[-1], pair(image_size)
        self.stride = patch_size * 2 ** (len(dims) - 1)
        if min(self.image_size) < self.stride:
            height, width = self.image_size
            raise ValueError(f"one place has {self.stride} x {self.stride} pixels; the image only {height} x {width}")
        stem = mt.nn.Sequential(
            mt.nn.Conv2d(channels, dims[0], patch_size, stride=patch_size), mt.nn.LayerNorm2d(dims[0])
        )
        halve = [
            mt.nn.Sequential(mt.nn.LayerNorm2d(a), mt.nn.Conv2d(a, b, 2, stride=2))
            for a, b in zip(dims[:-1], dims[1:], strict=True)
        ]
        shares = iter(np.linspace(0.0, drop_path, sum(depths)))
        self.downsample_layers = mt.nn.LayerList([stem, *halve])
        self.stages = mt.nn.LayerList(
            [
                mt.nn.Sequential(*(ConvNeXtBlock(dim, scale, float(next(shares))) for _ in range(depth)))
                for depth, dim in zip(depths, dims, strict=True)
            ]
        )
        self.norm = mt.nn.LayerNorm2d(self.dim, EPS)
        for part in self.layers():
            if isinstance(part, mt.nn.Linear | mt.nn.Conv2d):
                mt.nn.init.trunc_normal_(part.weight, std=STD)
                if part.bias is not None:
                    mt.nn.init.zeros_(part.bias)

    def places(self, side: int) -> int:
        """Return how many places a side of so many pixels has; what is left over at its end is not seen."""
        return side // self.stride

    def feature_map(self, images: mt.Tensor) -> mt.Tensor:
        """Return the last feature map, normalised: (n, channels, h, w) -> (n, dim, rows, columns)."""
        for halve, stage in zip(self.downsample_layers, self.stages, strict=True):
            images = stage(halve(images))
        return self.norm(images)  # type: ignore[no-any-return]


def convnext(name: str, **settings: Any) -> ConvNeXt:
    """Return a ConvNeXt by name: convnext_SIZE, with settings of `ConvNeXt` in its place.

    SIZE is micro, atto, femto, pico, nano or tiny (`CONVNEXTS`). Raises ValueError for another name.

    >>> encoder = convnext("convnext_micro")
    >>> encoder.dim, encoder.grid, round(sum(p.size for p in encoder.parameters()) / 1e6, 2)
    (160, (4, 4), 1.07)
    """
    size = name.removeprefix("convnext_")
    if size == name or size not in CONVNEXTS:
        raise ValueError(f"a ConvNeXt is named convnext_SIZE, SIZE one of {', '.join(CONVNEXTS)}; got {name!r}")
    return ConvNeXt(**{**CONVNEXTS[size], **settings})
