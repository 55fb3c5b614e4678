"""The transformer of tables: a token for each column, of its value and of which column it is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, PROBABILITY, WIDTH, Settings, between, setting
from jepa.contracts import Grid, Keep
from jepa.encoders.base import Encoder, among, gather, without_gaps
from jepa.encoders.block import EPS, STD, Block, heads_fit, initialize
from jepa.errors import ConfigError
from jepa.text import by_x


@dataclass(frozen=True)
class ColumnsSettings(Settings):
    """Of the transformer of tables."""

    dim: int = setting(64, between(2, 16_384))
    """numbers in a token"""
    depth: int = setting(3, DEPTH)
    """blocks"""
    heads: int = setting(4, WIDTH)
    """attention heads; divide dim"""
    mlp_ratio: float = setting(2.0, between(0.01, 64))
    """hidden units of a block's MLP, in units of dim"""
    drop_path: float = setting(0.0, PROBABILITY)
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""
    class_token: bool = setting(False)
    """a learned token beside those of the columns, as T-JEPA's regularization token"""

    def problems(self) -> Any:
        yield from heads_fit(self.dim, self.heads)


class Columns(Encoder):
    """Rows of a table to one token per column (Gorishniy et al. 2021, FT-Transformer; Thimonier et al. 2024, T-JEPA).

        t_j = x_j W_j + b_j;   t = t[keep];   t = block_l(t), l = 1 .. depth;   y = norm(t)

    x_j are the channels of column j, each column has its own W_j (channels, dim) and b_j (dim): of a number x_j, in one
    channel, this is number x vector; of a word, a 1 in the word's channel, it is the row of an embedding. What is
    missing (NaN) has a token of zeros that no other looks at.

    shape: (channels, columns). pools: "mean" and "max" of the columns that are there; "flat", all tokens side by side,
    (n, columns dim), as T-JEPA hands them on; "cls", the class token, if there is one. Raises ConfigError for examples
    of other ranks.

    >>> encoder = Columns((1, 13), dim=16, heads=2, depth=1)
    >>> x = np.ones((3, 1, 13), np.float32)
    >>> encoder.grid, encoder.tokens(mt.Tensor(x)).shape
    ((13,), (3, 13, 16))
    >>> x[:, :, 4] = np.nan
    >>> bool((encoder.tokens(mt.Tensor(x))[:, 4] == 0).all())
    True
    """

    Settings = ColumnsSettings
    gaps = True

    def __init__(self, shape: tuple[int, ...], settings: ColumnsSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or ColumnsSettings(), **changes)
        self.shape, self.dim, self.class_token = tuple(shape), s.dim, s.class_token
        if len(shape) != 2:
            raise ConfigError(
                f"encoder=columns takes rows of a table (channels, columns); an example of the source is {shape}: take "
                "encoder=vit, or source=table"
            )
        self.grid = (shape[1],)
        self.pools = ("mean", "max", "flat", *(("cls",) if s.class_token else ()))
        bound = s.dim**-0.5
        self.weight = mt.nn.Parameter(np.zeros((shape[1], shape[0], s.dim), np.float32))
        self.bias = mt.nn.Parameter(np.zeros((shape[1], 1, s.dim), np.float32))
        self.cls_token = mt.nn.Parameter(np.zeros((1, 1, s.dim), np.float32)) if s.class_token else None
        shares = np.linspace(0.0, s.drop_path, s.depth)
        self.blocks = mt.nn.LayerList([Block(s.dim, s.heads, s.mlp_ratio, float(share)) for share in shares])
        self.norm = mt.nn.LayerNorm(s.dim, EPS)
        initialize(self, self.blocks)
        for first in (self.weight, self.bias):
            mt.nn.init.uniform_(first, -bound, bound)
        if self.cls_token is not None:
            mt.nn.init.trunc_normal_(self.cls_token, std=STD)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        if tuple(shape) != self.shape:
            raise ConfigError(
                f"encoder=columns takes rows of {by_x(self.shape)} (channels, columns) alone; these are {by_x(shape)}: "
                "take the columns that it was made for"
            )
        return self.grid

    def embed(self, x: mt.Tensor) -> mt.Tensor:
        """Return the columns' tokens before any block: (n, channels, columns) -> (n, columns, dim)."""
        self.grid_of(x.shape[1:])
        t = without_gaps(x).transpose(2, 0, 1) @ self.weight + self.bias  # (N, n, C) @ (N, C, dim)
        tokens: mt.Tensor = t.swapaxes(0, 1)
        return tokens

    def _all(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        """Return the tokens, the class token first, whatever stands at a gap."""
        t, there = self.embed(x), self.there(x, keep)
        if keep is not None:
            t = gather(t, keep.index)
            valid = None if keep.valid is None else keep.valid.reshape(len(t), t.shape[1])
            there = valid if there is None else there if valid is None else there & valid
        if self.cls_token is not None:
            t = mt.concatenate([mt.broadcast_to(self.cls_token, (len(t), 1, self.dim)), t], axis=1)
            there = None if there is None else np.pad(there, ((0, 0), (1, 0)), constant_values=True)
        mask = None
        if there is not None:
            mask = mt.Tensor(there | ~there.any(axis=1, keepdims=True), device=t.device)  # of nothing, all may be seen
        for block in self.blocks:
            t = block(t, mask)
        y: mt.Tensor = self.norm(t)
        return y

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        return among(self._all(x, keep)[:, int(self.class_token) :], self.there(x, keep))

    def pooled(self, x: mt.Tensor, pool: str = "mean") -> mt.Tensor:
        """Return one vector of an example: (n, channels, columns) -> (n, dim), or (n, columns dim) with "flat"."""
        self.check_pool(pool)
        if pool == "flat":
            return self.tokens(x).reshape(len(x), -1)
        return self._all(x)[:, 0] if pool == "cls" else super().pooled(x, pool)
