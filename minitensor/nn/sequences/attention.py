"""Attention as a layer: several heads, each with its own projection."""

from __future__ import annotations

import math

import numpy as np

from minitensor.graph import describe
from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import share, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.nn.linear import Linear
from minitensor.ops.elementwise import where
from minitensor.ops.nn import attention
from minitensor.ops.nn.recurrent import separate
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.shape import broadcast_to
from minitensor.tensor import Tensor

__all__ = ["MultiheadAttention"]


def _xavier(rows: int, columns: int, generator: np.random.Generator | None) -> Parameter:
    return Parameter(initial.uniform((rows, columns), math.sqrt(6 / (rows + columns)), generator))


def _added(mask: Tensor, dtype: np.dtype) -> Tensor:
    """Return a mask that hides (True) as one that is added (-inf)."""
    return where(mask, -math.inf, mask.astype(dtype) * 0) if mask.dtype.kind == "b" else mask


def _joined(attn_mask: Tensor | None, padding: Tensor | None, dtype: np.dtype) -> Tensor | None:
    """Return one mask for `scaled_dot_product_attention` of two that hide (bool) or are added (float)."""
    masks = [m for m in (attn_mask, padding) if m is not None]
    if not masks:
        return None
    if all(m.dtype.kind == "b" for m in masks):
        return ~(masks[0] if len(masks) == 1 else masks[0] | masks[1])
    added = [_added(m, dtype) for m in masks]
    return added[0] if len(added) == 1 else added[0] + added[1]


