"""I-JEPA's predictor: a narrow transformer that turns mask tokens, told where they lie, into the targets' tokens."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import SHARE, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.block import EPS, STD, Block, initialize
from jepa.encoders.positions import position_parameter
from jepa.predictors.base import Predictor, TransformerSettings, at, kept
from jepa.tasks.masked import Places as Asked


@dataclass(frozen=True)
class PlacesSettings(TransformerSettings):
    """Of I-JEPA's predictor."""

    drop_path: float = setting(0.0, SHARE)
    """share of samples that leave out the last block in training; rises to it from 0 at the first"""


class Places(Predictor):
    """Predicts the tokens of target blocks from those of contexts (Assran et al. 2023, section 3, "Prediction").

        c = tokens W + b + positions[context];   q = mask_token + positions[target];   y = blocks([c; q])
        prediction = norm(y[targets]) W' + b'

    Each set of targets is predicted alone: sets do not see each other, and nothing looks at padding. Parameters have
    the names of I-JEPA's code.

    Shapes: tokens (n e, K, dim) of the places keep.index (n, e, K), asked.index (n, S, k) -> S of (n e, k, dim).

    >>> from jepa.tasks.masked import Places as Asked
    >>> predictor = Places(16, (4, 4), dim=8, depth=1, heads=2)
    >>> context, targets = np.array([[[0, 1, 2]]]), np.array([[[5, 6], [9, 10]]])
    >>> [y.shape for y in predictor(mt.ones((1, 3, 16)), None, Keep(context), Asked(targets, None))]
    [(1, 2, 16), (1, 2, 16)]
    """

    Settings = PlacesSettings
    answers = (Asked,)

    def __init__(self, dim: int, grid: Grid, settings: PlacesSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or PlacesSettings(), **changes)
        self.predictor_embed = mt.nn.Linear(dim, s.dim)
        self.mask_token = mt.nn.Parameter(np.zeros((1, 1, s.dim), np.float32))
        self.predictor_pos_embed = position_parameter(s.positions, self.grid, s.dim, "predictor")
        shares = np.linspace(0.0, s.drop_path, s.depth)
        blocks = [Block(s.dim, s.heads, s.mlp_ratio, float(share)) for share in shares]
        self.predictor_blocks = mt.nn.LayerList(blocks)
        self.predictor_norm = mt.nn.LayerNorm(s.dim, EPS)
        self.predictor_proj = mt.nn.Linear(s.dim, dim)
        initialize(self, self.predictor_blocks)
        mt.nn.init.trunc_normal_(self.mask_token, std=STD)

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Asked) -> list[mt.Tensor]:
        (n, sets, k), (rows, context, _), width = asked.index.shape, tokens.shape, self.settings.dim
        shape, positions = (sets, n, rows // n), self.predictor_pos_embed
        c = self.predictor_embed(tokens) + at(positions, kept(keep, positions.shape[1]))  # (n e, K, width)
        q = self.mask_token + at(positions, asked.index.swapaxes(0, 1))  # (S n, k, width): set by set
        c = mt.broadcast_to(c.reshape(1, n, -1, context, width), (*shape, context, width))
        q = mt.broadcast_to(q.reshape(sets, n, 1, k, width), (*shape, k, width))
        x = mt.concatenate([c, q], axis=3).reshape(sets * rows, context + k, width)
        mask = _visible(valid, asked.flags, (*shape, context, k))
        looked = None if mask is None else mt.Tensor(mask, device=x.device)
        for block in self.predictor_blocks:
            x = block(x, looked)
        y = self.predictor_proj(self.predictor_norm(x[:, context:]))  # (S n e, k, dim)
        return [y[i : i + rows] for i in range(0, sets * rows, rows)]


def _visible(valid: Flags | None, flags: Flags | None, shape: tuple[int, ...]) -> Flags | None:
    """Return which tokens may be looked at, (S n e, K + k), of contexts (n e, K) and queries (n, S, k); None: all."""
    if valid is None and flags is None:
        return None
    *rows, context, queries = shape  # S, n, e, K, k
    seen = np.ones((1, 1, 1, context), bool) if valid is None else valid.reshape(1, *rows[1:], context)
    true = np.ones((1, 1, 1, queries), bool) if flags is None else flags.swapaxes(0, 1)[:, :, None]
    sides = [np.broadcast_to(side, (*rows, side.shape[3])) for side in (seen, true)]
    return np.concatenate(sides, axis=3).reshape(-1, context + queries)
