"""A transformer of tokens: each has a vector and a position; what is behind the end of an example is left out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, PROBABILITY, WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.encoders.base import Encoder, gather, levelled
from jepa.encoders.block import EPS, Block, heads_fit, initialize
from jepa.encoders.positions import position_parameter
from jepa.errors import ConfigError
from jepa.parts import chosen
from jepa.text import by_x

SYMBOLS = 8512  # of source=text, unless it is told otherwise


@dataclass(frozen=True)
class TokenSettings(Settings):
    """Of encoders of tokens."""

    symbols: int = setting(SYMBOLS, between(2, 10_000_000))
    """tokens that have a vector, at least as many as the source has"""
    std: float = setting(0.1, between(1e-4, 10))
    """standard deviation of the first vectors"""


@dataclass(frozen=True)
class WordsSettings(TokenSettings):
    """Of the transformer of tokens."""

    dim: int = setting(128, between(2, 16_384))
    """numbers in a token's vector"""
    depth: int = setting(4, DEPTH)
    """blocks"""
    heads: int = setting(4, WIDTH)
    """attention heads; divide dim"""
    mlp_ratio: float = setting(4.0, between(0.01, 64))
    """hidden units of a block's MLP, in units of dim"""
    positions: Literal["sincos", "learned"] = setting("sincos")
    """fixed sine-cosine positions, or learned ones"""
    drop_path: float = setting(0.0, PROBABILITY)
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""

    def problems(self) -> Iterator[str]:
        yield from heads_fit(self.dim, self.heads)


class Words(Encoder):
    """Tokens (1, length) to one vector for each place, as BERT has it (Devlin et al. 2019), with norms first.

        t_i = E[x_i] + s positions_i;   t = t[keep];   t = block_l(t), l = 1 .. depth;   y = norm(t)

    s is the deviation that the vectors start with, so that neither drowns the other. No place looks at a gap (NaN),
    and what stands at one is the mean of the others. pools: "mean", of the places that are there; "words", the mean of
    their vectors before any block. Raises ConfigError for examples that are no tokens.

    >>> encoder = Words((1, 6), symbols=10, dim=8, depth=1, heads=2)
    >>> x = np.float32([[[1, 2, 3, np.nan, np.nan, np.nan]]])
    >>> y = encoder.tokens(mt.Tensor(x)).numpy()
    >>> y.shape, bool(np.allclose(y[0, 5], y[0, :3].mean(axis=0), atol=1e-6))
    ((1, 6, 8), True)
    """

    Settings = WordsSettings
    gaps = True
    pools = ("mean", "words")

    def __init__(self, shape: tuple[int, ...], settings: WordsSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or WordsSettings(), **changes)
        self.grid, self.shape, self.dim, self.symbols = self.grid_of(shape), tuple(shape), s.dim, s.symbols
        self.table = table(s.symbols, s.dim, s.std)
        self.pos_embed = position_parameter(s.positions, self.grid, s.dim)
        shares = np.linspace(0.0, s.drop_path, s.depth)
        self.blocks = mt.nn.LayerList([Block(s.dim, s.heads, s.mlp_ratio, float(share)) for share in shares])
        self.norm = mt.nn.LayerNorm(s.dim, EPS)
        initialize(self, self.blocks)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        check_tokens(self, shape)
        if self.shape and shape != self.shape:
            raise ConfigError(
                f"encoder=words is made for texts of {self.shape[1]} tokens, and these have {shape[1]}: set "
                f"source.length={self.shape[1]}"
            )
        return (shape[1],)

    def embed(self, x: mt.Tensor) -> tuple[mt.Tensor, Flags]:
        """Return the vectors with their positions, before any block, (n, length, dim), and which are no gap."""
        self.grid_of(tuple(x.shape[1:]))
        index, there = indices(x)
        y: mt.Tensor = self.table(mt.Tensor(index, device=x.device)) + self.settings.std * self.pos_embed
        return y, there

    def after_blocks(self, x: mt.Tensor, keep: Keep | None = None) -> Iterator[tuple[mt.Tensor, Flags]]:
        """Yield the tokens before the first block and after each, (n e, K, dim), and which are no gap, (n e, K)."""
        t, there = self.embed(x)
        if keep is not None:
            flags = np.take_along_axis(there[:, None], keep.index, axis=2)  # (n, e, K)
            flags = flags if keep.valid is None else flags & keep.valid
            t, there = gather(t, keep.index), flags.reshape(-1, flags.shape[2])
        seen = there | ~there.any(axis=1, keepdims=True)  # of nothing, all may be looked at
        mask = None if seen.all() else mt.Tensor(seen, device=t.device)
        yield t, there
        for block in self.blocks:
            t = block(t, mask)
            yield t, there

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        for t, there in self.after_blocks(x, keep):  # noqa: B007
            pass
        return levelled(self.norm(t), there)

    def pooled(self, x: mt.Tensor, pool: str = "mean") -> mt.Tensor:
        self.check_pool(pool)
        if pool == "words":
            index, there = indices(x)
            return levelled(self.table(mt.Tensor(index, device=x.device)), there).mean(axis=1)
        return self.tokens(x).mean(axis=1)  # of all places, as what stands at a gap is the mean of the others

    def attention_maps(self, x: mt.Tensor) -> list[mt.Tensor]:
        blocks: list[Any] = list(self.blocks)
        return [block.weights(t) for block, (t, _) in zip(blocks, self.after_blocks(x), strict=False)]

    def extra_repr(self) -> str:
        s = self.settings
        return f"{self.shape[1]} of {s.symbols} tokens, dim {s.dim}, depth {s.depth}, heads {s.heads}"


def table(symbols: int, dim: int, std: float) -> mt.nn.Embedding:
    """Return vectors of tokens, from N(0, std²)."""
    made = mt.nn.Embedding(symbols, dim)
    with mt.no_grad():
        made.weight[...] = made.weight * std
    return made


def indices(x: mt.Tensor) -> tuple[Index, Flags]:
    """Return tokens (n, 1, length) as rows of a table, (n, length), and which are no gap; a gap has row 0."""
    tokens = x.numpy()[:, 0]
    there = ~np.isnan(tokens)
    return np.where(there, tokens, 0).astype(np.int64), there


def check_tokens(encoder: Encoder, shape: tuple[int, ...]) -> None:
    """Raise ConfigError for examples that are no row of tokens."""
    if len(shape) != 2 or shape[0] != 1:
        raise ConfigError(
            f"encoder={chosen('encoder', encoder).kind} takes tokens (1, length), and an example of the source is "
            f"{by_x(shape)}: take source=text, or an encoder of measurements such as vit"
        )
