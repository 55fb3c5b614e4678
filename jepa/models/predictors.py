"""Predictors beside I-JEPA's transformer: an MLP for single vectors, and cross-attention for patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.models.block import EPS, MLP, STD
from jepa.models.mask_predictor import indexed
from jepa.models.positions import position_parameter
from jepa.models.predictor import FREQUENCIES, encode_geometry
from jepa.models.vit import gather_tokens

__all__ = ["AttentionPredictor", "MLPPredictor"]

Indices = NDArray[np.int64]
Valid = NDArray[np.bool_]


class MLPPredictor(mt.nn.Layer):
    """From one embedding to another by an MLP: `depth` times Linear, layer norm, GELU; then a Linear.

    told: how many numbers say what is to be predicted, such as the place of a target or an action, each by sines and
    cosines (`encode_geometry`); without them (0) the predictor can only mean one target. width None: twice hidden_dim.

    Shapes: (..., hidden_dim), told (..., told) -> (..., hidden_dim); the leading axes are broadcast, so that one
    context (n, 1, hidden_dim) serves many targets (n, t, told). Raises ValueError for a `told` of another length, or a
    missing one. For the geometry of crops there is `Predictor`.

    >>> MLPPredictor(8)(mt.ones((5, 8))).shape, MLPPredictor(8, told=4)(mt.ones((5, 1, 8)), mt.ones((5, 3, 4))).shape
    ((5, 8), (5, 3, 8))
    """

    def __init__(self, hidden_dim: int, width: int | None = None, depth: int = 1, told: int = 0) -> None:
        self.dim, self.told = hidden_dim, told
        width = 2 * hidden_dim if width is None else width
        inputs, layers = hidden_dim + told * (1 + 2 * FREQUENCIES), list[mt.nn.Layer]()
        for _ in range(depth):
            layers += [mt.nn.Linear(inputs, width), mt.nn.LayerNorm(width), mt.nn.GELU()]
            inputs = width
        self.mlp = mt.nn.Sequential(*layers, mt.nn.Linear(inputs, hidden_dim))

    def forward(self, x: mt.Tensor, told: mt.Tensor | None = None) -> mt.Tensor:
        """Return the predicted embeddings."""
        count = 0 if told is None else told.shape[-1]
        if count != self.told:
            raise ValueError(f"this predictor is told {self.told} numbers about each target; got {count}")
        if told is not None:
            leading = np.broadcast_shapes(x.shape[:-1], told.shape[:-1])
            x, told = (mt.broadcast_to(z, (*leading, z.shape[-1])) for z in (x, told))
            x = mt.concatenate([x, encode_geometry(told)], axis=-1)
        return self.mlp(x)  # type: ignore[no-any-return]


class CrossAttention(mt.nn.Layer):
    """y = W concat_h(softmax(q_h k_hᵀ / √(dim / heads)) v_h) + b, q of the queries, k and v of the context.

    (n, queries, dim), (n, tokens, dim) -> (n, queries, dim). `valid` (n, tokens), where given, says which tokens of the
    context may be looked at. Raises ValueError unless heads divide dim.

    >>> CrossAttention(8, 2)(mt.ones((1, 3, 8)), mt.ones((1, 5, 8))).shape
    (1, 3, 8)
    """

    def __init__(self, dim: int, heads: int) -> None:
        if heads < 1 or dim % heads:
            raise ValueError(f"heads={heads} must divide dim={dim}: each head gets dim / heads of the numbers")
        self.heads = heads
        self.q, self.kv, self.proj = mt.nn.Linear(dim, dim), mt.nn.Linear(dim, 2 * dim), mt.nn.Linear(dim, dim)

    def forward(self, x: mt.Tensor, context: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return what each query gathers from the context."""
        (n, queries, dim), tokens = x.shape, context.shape[1]
        q = self.q(x).reshape(n, queries, self.heads, -1).transpose(0, 2, 1, 3)  # (n, heads, queries, dim / heads)
        k, v = self.kv(context).reshape(n, tokens, 2, self.heads, -1).transpose(2, 0, 3, 1, 4)
        mask = None if valid is None else valid[:, None, None, :]
        y = mt.nn.functional.scaled_dot_product_attention(q, k, v, mask)
        return self.proj(y.transpose(0, 2, 1, 3).reshape(n, queries, dim))  # type: ignore[no-any-return]


