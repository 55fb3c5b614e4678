"""The vision transformer: patches to tokens, positions, blocks. A masked patch costs nothing: it is left out first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.models.block import EPS, STD, Block, initialize
from jepa.models.positions import interpolate_positions, position_parameter

__all__ = ["SIZES", "PatchEmbed", "VisionTransformer", "gather_tokens", "vit"]

Indices = NDArray[np.int64]
Pair = int | tuple[int, int]
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dim": 192, "depth": 12, "heads": 3},
    "small": {"dim": 384, "depth": 12, "heads": 6},
    "base": {"dim": 768, "depth": 12, "heads": 12},
    "large": {"dim": 1024, "depth": 24, "heads": 16},
    "huge": {"dim": 1280, "depth": 32, "heads": 16},
    "giant": {"dim": 1408, "depth": 40, "heads": 16, "mlp_ratio": 48 / 11},
}


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def gather_tokens(x: mt.Tensor, masks: Sequence[Indices]) -> mt.Tensor:
    """Return the tokens at the places of each mask: (n, N, d), masks (n, K) -> (len(masks) · n, K, d), list-major.

    The first n rows are those of the first mask, and so on, as in I-JEPA's code. All masks have the same K.

    >>> gather_tokens(mt.arange(6.0).reshape(1, 6, 1), [np.array([[4, 0]]), np.array([[5, 5]])])[:, :, 0]
    Tensor float32 (2, 2): [[4. 0.] [5. 5.]]
    """
    n, count, dim = x.shape
    start = np.arange(n)[:, None] * count  # (n, 1)
    rows = np.concatenate([np.asarray(mask) + start for mask in masks])  # (len(masks) n, K)
    if rows.ndim != 2 or any(len(mask) != n for mask in masks):
        raise ValueError(f"masks are index arrays (n, K) for n={n} images; got {[np.shape(m) for m in masks]}")
    if any(np.size(mask) and not 0 <= np.min(mask) <= np.max(mask) < count for mask in masks):
        found = f"{min(map(np.min, masks))} to {max(map(np.max, masks))}"
        raise ValueError(f"masks name tokens 0 to {count - 1}; got {found}")
    index = mt.Tensor(rows.reshape(-1), device=x.device)
    return mt.index_select(x.reshape(n * count, dim), 0, index).reshape(*rows.shape, dim)


class PatchEmbed(mt.nn.Layer):
    """Cuts images into square patches and embeds each by one linear map, a convolution with stride = kernel.

    (n, channels, h, w) -> (n, h / patch · w / patch, dim), in raster order.

    >>> PatchEmbed(3, 4, 8)(mt.ones((1, 3, 8, 12))).shape
    (1, 6, 8)
    """

    def __init__(self, channels: int, patch_size: int, dim: int) -> None:
        self.proj = mt.nn.Conv2d(channels, dim, patch_size, stride=patch_size)

    def forward(self, images: mt.Tensor) -> mt.Tensor:
        """Return the embedded patches."""
        y = self.proj(images)  # (n, dim, rows, columns)
        return y.reshape(*y.shape[:2], -1).swapaxes(1, 2)  # type: ignore[no-any-return]


class VisionTransformer(mt.nn.Layer):
    """Images to one token per patch (Dosovitskiy et al. 2021), as I-JEPA has it (Assran et al. 2023).

        x = patches W + b + positions;   x = x[masks];   x = block_l(x), l = 1 .. depth;   y = norm(x)

    image_size: side, or (height, width), in pixels; patch_size divides it. positions: "sincos" (fixed) or "learned".
    class_token: a learned token before all others, which every mask keeps. drop_path: of the last block; it rises
    linearly from 0. Parameters have the names of I-JEPA's code, so its weights load as they are.

    Shapes: (n, channels, h, w) -> (n, N, dim); with masks, a list of index arrays (n, K) in raster order, ->
    (len(masks) · n, K, dim), list-major (`gather_tokens`); one more token with a class token. `valid` (bool, the
    masks' shape concatenated, where False is padding) is what attention may look at. Images of another size get
    interpolated positions. Raises ValueError for sizes that patches or heads do not divide.

    >>> encoder = VisionTransformer(image_size=32, patch_size=8, dim=16, depth=2, heads=2)
    >>> images = mt.ones((3, 3, 32, 32))
    >>> encoder(images).shape, encoder(images, [np.array([[0, 5], [1, 2], [3, 15]])]).shape
    ((3, 16, 16), (3, 2, 16))
    """

    def __init__(
        self,
        image_size: Pair = 224,
        patch_size: int = 16,
        channels: int = 3,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        positions: str = "sincos",
        class_token: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        self.image_size, self.patch_size = _pair(image_size), patch_size
        if patch_size < 1 or any(side < patch_size or side % patch_size for side in self.image_size):
            height, width = self.image_size
            raise ValueError(f"patch_size={patch_size} must divide the image's {height} x {width} pixels")
        self.grid = self.image_size[0] // patch_size, self.image_size[1] // patch_size
        self.dim, self.depth, self.heads = dim, depth, heads
        self.patch_embed = PatchEmbed(channels, patch_size, dim)
        self.pos_embed = position_parameter(positions, self.grid, dim)
        self.cls_token = mt.nn.Parameter(np.zeros((1, 1, dim), np.float32)) if class_token else None
        self.blocks = mt.nn.LayerList(list(self._body(dim, depth, heads, mlp_ratio, drop_path)))
        self.norm = mt.nn.LayerNorm(dim, EPS)
        self._initialize()

    def _body(self, dim: int, depth: int, heads: int, mlp_ratio: float, drop_path: float) -> Iterator[mt.nn.Layer]:
        for share in np.linspace(0.0, drop_path, depth):
            yield Block(dim, heads, mlp_ratio, float(share))

    def _initialize(self) -> None:
        initialize(self, self.blocks)
        if self.cls_token is not None:
            mt.nn.init.trunc_normal_(self.cls_token, std=STD)

    def embed(self, images: mt.Tensor) -> mt.Tensor:
        """Return the patches with their positions, before any block: (n, channels, h, w) -> (n, N, dim)."""
        if any(side % self.patch_size for side in images.shape[2:]):
            size = " x ".join(map(str, images.shape[2:]))
            raise ValueError(f"patch_size={self.patch_size} must divide the images' {size} pixels")
        grid = images.shape[2] // self.patch_size, images.shape[3] // self.patch_size
        return self.patch_embed(images) + interpolate_positions(self.pos_embed, self.grid, grid)  # type: ignore[no-any-return]

    def _with_class(self, x: mt.Tensor) -> mt.Tensor:
        if self.cls_token is None:
            return x
        return mt.concatenate([mt.broadcast_to(self.cls_token, (len(x), 1, self.dim)), x], axis=1)

    def body(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> Iterator[mt.Tensor]:
        """Yield the tokens after each block: (n, K, dim) each."""
        for block in self.blocks:
            x = block(x, valid)
            yield x

    def tokens(
        self, images: mt.Tensor, masks: Sequence[Indices] | None = None, valid: NDArray[np.bool_] | None = None
    ) -> list[mt.Tensor]:
        """Return the tokens after each block, not normalised: depth Tensors of the shape that `forward` returns."""
        x = self.embed(images)
        x = self._with_class(x if masks is None else gather_tokens(x, masks))
        if valid is not None and self.cls_token is not None:
            valid = np.concatenate([np.ones((len(valid), 1), bool), valid], axis=1)
        return list(self.body(x, None if valid is None else mt.Tensor(valid, device=x.device)))

    def forward(
        self, images: mt.Tensor, masks: Sequence[Indices] | None = None, valid: NDArray[np.bool_] | None = None
    ) -> mt.Tensor:
        """Return the tokens of the patches that the masks keep (None: of all)."""
        return self.norm(self.tokens(images, masks, valid)[-1])  # type: ignore[no-any-return]

    def attention_maps(self, images: mt.Tensor) -> list[mt.Tensor]:
        """Return how each token looks at each other in each block: depth Tensors (n, heads, N, N)."""
        x = self._with_class(self.embed(images))
        maps = []
        block: Any
        for block, after in zip(self.blocks, self.body(x), strict=True):
            maps.append(block.attn.weights(block.norm1(x)))
            x = after
        return maps

    def extra_repr(self) -> str:
        """Return image, patch, dim, depth and heads."""
        height, width = self.image_size
        return f"{height} x {width}, patch {self.patch_size}, dim {self.dim}, depth {self.depth}, heads {self.heads}"


def vit(name: str, **settings: Any) -> VisionTransformer:
    """Return a vision transformer by name: vit_SIZE_patchP_IMAGE, with settings of `VisionTransformer` in its place.

    SIZE is tiny, small, base, large, huge or giant (`SIZES`). Raises ValueError for another name.

    >>> vit("vit_tiny_patch4_32", depth=1).extra_repr()
    '32 x 32, patch 4, dim 192, depth 1, heads 3'
    """
    words = name.removeprefix("vit_").replace("patch", "").split("_")
    if not name.startswith("vit_") or len(words) != 3 or words[0] not in SIZES or not all(map(str.isdigit, words[1:])):
        sizes = ", ".join(SIZES)
        raise ValueError(f"a vision transformer is named vit_SIZE_patchP_IMAGE, SIZE one of {sizes}; got {name!r}")
    return VisionTransformer(
        **{**SIZES[words[0]], "patch_size": int(words[1]), "image_size": int(words[2]), **settings}
    )
