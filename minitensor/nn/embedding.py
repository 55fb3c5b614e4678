"""A table of vectors."""

from __future__ import annotations

import numpy as np

from minitensor.functions.elementwise import equal, where
from minitensor.functions.index import take
from minitensor.nn import initial
from minitensor.nn.layer import Layer
from minitensor.nn.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Embedding"]


class Embedding(Layer):
    """y = weight[x]: integers (...) in [0, num_embeddings) -> (..., embedding_dim).

    The weight (num_embeddings, embedding_dim) starts as N(0, 1). Row `padding_idx` starts as 0 and is not learned.

    >>> Embedding(10, 4)
    Embedding(10 -> 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        weight = initial.normal((num_embeddings, embedding_dim), generator=generator)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.weight = Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows."""
        if x.dtype.kind not in "iu":
            raise TypeError(f"Embedding takes integers; got a Tensor {x.dtype} {x.shape}")
        if x.size and (int(x.min()) < 0 or int(x.max()) >= self.num_embeddings):
            raise IndexError(f"Embedding has rows 0 to {self.num_embeddings - 1}; got {int(x.min())} to {int(x.max())}")
        y = take(self.weight, x)  # (..., embedding_dim)
        if self.padding_idx is None:
            return y
        return where(equal(x, self.padding_idx).reshape(*x.shape, 1), y.detach(), y)

    def extra_repr(self) -> str:
        """Return number of rows -> size of each."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings} -> {self.embedding_dim}{padding}"