class CrossBlock(mt.nn.Layer):
    """x ← x + attention(norm₁(x), context), then x ← x + MLP(norm₂(x)): (n, queries, dim) -> (n, queries, dim).

    >>> CrossBlock(8, 2, 4.0)(mt.ones((1, 3, 8)), mt.ones((1, 5, 8))).shape
    (1, 3, 8)
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        self.norm1, self.attn = mt.nn.LayerNorm(dim, EPS), CrossAttention(dim, heads)
        self.norm2, self.mlp = mt.nn.LayerNorm(dim, EPS), MLP(dim, int(dim * mlp_ratio))

    def forward(self, x: mt.Tensor, context: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the queries after the block."""
        x = x + self.attn(self.norm1(x), context, valid)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class AttentionPredictor(mt.nn.Layer):
    """Predicts target tokens by attention from their places to the context, and nowhere else.

        c = norm(tokens W + b + positions[context]);   q = mask_token + positions[target];   q = blocks(q, c)
        prediction = norm(q) W' + b'

    Called as `MaskPredictor`, for whose place it is made, with the same shapes. There context and queries are one
    sequence, which is transformed anew for each target block; here the context is embedded once, queries do not see
    each other, and all target blocks are asked at once: for M blocks about M times less work.

    Shapes: tokens (E · n, Kc, dim), context_masks E arrays (n, Kc), target_masks M of (n, Kt) -> (M · E · n, Kt, dim),
    first target block, first context, all images. Masks are indices or bool, as in `MaskPredictor`.

    >>> predictor = AttentionPredictor(grid=(4, 4), dim=16, width=8, depth=1, heads=2)
    >>> context, targets = [np.array([[0, 1, 2]])], [np.array([[5, 6]]), np.array([[9, 10]])]
    >>> predictor(mt.ones((1, 3, 16)), context, targets).shape
    (2, 2, 16)
    """

    def __init__(
        self,
        grid: tuple[int, int],
        dim: int,
        width: int = 384,
        depth: int = 3,
        heads: int = 6,
        mlp_ratio: float = 4.0,
        positions: str = "sincos",
    ) -> None:
        self.grid, self.dim = grid, dim
        self.embed = mt.nn.Linear(dim, width)
        self.mask_token = mt.nn.Parameter(np.zeros((1, 1, width), np.float32))
        self.pos_embed = position_parameter(positions, grid, width)
        self.context_norm = mt.nn.LayerNorm(width, EPS)
        self.blocks = mt.nn.LayerList([CrossBlock(width, heads, mlp_ratio) for _ in range(depth)])
        self.norm = mt.nn.LayerNorm(width, EPS)
        self.proj = mt.nn.Linear(width, dim)
        mt.nn.init.trunc_normal_(self.mask_token, std=STD)
        for part in self.layers():
            if isinstance(part, mt.nn.Linear) and part.bias is not None:
                mt.nn.init.trunc_normal_(part.weight, std=STD)
                mt.nn.init.zeros_(part.bias)

    def forward(
        self,
        tokens: mt.Tensor,
        context_masks: Sequence[Indices],
        target_masks: Sequence[Indices],
        context_valid: Valid | None = None,
        target_valid: Sequence[Valid] | None = None,
    ) -> mt.Tensor:
        """Return the predicted tokens of every target block from every context.

        target_valid changes nothing: a target does not look at others.
        """
        contexts, targets = len(context_masks), len(target_masks)
        n, dim = len(tokens) // contexts, tokens.shape[2]
        positions = mt.broadcast_to(self.pos_embed, (n, *self.pos_embed.shape[1:]))
        c = self.context_norm(self.embed(tokens) + gather_tokens(positions, indexed(context_masks)))
        q = self.mask_token + gather_tokens(positions, indexed(target_masks))  # (M n, Kt, width)
        wanted, width = q.shape[1:]
        q = q.reshape(targets, n, wanted, width).transpose(1, 0, 2, 3).reshape(1, n, targets * wanted, width)
        x = mt.broadcast_to(q, (contexts, *q.shape[1:])).reshape(contexts * n, targets * wanted, width)
        valid = None if context_valid is None else mt.Tensor(context_valid, device=x.device)
        for block in self.blocks:
            x = block(x, c, valid)
        y = self.proj(self.norm(x)).reshape(contexts * n, targets, wanted, dim)
        return y.transpose(1, 0, 2, 3).reshape(targets * contexts * n, wanted, dim)  # type: ignore[no-any-return]
