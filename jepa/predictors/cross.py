"""Cross-attention: the targets' places look at the context, and at nothing else."""

from dataclasses import replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.block import EPS, MLP, STD
from jepa.encoders.positions import position_parameter
from jepa.predictors.base import Predictor, TransformerSettings, at, kept
from jepa.tasks.masked import Places as Asked


class Attention(mt.nn.Layer):
    """y = W concat_h(softmax(q_h k_hᵀ / √(dim / heads)) v_h) + b, q of the queries, k and v of the context.

    (n, queries, dim), (n, tokens, dim) -> (n, queries, dim). `valid` (n, tokens), where given, says which tokens of the
    context may be looked at.

    >>> Attention(8, 2)(mt.ones((1, 3, 8)), mt.ones((1, 5, 8))).shape
    (1, 3, 8)
    """

    def __init__(self, dim: int, heads: int) -> None:
        self.heads = heads
        self.q, self.kv, self.proj = mt.nn.Linear(dim, dim), mt.nn.Linear(dim, 2 * dim), mt.nn.Linear(dim, dim)

    def forward(self, x: mt.Tensor, context: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return what each query gathers from the context."""
        (n, queries, dim), tokens = x.shape, context.shape[1]
        q = self.q(x).reshape(n, queries, self.heads, -1).transpose(0, 2, 1, 3)  # (n, heads, queries, dim / heads)
        k, v = self.kv(context).reshape(n, tokens, 2, self.heads, -1).transpose(2, 0, 3, 1, 4)
        mask = None if valid is None else valid[:, None, None, :]
        y = mt.nn.functional.scaled_dot_product_attention(q, k, v, mask)
        found: mt.Tensor = self.proj(y.transpose(0, 2, 1, 3).reshape(n, queries, dim))
        return found


class Block(mt.nn.Layer):
    """x ← x + attention(norm₁(x), context), then x ← x + MLP(norm₂(x)): (n, queries, dim) -> (n, queries, dim).

    >>> Block(8, 2, 4.0)(mt.ones((1, 3, 8)), mt.ones((1, 5, 8))).shape
    (1, 3, 8)
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        self.norm1, self.attn = mt.nn.LayerNorm(dim, EPS), Attention(dim, heads)
        self.norm2, self.mlp = mt.nn.LayerNorm(dim, EPS), MLP(dim, int(dim * mlp_ratio))

    def forward(self, x: mt.Tensor, context: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the queries after the block."""
        x = x + self.attn(self.norm1(x), context, valid)
        y: mt.Tensor = x + self.mlp(self.norm2(x))
        return y


class CrossAttention(Predictor):
    """Predicts the tokens of targets by attention from their places to the context, and nowhere else.

        c = norm(tokens W + b + positions[context]);   q = mask_token + positions[target];   q = blocks(q, c)
        prediction = norm(q) W' + b'

    It takes the place of `Places`. There context and queries are one sequence, which is transformed anew for each set
    of targets; here the context is embedded once, queries do not see each other, and all sets are asked at once: for
    S sets about S times less work.

    Shapes: tokens (n e, K, dim) of the places keep.index (n, e, K), asked.index (n, S, k) -> S of (n e, k, dim).

    >>> from jepa.tasks.masked import Places as Asked
    >>> predictor = CrossAttention(16, (4, 4), dim=8, depth=1, heads=2)
    >>> context, targets = np.array([[[0, 1, 2]]]), np.array([[[5, 6], [9, 10]]])
    >>> [y.shape for y in predictor(mt.ones((1, 3, 16)), None, Keep(context), Asked(targets, None))]
    [(1, 2, 16), (1, 2, 16)]
    """

    Settings = TransformerSettings
    answers = (Asked,)

    def __init__(self, dim: int, grid: Grid, settings: TransformerSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or TransformerSettings(), **changes)
        self.embed = mt.nn.Linear(dim, s.dim)
        self.mask_token = mt.nn.Parameter(np.zeros((1, 1, s.dim), np.float32))
        self.pos_embed = position_parameter(s.positions, self.grid, s.dim, "predictor")
        self.context_norm = mt.nn.LayerNorm(s.dim, EPS)
        self.blocks = mt.nn.LayerList([Block(s.dim, s.heads, s.mlp_ratio) for _ in range(s.depth)])
        self.norm = mt.nn.LayerNorm(s.dim, EPS)
        self.proj = mt.nn.Linear(s.dim, dim)
        mt.nn.init.trunc_normal_(self.mask_token, std=STD)
        for part in self.layers():
            if isinstance(part, mt.nn.Linear) and part.bias is not None:
                mt.nn.init.trunc_normal_(part.weight, std=STD)
                mt.nn.init.zeros_(part.bias)

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Asked) -> list[mt.Tensor]:
        (n, sets, k), rows, width = asked.index.shape, len(tokens), self.settings.dim
        c = self.context_norm(self.embed(tokens) + at(self.pos_embed, kept(keep, self.pos_embed.shape[1])))
        x = self.mask_token + at(self.pos_embed, asked.index.reshape(n, sets * k))  # (n, S k, width)
        x = mt.broadcast_to(x[:, None], (n, rows // n, sets * k, width)).reshape(rows, sets * k, width)
        looked = None if valid is None else mt.Tensor(valid, device=x.device)
        for block in self.blocks:
            x = block(x, c, looked)
        return list(mt.split(self.proj(self.norm(x)), sets, axis=1))  # (n e, S k, dim)