class MultiheadAttention(Layer):
    """y = concat(head₁, ..., head_h) Wₒᵀ + bₒ with headᵢ = softmax(qᵢ kᵢᵀ / √d) vᵢ, d = embed_dim / num_heads.

    q = query W_qᵀ + b_q, k and v likewise; head i has the features from i d to (i + 1) d. Shapes: query
    (n, batch, embed_dim), key (m, batch, kdim), value (m, batch, vdim) -> (n, batch, embed_dim), and weights
    (batch, n, m); with batch_first the batch is axis 0; without a batch (n, embed_dim), (m, kdim), (m, vdim).
    Parameters: in_proj_weight (3 embed_dim, embed_dim), the three above each other, or q_proj_weight, k_proj_weight,
    v_proj_weight where kdim or vdim differs; in_proj_bias; out_proj; bias_k and bias_v (1, 1, embed_dim), one more key
    and value, with add_bias_kv. add_zero_attn adds a key and value of 0. Weights start as Xavier's uniform law
    (out_proj as a Linear), biases as 0, bias_k and bias_v as Xavier's normal law.
    dropout: the share of the weights that is dropped in training.
    Raises ValueError for heads that do not divide embed_dim. Reference: Vaswani et al. 2017, section 3.2.2.
    Differs from PyTorch: a query that may look nowhere attends to nothing (0) also with need_weights, where PyTorch
    gives NaN; `is_causal` is a hint that changes nothing, the mask decides.

    >>> x = Tensor(np.ones((3, 1, 4), np.float32))
    >>> y, weights = MultiheadAttention(4, 2)(x, x, x)
    >>> y.shape, weights.detach()
    ((3, 1, 4), Tensor float32 (1, 3, 3): [[[0.3333 0.3333 0.3333] [0.3333 0.3333 0.3333] [0.3333 0.3333 0.3333]]])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        whole(self, None, embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: num_heads divides embed_dim, both at least 1; got {num_heads} and {embed_dim}"
            )
        share(self, dropout=dropout)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        whole(self, kdim=self.kdim, vdim=self.vdim)
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        self.in_proj_weight: Parameter | None = None
        self.q_proj_weight: Parameter | None = None
        self.k_proj_weight: Parameter | None = None
        self.v_proj_weight: Parameter | None = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = _xavier(3 * embed_dim, embed_dim, generator)
        else:
            self.q_proj_weight = _xavier(embed_dim, embed_dim, generator)
            self.k_proj_weight = _xavier(embed_dim, self.kdim, generator)
            self.v_proj_weight = _xavier(embed_dim, self.vdim, generator)
        self.in_proj_bias = Parameter(np.zeros(3 * embed_dim, np.float32)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, generator=generator)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data[...] = 0
        std = math.sqrt(2 / (2 * embed_dim))
        self.bias_k = Parameter(initial.normal((1, 1, embed_dim), std, generator)) if add_bias_kv else None
        self.bias_v = Parameter(initial.normal((1, 1, embed_dim), std, generator)) if add_bias_kv else None

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return y and the weights, averaged over the heads or (batch, heads, n, m), or None without need_weights.

        key_padding_mask (batch, m) and attn_mask (n, m) or (batch · heads, n, m): bool ones hide where True, float
        ones are added. Raises ValueError for shapes that do not meet, TypeError for masks of integers.
        """
        self._check(query, key, value, key_padding_mask, attn_mask)
        if is_causal and attn_mask is None:
            raise ValueError(
                "MultiheadAttention: is_causal says that attn_mask is causal, and none was passed: "
                "use Transformer.generate_square_subsequent_mask(n)"
            )
        single = query.ndim == 2
        q, k, v = self._projected(query, key, value)  # (batch, length, embed_dim)
        batch, n, _ = q.shape
        if attn_mask is not None and attn_mask.ndim == 3:
            attn_mask = attn_mask.reshape(batch, self.num_heads, n, k.shape[1])
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.reshape(batch, 1, 1, -1)
        more: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            more.append((self.bias_k, self.bias_v))
        if self.add_zero_attn:
            zero = Tensor(np.zeros((1, 1, self.embed_dim)), dtype=k.dtype, device=k.device)
            more.append((zero, zero))
        if more:
            shape = (batch, 1, self.embed_dim)
            k = concatenate(k, *[broadcast_to(a, shape=shape) for a, _ in more], axis=1)
            v = concatenate(v, *[broadcast_to(b, shape=shape) for _, b in more], axis=1)
            attn_mask, key_padding_mask = (_widened(m, len(more)) for m in (attn_mask, key_padding_mask))
        q, k, v = (self._heads(x) for x in (q, k, v))  # (batch, heads, length, head_dim)
        mask = _joined(attn_mask, key_padding_mask, q.dtype)
        p = self.dropout if self.training else 0.0
        weights: Tensor | None = None
        if need_weights:
            weights = F.dropout(attention.attention_weights(q, k, mask), p)  # (batch, heads, n, m)
            y = weights @ v
            weights = weights.mean(axis=1) if average_attn_weights else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, p)
        y = self.out_proj(y.transpose(0, 2, 1, 3).reshape(batch, n, self.embed_dim))
        if single:
            return y[0], None if weights is None else weights[0]
        return y if self.batch_first else y.swapaxes(0, 1), weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Return q, k, v, batch first; what is the same Tensor is multiplied once."""
        packed = self.in_proj_weight is not None and key is value
        inputs = [(query, 0, 3)] if packed and query is key else [(query, 0, 1), (key, 1, 3)]
        if not packed:
            inputs = [(query, 0, 1), (key, 1, 2), (value, 2, 3)]
        return [y for x, start, stop in inputs for y in self._project(x, start, stop)]

    def _project(self, x: Tensor, start: int, stop: int) -> tuple[Tensor, ...]:
        """Return x as the parts from `start` to `stop` of q, k, v."""
        if x.ndim == 2:
            x = x.reshape(1, *x.shape)
        elif not self.batch_first:
            x = x.swapaxes(0, 1)
        count, rows = stop - start, slice(start * self.embed_dim, stop * self.embed_dim)
        weight: Tensor | None = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[start]
        bias: Tensor | None = self.in_proj_bias
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight if count == 3 else self.in_proj_weight[rows]
        assert weight is not None
        y = F.linear(x, weight, bias if bias is None or count == 3 else bias[rows])
        return (y,) if count == 1 else tuple(separate(y.reshape(*y.shape[:-1], count, self.embed_dim), axis=-2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(0, 2, 1, 3)

    def _check(
        self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, attn_mask: Tensor | None
    ) -> None:
        """Raise unless everything meets."""
        name, axes = "MultiheadAttention", query.ndim
        if axes not in (2, 3) or key.ndim != axes or value.ndim != axes:
            raise ValueError(
                f"{name} takes query, key and value of 3 axes, or of 2 without a batch; got {query.shape}, {key.shape} "
                f"and {value.shape}"
            )
        for what, x, width in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.shape[-1] != width:
                raise ValueError(f"{name}: {what} has {width} features on its last axis; got {describe(x)}")
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"{name}: key {key.shape} and value {value.shape} differ before their last axis")
        at = 0 if self.batch_first else 1
        if axes == 3 and query.shape[at] != key.shape[at]:
            raise ValueError(f"{name}: query {query.shape} and key {key.shape} differ in their batch, axis {at}")
        batch = query.shape[at] if axes == 3 else 1
        n, m = (x.shape[1 - at] if axes == 3 else x.shape[0] for x in (query, key))
        full = (batch * self.num_heads, n, m)
        for what, mask, shapes in (
            ("key_padding_mask", padding, [(batch, m)] if axes == 3 else [(m,)]),
            ("attn_mask", attn_mask, [(n, m), full]),
        ):
            if mask is None:
                continue
            if mask.dtype.kind not in "bfV":
                raise TypeError(f"{name}: {what} is bool (True hides) or float (added); got {describe(mask)}")
            if mask.shape not in shapes:
                raise ValueError(f"{name}: {what} has shape {' or '.join(map(str, shapes))}; got {mask.shape}")

    def extra_repr(self) -> str:
        """Return the width and the number of heads."""
        return f"{self.embed_dim}, num_heads={self.num_heads}" + (", batch_first=True" if self.batch_first else "")


def _widened(mask: Tensor | None, count: int) -> Tensor | None:
    """Let every query see `count` more keys."""
    if mask is None:
        return None
    more = Tensor(np.zeros((*mask.shape[:-1], count)), dtype=mask.dtype, device=mask.device)
    return concatenate(mask, more, axis=-1)
