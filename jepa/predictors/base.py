"""What predictors share."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.encoders.base import gather


@dataclass(frozen=True)
class TransformerSettings(Settings):
    """Of the predictors that are transformers of places."""

    dim: int = setting(96, between(4, 16_384))
    """numbers in a token of the predictor"""
    depth: int = setting(3, DEPTH)
    """blocks"""
    heads: int = setting(3, WIDTH)
    """attention heads; divide dim"""
    mlp_ratio: float = setting(4.0, between(0.01, 64))
    """hidden units of a block's MLP, as a multiple of dim"""
    positions: Literal["sincos", "learned"] = setting("sincos")
    """code of a place: sines and cosines, or learned"""

    def problems(self) -> Iterator[str]:
        if self.dim % self.heads:
            yield f"heads={self.heads}: must divide dim={self.dim}"


class Predictor(mt.nn.Layer):
    """Base of the predictors: a subclass has `Settings`, says which `Asked` it `answers`, and defines `forward`.

    dim: numbers in an embedding; grid: places along each axis of the encoder's. See `jepa.contracts.Predictor`.
    """

    Settings: ClassVar[Any]
    answers: ClassVar[tuple[type, ...]]

    def __init__(self, dim: int, grid: Grid) -> None:
        self.dim, self.grid = dim, tuple(grid)

    def check(self, task: Any) -> None:
        """Raise ConfigError if this predictor, as it is set, cannot answer a task whose questions it understands."""

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Any) -> list[mt.Tensor]:
        """Return predictions of each set of targets, S of (n e, k, dim), from tokens (n e, K, dim)."""
        raise NotImplementedError


def at(positions: mt.Tensor, index: Index) -> mt.Tensor:
    """Return the positions at places: (1, N, d), index (..., k) -> (rows, k, d).

    >>> at(mt.arange(6.0).reshape(1, 3, 2), np.array([[[2, 0]], [[1, 1]]])).shape
    (2, 2, 2)
    """
    return gather(positions, index.reshape(1, math.prod(index.shape[:-1]), index.shape[-1]))  # k may be 0


def kept(keep: Keep | None, places: int) -> Index:
    """Return the places of a context, (n, e, K); all of them, (1, 1, N), where none are left out."""
    return np.arange(places)[None, None] if keep is None else keep.index
