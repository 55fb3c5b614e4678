"""The vision transformer: patches to tokens, positions, blocks. What is not kept costs nothing: it is gone first."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, PROBABILITY, WIDTH, Rule, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.base import Encoder, among, gather, mean_of, without_gaps
from jepa.encoders.block import CONVOLUTIONS, EPS, STD, Block, heads_fit, initialize
from jepa.encoders.positions import interpolate_positions, position_parameter
from jepa.errors import ConfigError
from jepa.parts import chosen
from jepa.text import by_x, listed

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dim": 192, "depth": 12, "heads": 3},
    "small": {"dim": 384, "depth": 12, "heads": 6},
    "base": {"dim": 768, "depth": 12, "heads": 12},
    "large": {"dim": 1024, "depth": 24, "heads": 16},
    "huge": {"dim": 1280, "depth": 32, "heads": 16},
    "giant": {"dim": 1408, "depth": 40, "heads": 16, "mlp_ratio": 48 / 11},
}
PATCH: Rule = (
    lambda v: all(1 <= p <= 2048 for p in (v if isinstance(v, tuple) else (v,))),
    "must be at least 1 and at most 2048",
)


@dataclass(frozen=True)
class PatchSettings(Settings):
    """Of encoders of patches."""

    patch: int | tuple[int, ...] = setting(4, PATCH)
    """lengths of a patch along each axis, or one number for all; divide the example's"""
    dim: int = setting(192, between(2, 16_384))
    """numbers in a token"""
    depth: int = setting(6, DEPTH)
    """blocks, or steps of the energy transformer"""
    heads: int = setting(3, WIDTH)
    """attention heads; divide dim"""
    mlp_ratio: float = setting(4.0, between(0.01, 64))
    """hidden units of a block's MLP (memories of the energy transformer), in units of dim"""
    positions: Literal["sincos", "learned"] = setting("sincos")
    """fixed sine-cosine positions of the patches, or learned ones"""
    class_token: bool = setting(False)
    """a learned token beside those of the patches"""
    registers: int = setting(0, between(0, 256))
    """learned tokens behind it that are thrown away at the end (Darcet et al. 2024)"""

    def problems(self) -> Iterator[str]:
        yield from heads_fit(self.dim, self.heads)
        if self.registers and not self.class_token:
            yield f"registers={self.registers}: they stand behind a class token: set class_token=true, or registers=0"


@dataclass(frozen=True)
class ViTSettings(PatchSettings):
    """Of the vision transformer."""

    mlp: Literal["gelu", "swiglu"] = setting("gelu")
    """of a block: W₂ GELU(W₁ x), or with a gate, W₂ (SiLU(W₁ x) ⊙ W₁' x)"""
    drop_path: float = setting(0.0, PROBABILITY)
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""


