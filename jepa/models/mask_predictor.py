"""I-JEPA's predictor: a narrow transformer that turns mask tokens, told where they lie, into the targets' tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.masks import from_binary
from jepa.models.block import EPS, STD, Block, initialize
from jepa.models.positions import position_parameter
from jepa.models.vit import gather_tokens

__all__ = ["MaskPredictor"]

Indices = NDArray[np.int64]
Valid = NDArray[np.bool_]


class MaskPredictor(mt.nn.Layer):
    """Predicts the tokens of target blocks from those of contexts (Assran et al. 2023, section 3, "Prediction").

        c = tokens W + b + positions[context];   q = mask_token + positions[target];   y = blocks([c; q])
        prediction = norm(y[targets]) W' + b'

    Each target block is predicted alone: blocks do not see each other. grid: rows and columns of patches; dim: of the
    encoder; width, depth, heads: of the predictor. positions: "sincos" (fixed) or "learned", the predictor's own.
    Parameters have the names of I-JEPA's code.

    Shapes: tokens (E · n, Kc, dim), context_masks E index arrays (n, Kc), target_masks M of (n, Kt) ->
    (M · E · n, Kt, dim): first target block, first context, all images; and so on. Masks may also be bool (n, N), a
    row's places of True being its tokens. Rows of different sizes come padded: `context_valid` (E · n, Kc) and
    `target_valid`, M of (n, Kt), say which tokens are none, and nothing looks at those.

    >>> predictor = MaskPredictor(grid=(4, 4), dim=16, width=8, depth=1, heads=2)
    >>> context, targets = [np.array([[0, 1, 2]])], [np.array([[5, 6]]), np.array([[9, 10]])]
    >>> predictor(mt.ones((1, 3, 16)), context, targets).shape
    (2, 2, 16)
    """

    def __init__(
        self,
        grid: tuple[int, int],
        dim: int,
        width: int = 384,
        depth: int = 6,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        positions: str = "sincos",
        drop_path: float = 0.0,
    ) -> None:
        self.grid = grid
        self.predictor_embed = mt.nn.Linear(dim, width)
        self.mask_token = mt.nn.Parameter(np.zeros((1, 1, width), np.float32))
        self.predictor_pos_embed = position_parameter(positions, grid, width)
        shares = np.linspace(0.0, drop_path, depth)
        self.predictor_blocks = mt.nn.LayerList([Block(width, heads, mlp_ratio, float(share)) for share in shares])
        self.predictor_norm = mt.nn.LayerNorm(width, EPS)
        self.predictor_proj = mt.nn.Linear(width, dim)
        initialize(self, self.predictor_blocks)
        mt.nn.init.trunc_normal_(self.mask_token, std=STD)

    def forward(
        self,
        tokens: mt.Tensor,
        context_masks: Sequence[Indices],
        target_masks: Sequence[Indices],
        context_valid: Valid | None = None,
        target_valid: Sequence[Valid] | None = None,
    ) -> mt.Tensor:
        """Return the predicted tokens of every target block from every context."""
        contexts, targets = len(context_masks), len(target_masks)
        n, kept, _ = len(tokens) // contexts, tokens.shape[1], tokens.shape[2]
        positions = mt.broadcast_to(self.predictor_pos_embed, (n, *self.predictor_pos_embed.shape[1:]))
        c = self.predictor_embed(tokens) + gather_tokens(positions, indexed(context_masks))  # (E n, Kc, width)
        q = self.mask_token + gather_tokens(positions, indexed(target_masks))  # (M n, Kt, width)
        wanted, width = q.shape[1:]
        shape = targets, contexts, n
        q = mt.broadcast_to(q.reshape(targets, 1, n, wanted, width), (*shape, wanted, width))
        c = mt.broadcast_to(c.reshape(1, contexts, n, kept, width), (*shape, kept, width))
        x = mt.concatenate([c, q], axis=3).reshape(targets * contexts * n, kept + wanted, width)
        valid = None
        if context_valid is not None or target_valid is not None:
            seen = np.ones((contexts * n, kept), bool) if context_valid is None else context_valid
            true = np.ones((targets, n, wanted), bool) if target_valid is None else np.stack(target_valid)
            valid = mt.Tensor(_joined(seen.reshape(1, contexts, n, kept), true[:, None]), device=x.device)
        for block in self.predictor_blocks:
            x = block(x, valid)
        return self.predictor_proj(self.predictor_norm(x[:, kept:]))  # type: ignore[no-any-return]


def _joined(seen: Valid, true: Valid) -> Valid:
    """Return which tokens may be looked at, (M E n, Kc + Kt): context (1, E, n, Kc), then queries (M, 1, n, Kt)."""
    shape = np.broadcast_shapes(seen.shape[:3], true.shape[:3])
    sides = [np.broadcast_to(side, (*shape, side.shape[3])) for side in (seen, true)]
    return np.concatenate(sides, axis=3).reshape(-1, seen.shape[3] + true.shape[3])


def indexed(masks: Sequence[Indices | Valid]) -> list[Indices]:
    """Return masks as indices; of bool masks the places of True come first in each row, in order, then padding."""
    arrays = [np.asarray(mask) for mask in masks]
    return [from_binary(mask)[0] if mask.dtype == bool else mask.astype(np.int64, copy=False) for mask in arrays]
