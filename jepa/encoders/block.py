"""The pre-norm transformer block: attention, then an MLP, each with its norm and its residual."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import minitensor as mt

EPS = 1e-6  # of every layer norm of a vision transformer
NOWHERE = -1e9  # similarity of a token that may not be looked at: its weight is exactly 0
STD = 0.02  # of the first values of learned tokens
CONVOLUTIONS = mt.nn.Conv1d, mt.nn.Conv2d, mt.nn.Conv3d


def heads_fit(dim: int, heads: int, name: str = "dim") -> Iterator[str]:
    """Yield a sentence, for the problems of settings, if heads do not divide the numbers of a token (`name`)."""
    if dim % heads:
        yield f"heads={heads} must divide {name}={dim}: each head gets its share of the numbers"


def relu_mlp(*sizes: int) -> mt.nn.Sequential:
    """Return linear layers from each number of units to the next, with ReLU between them.

    >>> relu_mlp(2, 8, 8, 3)(mt.ones((5, 2))).shape
    (5, 3)
    """
    linear = [mt.nn.Linear(a, b) for a, b in pairwise(sizes)]
    return mt.nn.Sequential(linear[0], *(layer for after in linear[1:] for layer in (mt.nn.ReLU(), after)))


class Attention(mt.nn.Layer):
    """Multi-head self-attention: y = W concat_h(softmax(q_h k_hᵀ / √(dim / heads)) v_h) + b, (q, k, v) = V x + c.

    (n, tokens, dim) -> (n, tokens, dim). `valid`, where given, says which tokens may be looked at, (n, tokens), or by
    which others, (n, looking, looked at). Raises ValueError unless heads divide dim. Reference: Vaswani et al. 2017,
    eq. 1.

    >>> Attention(8, 2)(mt.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    def __init__(self, dim: int, heads: int) -> None:
        if heads < 1 or dim % heads:
            raise ValueError(f"heads={heads} must divide dim={dim}: each head gets dim / heads of the numbers")
        self.heads = heads
        self.qkv = mt.nn.Linear(dim, 3 * dim)
        self.proj = mt.nn.Linear(dim, dim)

    def _split(self, x: mt.Tensor) -> mt.Tensor:
        n, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, dim // self.heads)
        y: mt.Tensor = qkv.transpose(2, 0, 3, 1, 4)  # (3, n, heads, tokens, dim / heads)
        return y

    def forward(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return what each token gathers from the others."""
        n, tokens, dim = x.shape
        q, k, v = self._split(x)
        mask = None if valid is None else valid[:, None] if valid.ndim == 3 else valid[:, None, None]
        y = mt.nn.functional.scaled_dot_product_attention(q, k, v, mask)  # (n, heads, tokens, dim / heads)
        found: mt.Tensor = self.proj(y.transpose(0, 2, 1, 3).reshape(n, tokens, dim))
        return found

    def weights(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return how much each token (axis 2) looks at each other (axis 3): (n, heads, tokens, tokens)."""
        q, k, _ = self._split(x)
        scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
        if valid is not None:
            scores = mt.where(valid[:, None, None, :], scores, NOWHERE)
        return mt.nn.functional.softmax(scores, -1)


class MLP(mt.nn.Layer):
    """y = W₂ GELU(W₁ x + b₁) + b₂: (..., dim) -> (..., dim), with `hidden` units.

    >>> MLP(8, 32)(mt.ones((5, 8))).shape
    (5, 8)
    """

    def __init__(self, dim: int, hidden: int) -> None:
        self.fc1 = mt.nn.Linear(dim, hidden)
        self.fc2 = mt.nn.Linear(hidden, dim)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return W₂ GELU(W₁ x + b₁) + b₂."""
        y: mt.Tensor = self.fc2(mt.nn.functional.gelu(self.fc1(x)))
        return y


class SwiGLU(mt.nn.Layer):
    """y = W₂ (SiLU(u) ⊙ v) + b₂, (u, v) = W₁ x + b₁: (..., dim) -> (..., dim), with `hidden` units (Shazeer 2020).

    >>> SwiGLU(8, 32)(mt.ones((5, 8))).shape
    (5, 8)
    """

    def __init__(self, dim: int, hidden: int) -> None:
        self.fc1 = mt.nn.Linear(dim, 2 * hidden)
        self.fc2 = mt.nn.Linear(hidden, dim)

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return W₂ (SiLU(u) ⊙ v) + b₂."""
        u, v = mt.split(self.fc1(x), 2, axis=-1)
        y: mt.Tensor = self.fc2(mt.nn.functional.silu(u) * v)
        return y


MLPS: dict[str, type[MLP | SwiGLU]] = {"gelu": MLP, "swiglu": SwiGLU}


class Block(mt.nn.Layer):
    """x ← x + attention(norm₁(x)), then x ← x + MLP(norm₂(x)): (n, tokens, dim) -> (n, tokens, dim).

    drop_path: the share of samples for which, in training, a branch is left out (Huang et al. 2016). Reference:
    Dosovitskiy et al. 2021, eqs. 2 and 3. mlp: "gelu" or "swiglu", of `MLPS`.

    >>> Block(8, 2)(mt.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0, mlp: str = "gelu") -> None:
        self.norm1 = mt.nn.LayerNorm(dim, EPS)
        self.attn = Attention(dim, heads)
        self.norm2 = mt.nn.LayerNorm(dim, EPS)
        self.mlp = MLPS[mlp](dim, int(dim * mlp_ratio))
        self.drop_path = mt.nn.DropPath(drop_path)

    def weights(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return how much each token (axis 2) looks at each other (axis 3): (n, heads, tokens, tokens)."""
        return self.attn.weights(self.norm1(x), valid)

    def forward(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the tokens after the block."""
        x = x + self.drop_path(self.attn(self.norm1(x), valid))
        y: mt.Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return y


def initialize(layer: mt.nn.Layer, blocks: mt.nn.LayerList) -> None:
    """Give a vision transformer its first weights: uniform as Glorot & Bengio (2010) have them, biases 0.

    As He et al. (2022) do, the patch embedding on the matrix that it is. I-JEPA's code has N(0, 0.02²), which is about
    the same at its 1280 dimensions; at 96 it makes every branch weak and attention even, and training waits on a
    plateau for some hundred steps, by chance for longer or shorter. The last weights of the branches of block
    l = 1, 2, ... are divided by √(2 l), so that the residual stream does not grow with the depth. (I-JEPA's code means
    to, but draws all weights again afterwards, which undoes it.)
    """
    for part in layer.layers():
        if isinstance(part, (mt.nn.Linear, *CONVOLUTIONS)):
            outputs, *inputs = part.weight.shape
            bound = math.sqrt(6 / (outputs + math.prod(inputs)))
            mt.nn.init.uniform_(part.weight, -bound, bound)
            if part.bias is not None:
                mt.nn.init.zeros_(part.bias)
    with mt.no_grad():
        block: Any
        for depth, block in enumerate(blocks, 1):
            for weight in (block.attn.proj.weight, block.mlp.fc2.weight):
                weight[...] = weight / np.sqrt(2 * depth, dtype=np.float32)
