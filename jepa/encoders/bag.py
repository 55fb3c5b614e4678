"""A bag of embeddings: the mean of the vectors of an example's tokens, whatever their order."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import OR_NONE, WIDTH, setting
from jepa.contracts import Grid, Keep
from jepa.encoders.base import Encoder, gather, levelled
from jepa.encoders.words import TokenSettings, check_tokens, indices, table


@dataclass(frozen=True)
class BagSettings(TokenSettings):
    """Of a bag of embeddings."""

    dim: int = setting(256, WIDTH)
    """numbers in a vector, and in what is made of their mean"""
    depth: int = setting(0, OR_NONE)
    """layers behind the mean, each a linear map, batch norm and ReLU; 0: the mean as it is"""


class Bag(Encoder):
    """Tokens (1, length) to one vector: y = mean of E[x_i] over the places i that are no gap, then `depth` layers.

    There is one place, so that nothing can be masked. Raises ConfigError for examples that are no tokens.

    >>> import numpy as np
    >>> encoder = Bag((1, 4), symbols=10, dim=8)
    >>> x = mt.Tensor(np.float32([[[1, 2, np.nan, np.nan]], [[2, 1, np.nan, np.nan]]]))
    >>> y = encoder.tokens(x).numpy()
    >>> y.shape, bool(np.allclose(y[0], y[1]))
    ((2, 1, 8), True)
    """

    Settings = BagSettings
    gaps = True

    def __init__(self, shape: tuple[int, ...], settings: BagSettings | None = None, /, **changes: Any) -> None:
        self.settings = s = replace(settings or BagSettings(), **changes)
        self.grid, self.shape, self.dim, self.symbols = self.grid_of(shape), tuple(shape), s.dim, s.symbols
        self.table = table(s.symbols, s.dim, s.std)
        layers = list[mt.nn.Layer]()
        for _ in range(s.depth):
            layers += [mt.nn.Linear(s.dim, s.dim, bias=False), mt.nn.BatchNorm1d(s.dim), mt.nn.ReLU()]
        self.behind = mt.nn.Sequential(*layers)

    def grid_of(self, shape: tuple[int, ...]) -> Grid:
        check_tokens(self, shape)
        return (1,)

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        self.grid_of(tuple(x.shape[1:]))
        index, there = indices(x)
        used = np.flatnonzero(there.any(axis=0)) if there.any() else [0]  # behind the longest there is nothing to do
        index, there = index[:, used], there[:, used]
        y = levelled(self.table(mt.Tensor(index, device=x.device)), there).mean(axis=1)
        y = self.behind(y)[:, None]
        return y if keep is None else gather(y, keep.index)
