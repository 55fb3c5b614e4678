"""Tables of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.layer import Layer
from minitensor.nn.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Layer):
    """A weight (num_embeddings, embedding_dim) that starts as N(0, 1), its row `padding_idx` as 0."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, generator: np.random.Generator | None
    ) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"{type(self).__name__}: padding_idx is a row, {-num_embeddings} to {num_embeddings - 1}; "
                f"got {padding_idx}"
            )
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        weight = initial.normal((num_embeddings, embedding_dim), generator=generator)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.weight = Parameter(weight)

    def extra_repr(self) -> str:
        """Return number of rows -> size of each."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings} -> {self.embedding_dim}{padding}"


class Embedding(_Table):
    """y = weight[x]: integers (...) in [0, num_embeddings) -> (..., embedding_dim).

    The weight (num_embeddings, embedding_dim) starts as N(0, 1). Row `padding_idx` starts as 0 and is not learned.
    Raises TypeError for floats, IndexError for a row that is not there.
    Differs from PyTorch: no max_norm, scale_grad_by_freq and sparse.

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
        super().__init__(num_embeddings, embedding_dim, padding_idx, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows."""
        return F.embedding(x, self.weight, self.padding_idx)


class EmbeddingBag(_Table):
    """The sum, mean or max of the rows of each bag of integers.

    Bags are (bags, m), or (n,) cut at `offsets`, -> (bags, embedding_dim).
    The weight (num_embeddings, embedding_dim) starts as N(0, 1). Entries that are `padding_idx` count for nothing; an
    empty bag gives 0. Raises as `Embedding`, and ValueError for offsets that do not rise from 0.
    Differs from PyTorch: no max_norm, scale_grad_by_freq and sparse.

    >>> EmbeddingBag(10, 4)(Tensor([1, 2, 3]), Tensor([0, 1])).shape
    (2, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, generator)
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, x: Tensor, offsets: Any = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Return one vector for each bag."""
        return F.embedding_bag(
            x,
            self.weight,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return number of rows -> size of each, and the mode."""
        return f"{super().extra_repr()}, mode={self.mode!r}"
