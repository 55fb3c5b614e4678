"""The predictor of a hierarchy: hidden places, and groups of them at coarser and coarser levels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import between, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.encoders.base import gather
from jepa.encoders.block import EPS, STD, Block, initialize
from jepa.encoders.positions import position_parameter, sincos
from jepa.errors import ConfigError
from jepa.masks.groups import groups
from jepa.predictors.base import Predictor, TransformerSettings, at, kept
from jepa.tasks.levels import Groups as Asked


@dataclass(frozen=True)
class LevelsSettings(TransformerSettings):
    """Of the predictor of levels."""

    levels: int = setting(3, between(2, 4))
    """levels: single places, then groups of 2, 4, 8 along each axis; as many as the task has"""
    fusion: bool = setting(False)
    """add what a coarser level predicts to the queries of the finer one (top-down)"""


class Levels(Predictor):
    """Predicts the hidden groups of each level from the tokens of the visible places.

        c = tokens W + b + positions;  q = mask_token_l + position of the center;  ŝ = head_l(norm(blocks([c; q])))

    The blocks are shared by all levels; the mask token and the head are each level's own. With `fusion`, top-down: the
    coarsest level goes first, and what it made of a group is added to the queries of the groups inside it.

    Shapes: tokens (n, K, dim) of the places keep.index (n, 1, K); asked.index, for each level, finest first, the
    groups (n, K_l) -> (n, K_l, dim) for each level.
    """

    Settings = LevelsSettings
    answers = (Asked,)

    def __init__(self, dim: int, grid: Grid, settings: LevelsSettings | None = None, /, **changes: Any) -> None:
        super().__init__(dim, grid)
        self.settings = s = replace(settings or LevelsSettings(), **changes)
        self.groups = tuple(groups(self.grid, level) for level in range(s.levels))
        self.embed = mt.nn.Linear(dim, s.dim)
        self.mask_tokens = mt.nn.Parameter(np.zeros((s.levels, 1, 1, s.dim), np.float32))
        self.pos_embed = position_parameter(s.positions, self.grid, s.dim, "predictor")
        self.blocks = mt.nn.LayerList([Block(s.dim, s.heads, s.mlp_ratio) for _ in range(s.depth)])
        self.norm = mt.nn.LayerNorm(s.dim, EPS)
        self.heads = mt.nn.LayerList([mt.nn.Linear(s.dim, dim) for _ in range(s.levels)])
        initialize(self, self.blocks)
        mt.nn.init.trunc_normal_(self.mask_tokens, std=STD)

    def check(self, task: Any) -> None:
        if task.settings.levels != self.settings.levels:
            raise ConfigError(
                f"predictor.levels={self.settings.levels} with task.levels={task.settings.levels}: the predictor has a "
                "head for each level of the task; set the two alike"
            )

    def positions(self, level: int) -> mt.Tensor:
        """Return the positions of a level's groups, (1, G, width): of their centers, or the mean of learned ones."""
        width, device = self.settings.dim, self.pos_embed.device
        if self.settings.positions == "sincos":
            centers = sincos(self.groups[level].centers, width)[None].astype(self.pos_embed.dtype)
            return mt.Tensor(centers, device=device)
        return mt.Tensor(self.groups[level].pool(), device=device) @ self.pos_embed

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Asked) -> list[mt.Tensor]:
        n, context, _ = tokens.shape
        c = self.embed(tokens) + at(self.positions(0), kept(keep, self.pos_embed.shape[1]))  # (n, K, width)
        valid = np.ones((n, context), bool) if valid is None else valid
        above: mt.Tensor | None = None  # (n, G, width): what the level above made of each of its groups
        predictions = []
        for level in reversed(range(len(asked.index))):
            index, true = asked.index[level], asked.valid[level]
            q = self.mask_tokens[level] + at(self.positions(level), index)  # (n, K_l, width)
            if above is not None:
                q = q + gather(above, _parents(self.groups[level].grid)[index][:, None])
            seen = np.concatenate([valid, true], axis=1)
            x = mt.concatenate([c, q], axis=1)
            mask = None if seen.all() else mt.Tensor(seen, device=x.device)
            for block in self.blocks:
                x = block(x, mask)
            y = self.norm(x[:, context:])  # (n, K_l, width)
            predictions.append(self.heads[level](y))
            above = self._spread(y, level, index, true) if self.settings.fusion else None
        return predictions[::-1]

    def _spread(self, y: mt.Tensor, level: int, index: Index, true: Flags) -> mt.Tensor:
        """Return tokens (n, K, width) at the places of their groups, 0 elsewhere: (n, G, width)."""
        places = index[:, None, :] == np.arange(len(self.groups[level].members))[:, None]  # (n, G, K)
        places = places & true[:, None, :]
        return mt.Tensor(places.astype(y.dtype), device=y.device) @ y


def _parents(grid: Grid) -> Index:
    """Return the group of the next level that each group of a level with this grid lies in, (G,)."""
    above = tuple(-(-length // 2) for length in grid)
    parents: Index = np.asarray(np.ravel_multi_index(tuple(np.indices(grid).reshape(len(grid), -1) // 2), above))
    return parents