class PatchEmbed(mt.nn.Layer):
    """Cuts examples into patches and embeds each by one linear map, a convolution with stride = kernel.

    (n, channels, *lengths) -> (n, places, dim), in raster order. patch: its length along each of one to three axes.

    >>> PatchEmbed(3, (4, 4), 8)(mt.ones((1, 3, 8, 12))).shape, PatchEmbed(3, (4,), 8)(mt.ones((1, 3, 8))).shape
    ((1, 6, 8), (1, 2, 8))
    """

    def __init__(self, channels: int, patch: tuple[int, ...], dim: int) -> None:
        self.proj = CONVOLUTIONS[len(patch) - 1](channels, dim, patch, stride=patch)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embedded patches."""
        y = self.proj(x)  # (n, dim, *grid)
        found: mt.Tensor = y.reshape(*y.shape[:2], -1).swapaxes(1, 2)
        return found


class ViT(Encoder):
    """Examples to one token per patch (Dosovitskiy et al. 2021), as I-JEPA has it (Assran et al. 2023).

        x = patches W + b + positions;   x = x[keep];   x = block_l(x), l = 1 .. depth;   y = norm(x)

    shape: (channels, *lengths) of an example with one to three axes: a series, an image, a clip. A class token is seen
    by all others, and sees them; it is in `attention_maps`, before the patches, and in none of the tokens. Parameters
    have the names of I-JEPA's code, so its weights load as they are. Examples of another size than `shape` get
    interpolated positions.
    Registers stand behind the class token and are treated as it is.

    pools: "mean", of all tokens; "cls", the class token, if there is one; "last4", the means after each of the last
    four blocks, each with its own layer norm without parameters, side by side, (n, 4 dim), as I-JEPA's paper probes;
    "attentive", the mean weighted by how much attention each patch gets from all others in the last block.

    Raises ConfigError for a patch that does not divide the example, and for examples of other ranks.

    >>> encoder = ViT((3, 32, 32), patch=8, dim=16, depth=2, heads=2)
    >>> x = mt.ones((3, 3, 32, 32))
    >>> encoder.tokens(x).shape, encoder.tokens(x, Keep(np.array([[[0, 5]], [[1, 2]], [[3, 15]]]))).shape
    ((3, 16, 16), (3, 2, 16))
    >>> ViT((6, 128), patch=16, dim=16, depth=1, heads=2).grid
    (8,)
    """

    Settings: ClassVar[Any] = ViTSettings
    gaps = True

    def __init__(self, shape: tuple[int, ...], settings: Any = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or self.Settings(), **changes)
        rank = len(shape) - 1
        if not 1 <= rank <= len(CONVOLUTIONS):
            raise ConfigError(
                f"encoder={chosen('encoder', self).kind} takes (channels, *lengths) with 1 to {len(CONVOLUTIONS)} "
                f"lengths; an example is {shape}: use encoder=mlp, or another source"
            )
        self.patch: tuple[int, ...] = s.patch if isinstance(s.patch, tuple) else (s.patch,) * rank
        self.shape, self.dim, self.class_token = tuple(shape), s.dim, s.class_token
        self.before = s.class_token + s.registers
        self.grid = self.grid_of(shape)
        self.pools = ("mean", "max", *(("cls",) if s.class_token else ()), "attentive", "last4")
        self.patch_embed = PatchEmbed(shape[0], self.patch, s.dim)
        self.pos_embed = position_parameter(s.positions, self.grid, s.dim)
        self.cls_token = mt.nn.Parameter(np.zeros((1, 1, s.dim), np.float32)) if s.class_token else None
        self.register_tokens = mt.nn.Parameter(np.zeros((1, s.registers, s.dim), np.float32)) if s.registers else None
        self.blocks = mt.nn.LayerList(list(self._body()))
        self.norm = mt.nn.LayerNorm(s.dim, EPS)
        self._initialize()

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        lengths = shape[1:]
        if len(lengths) != len(self.patch) or any(a % p for a, p in zip(lengths, self.patch, strict=True)):
            patch = self.settings.patch
            common = math.gcd(*lengths)
            fit = [str(p) for p in range(2, min(common, 64) + 1) if common % p == 0]
            raise ConfigError(
                f"encoder.patch={patch if isinstance(patch, int) else list(patch)} must divide an example's "
                f"{by_x(lengths)}: take another patch{f' ({listed(fit)})' if fit else ''}, or a source of examples of "
                "another size"
            )
        return tuple(a // p for a, p in zip(lengths, self.patch, strict=True))

    def _body(self) -> Iterator[mt.nn.Layer]:
        s = self.settings
        for share in np.linspace(0.0, s.drop_path, s.depth):
            yield Block(s.dim, s.heads, s.mlp_ratio, float(share), mlp=s.mlp)

    def _initialize(self) -> None:
        initialize(self, self.blocks)
        self._draw_tokens()

    def _draw_tokens(self) -> None:
        for learned in (self.cls_token, self.register_tokens):
            if learned is not None:
                mt.nn.init.trunc_normal_(learned, std=STD)

    def embed(self, x: mt.Tensor) -> mt.Tensor:
        """Return the patches with their positions, before any block: (n, *shape) -> (n, N, dim)."""
        grid = self.grid_of(x.shape[1:])
        y: mt.Tensor = self.patch_embed(without_gaps(x)) + interpolate_positions(self.pos_embed, self.grid, grid)
        return y

    def _with_others(self, x: mt.Tensor) -> mt.Tensor:
        """Return the class token, the registers and the patches."""
        others = [part for part in (self.cls_token, self.register_tokens) if part is not None]
        if not others:
            return x
        return mt.concatenate([*(mt.broadcast_to(part, (len(x), *part.shape[1:])) for part in others), x], axis=1)

    def steps(self) -> list[Any]:
        """Return the blocks that the tokens go through, one after the other."""
        return list(self.blocks)

    def body(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> Iterator[mt.Tensor]:
        """Yield the tokens after each block: (n, K, dim) each."""
        for block in self.steps():
            x = block(x, valid)
            yield x

    def after_blocks(self, x: mt.Tensor, keep: Keep | None = None) -> Iterator[mt.Tensor]:
        """Yield the tokens after each block, not normalized, what has no place first: (n e, K, dim) each."""
        valid = None if keep is None or keep.valid is None else keep.valid.reshape(-1, keep.valid.shape[-1])
        looked = self._looked(self.there(x, keep), valid)
        x = self.embed(x)
        x = self._with_others(x if keep is None else gather(x, keep.index))
        return self.body(x, None if looked is None else mt.Tensor(looked, device=x.device))

    def _looked(self, there: Flags | None, valid: Flags | None = None) -> Flags | None:
        """Return which tokens may be looked at, the class token first: those that are there and no padding."""
        if there is None and valid is None:
            return None
        flags: Flags = np.logical_and(True if there is None else there, True if valid is None else valid)
        return np.pad(flags, ((0, 0), (self.before, 0)), constant_values=True)

    def _all(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        """Return the normalized tokens, the class token first."""
        for last in self.after_blocks(x, keep):  # noqa: B007
            pass
        y: mt.Tensor = self.norm(last)
        return y

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        y = self._all(x, keep)
        return among(y[:, self.before :] if self.before else y, self.there(x, keep))

    def pooled(self, x: mt.Tensor, pool: str = "mean") -> mt.Tensor:
        """Return one vector of an example: (n, *shape) -> (n, dim), or (n, 4 dim) with "last4"."""
        self.check_pool(pool)
        first = self.before
        if pool == "cls":
            return self._all(x)[:, 0]
        if pool == "last4":
            last, there = list(self.after_blocks(x))[-4:], self.there(x)
            own = [among(mt.nn.functional.layer_norm(y, (self.dim,))[:, first:], there) for y in last]
            return mt.concatenate([mean_of(y, there) for y in own], axis=-1)
        if pool == "attentive":
            weights = self.attention_maps(x)[-1].mean(axis=(1, 2))[:, first:]  # (n, N): attention received
            weights = weights / weights.sum(axis=1, keepdims=True)
            return (self.tokens(x) * weights[:, :, None]).sum(axis=1)
        return super().pooled(x, pool)

    def attention_maps(self, x: mt.Tensor) -> list[mt.Tensor]:
        looked = self._looked(self.there(x))
        valid = None if looked is None else mt.Tensor(looked, device=x.device)
        x = self._with_others(self.embed(x))
        return [block.weights(y, valid) for block, y in zip(self.steps(), (x, *self.body(x, valid)), strict=False)]

    def extra_repr(self) -> str:
        s = self.settings
        return f"{by_x(self.shape[1:])}, patch {by_x(self.patch)}, dim {s.dim}, depth {s.depth}, heads {s.heads}"


def vit(name: str, /, **changes: Any) -> ViT:
    """Return a vision transformer of images by name: vit_SIZE_patchP_SIDE, with settings of `ViTSettings` changed.

    SIZE is tiny, small, base, large, huge or giant (`SIZES`). Raises ConfigError for another name.

    >>> vit("vit_tiny_patch4_32", depth=1).extra_repr()
    '32 x 32, patch 4 x 4, dim 192, depth 1, heads 3'
    """
    words = name.removeprefix("vit_").replace("patch", "").split("_")
    if not name.startswith("vit_") or len(words) != 3 or words[0] not in SIZES or not all(map(str.isdigit, words[1:])):
        sizes = ", ".join(SIZES)
        raise ConfigError(f"a vision transformer is named vit_SIZE_patchP_SIDE, SIZE one of {sizes}; got {name!r}")
    side = int(words[2])
    return ViT((3, side, side), **{**SIZES[words[0]], "patch": int(words[1]), **changes})
