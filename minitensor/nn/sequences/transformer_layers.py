"""The two blocks that transformers are stacks of: attention, then an MLP, each with a residual and a norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.dropout import Dropout
from minitensor.nn.linear import Linear
from minitensor.nn.normalization.layer_norm import LayerNorm
from minitensor.nn.sequences.attention import MultiheadAttention
from minitensor.tensor import Tensor

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[Tensor], Tensor]


def _function(activation: Activation) -> Callable[[Tensor], Tensor]:
    known: dict[Any, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}
    if isinstance(activation, str) and activation not in known:
        raise ValueError(f"activation is 'relu', 'gelu' or a function; got {activation!r}")
    if not isinstance(activation, str) and not callable(activation):
        raise TypeError(f"activation is 'relu', 'gelu' or a function; got {activation!r}")
    return known[activation] if isinstance(activation, str) else activation


class TransformerEncoderLayer(Layer):
    """x ← norm₁(x + attention(x)), then x ← norm₂(x + MLP(x)), MLP(x) = W₂ f(W₁ x + b₁) + b₂; f is `activation`.

    norm_first: x ← x + attention(norm₁(x)), then x ← x + MLP(norm₂(x)). Dropout follows attention, f and the MLP.
    Shapes: (length, batch, d_model), the same out; with batch_first (batch, length, d_model); also without a batch.
    self_attn is a MultiheadAttention of nhead heads, linear1 (dim_feedforward, d_model), linear2, norm1, norm2; `bias`
    is that of all of them. activation: "relu", "gelu" or a function. Raises ValueError for heads that do not divide
    d_model. Reference: Vaswani et al. 2017; norm_first: Xiong et al. 2020.
    Differs from PyTorch: a row that is masked everywhere attends to nothing; the random numbers.

    >>> TransformerEncoderLayer(8, 2, 16)(Tensor(np.ones((5, 1, 8), np.float32))).shape
    (5, 1, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        whole(self, 1, d_model=d_model, nhead=nhead)
        whole(self, dim_feedforward=dim_feedforward)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, generator=generator)
        self.linear1 = Linear(d_model, dim_feedforward, bias, generator=generator)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, generator=generator)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = _function(activation)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the sequence after the block; masks as in MultiheadAttention."""

        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            found: Tensor = self.dropout1(y)
            return found

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + self._mlp(self.norm2(x))
        x = self.norm1(src + attend(src))
        found: Tensor = self.norm2(x + self._mlp(x))
        return found

    def _mlp(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y


class TransformerDecoderLayer(Layer):
    """x ← norm₁(x + attention(x)), x ← norm₂(x + attention(x, memory)), x ← norm₃(x + MLP(x)).

    MLP(x) = W₂ f(W₁ x + b₁) + b₂, f is `activation`; norm_first puts each norm before its attention or MLP. Dropout
    follows both attentions, f and the MLP. Shapes: x (n, batch, d_model) and memory (m, batch, d_model) ->
    (n, batch, d_model); with batch_first the batch is axis 0; also without a batch. self_attn and multihead_attn are
    MultiheadAttention of nhead heads, linear1 (dim_feedforward, d_model), linear2, norm1, norm2, norm3. Raises
    ValueError for heads that do not divide d_model. Reference: Vaswani et al. 2017.
    Differs from PyTorch: a row that is masked everywhere attends to nothing; the random numbers.

    >>> x, memory = Tensor(np.ones((5, 1, 8), np.float32)), Tensor(np.ones((3, 1, 8), np.float32))
    >>> TransformerDecoderLayer(8, 2, 16)(x, memory).shape
    (5, 1, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        whole(self, 1, d_model=d_model, nhead=nhead)
        whole(self, dim_feedforward=dim_feedforward)
        heads = [
            MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, generator=generator)
            for _ in range(2)
        ]
        self.self_attn, self.multihead_attn = heads
        self.linear1 = Linear(d_model, dim_feedforward, bias, generator=generator)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, generator=generator)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2, self.dropout3 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self.activation = _function(activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the sequence after the block; masks as in MultiheadAttention."""

        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)
            found: Tensor = self.dropout1(y)
            return found

        def look(x: Tensor) -> Tensor:
            padding, causal = memory_key_padding_mask, memory_is_causal
            y, _ = self.multihead_attn(x, memory, memory, padding, False, memory_mask, is_causal=causal)
            found: Tensor = self.dropout2(y)
            return found

        if self.norm_first:
            x = tgt + attend(self.norm1(tgt))
            x = x + look(self.norm2(x))
            return x + self._mlp(self.norm3(x))
        x = self.norm1(tgt + attend(tgt))
        x = self.norm2(x + look(x))
        found: Tensor = self.norm3(x + self._mlp(x))
        return found

    def _mlp(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y
