"""Tables of vectors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minitensor.backend import Array
from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Layer):
    """A weight (num_embeddings, embedding_dim) that starts as N(0, 1), its row `padding_idx` as 0."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        generator: np.random.Generator | None,
    ) -> None:
        name = type(self).__name__
        if sparse:
            raise ValueError(f"{name}: sparse gradients are not offered; the gradient of the weight is dense")
        whole(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        number(self, 0, above=True, infinite=True, norm_type=norm_type)
        if max_norm is not None:
            number(self, 0, max_norm=max_norm)
        if padding_idx is not None:
            whole(self, None, padding_idx=padding_idx)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"{name}: padding_idx is a row, {-num_embeddings} to {num_embeddings - 1}; got {padding_idx}"
            )
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        weight = initial.normal((num_embeddings, embedding_dim), generator=generator)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.weight = Parameter(weight)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **settings: Any) -> Self:
        """Return a layer with a copy of these rows (num_embeddings, embedding_dim), frozen or learned further."""
        rows = embeddings if isinstance(embeddings, Tensor) else Tensor(embeddings)
        if len(rows.shape) != 2:
            raise ValueError(f"{cls.__name__}: embeddings are (num_embeddings, embedding_dim); got shape {rows.shape}")
        layer = cls(*rows.shape, **settings)
        layer.weight = Parameter(rows.detach().clone())
        layer.weight.requires_grad_(not freeze)
        return layer

    def extra_repr(self) -> str:
        """Return number of rows -> size of each, and the settings that are not the defaults."""
        text = f"{self.num_embeddings} -> {self.embedding_dim}"
        text += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        text += "" if self.max_norm is None else f", max_norm={self.max_norm}"
        return text + (", scale_grad_by_freq=True" if self.scale_grad_by_freq else "")


class Embedding(_Table):
    """y = weight[x]: integers (...) in [0, num_embeddings) -> (..., embedding_dim).

    The weight (num_embeddings, embedding_dim) starts as N(0, 1). Row `padding_idx` starts as 0 and is not learned.
    max_norm: rows that are named are first shortened to this norm, in place. scale_grad_by_freq divides a row's
    gradient by how often it is named. Raises TypeError for floats, IndexError for a row that is not there.
    Differs from PyTorch: sparse=True is refused; a generator may be passed.

    >>> Embedding(10, 4)
    Embedding(10 -> 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, generator
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows."""
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """The sum, mean or max of the rows of each bag of integers.

    Bags are (bags, m), or (n,) cut at `offsets`, -> (bags, embedding_dim).
    The weight (num_embeddings, embedding_dim) starts as N(0, 1). Entries that are `padding_idx` count for nothing; an
    empty bag gives 0. max_norm and scale_grad_by_freq as for `Embedding`. Raises as that, and ValueError for offsets
    that do not rise from 0.
    Differs from PyTorch: sparse=True is refused; a generator may be passed.

    >>> EmbeddingBag(10, 4)(Tensor([1, 2, 3]), Tensor([0, 1])).shape
    (2, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        *,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, generator
        )
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"EmbeddingBag: mode is 'sum', 'mean' or 'max'; got {mode!r}")
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, input: Tensor, offsets: Array = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Return one vector for each bag."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return number of rows -> size of each, and the mode."""
        return f"{super().extra_repr()}, mode={self.mode!r}"
