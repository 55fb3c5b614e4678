"""A causal transformer of dynamics: each frame looks at those before it, and actions say how blocks are normed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config.settings import DEPTH, WIDTH, between, setting
from jepa.contracts import Grid
from jepa.encoders.block import EPS, MLP, Attention, heads_fit
from jepa.errors import ConfigError
from jepa.predictors.dynamics import Dynamics, DynamicsSettings


@dataclass(frozen=True)
class CausalSettings(DynamicsSettings):
    """Of the causal transformer of dynamics."""

    history: int = setting(3, between(1, 1024))
    """frames that are looked at, the last ones, those that were predicted among them"""
    width: int = setting(128, WIDTH)
    """numbers in a token"""
    depth: int = setting(2, DEPTH)
    """blocks"""
    heads: int = setting(4, WIDTH)
    """attention heads; divide width"""
    mlp_ratio: float = setting(4.0, between(0.01, 64))
    """hidden units of a block's MLP, as a multiple of width"""

    def problems(self) -> Iterator[str]:
        yield from heads_fit(self.width, self.heads, "width")


class Block(mt.nn.Layer):
    """x ← x + g₁ attention((1 + s₁) norm(x) + b₁), x ← x + g₂ MLP((1 + s₂) norm(x) + b₂): AdaLN-zero.

    The six vectors are W SiLU(c), of a condition c (n, tokens, width), one for each token; W starts at 0, so that the
    block starts as the identity. Peebles & Xie 2023, section 3.2. A token looks at itself and those before it.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        self.norm = mt.nn.LayerNorm(width, EPS, elementwise_affine=False)
        self.attn, self.mlp = Attention(width, heads), MLP(width, int(width * mlp_ratio))
        self.told = mt.nn.Linear(width, 6 * width)
        for part in self.told.parameters():
            mt.nn.init.zeros_(part)

    def forward(self, x: mt.Tensor, c: mt.Tensor, before: mt.Tensor) -> mt.Tensor:
        """Return the tokens after the block; before: bool (n, looking, looked at)."""
        s1, b1, g1, s2, b2, g2 = mt.split(self.told(mt.nn.functional.silu(c)), 6, axis=-1)
        x = x + g1 * self.attn(self.norm(x) * (1 + s1) + b1, before)
        y: mt.Tensor = x + g2 * self.mlp(self.norm(x) * (1 + s2) + b2)
        return y


class Causal(Dynamics):
    """ẑ_{t+1} = W norm(blocks(V z_{t-h+1} + p_1, ..., V z_t + p_h | a_{t-h+1}, ..., a_t)): LeWM's predictor (2026).

    A transformer of the last h = `history` frames, where each token looks at itself and those before it, is told the
    action that follows its frame by AdaLN-zero (`Block`), and says what comes next; p are learned positions. Its own
    predictions are appended, and looked at. Where it is given more frames than h, the first ones do not count; with
    fewer the positions are the first ones.

    Shapes: codes (n, K, dim), actions (n, K - 1 + S, a) -> (n, S, dim).

    >>> Causal(8, (17,), width=8, depth=1, heads=2).imagine(mt.ones((5, 3, 8)), mt.ones((5, 6, 2))).shape
    (5, 4, 8)
    """

    Settings = CausalSettings

    def __init__(self, dim: int, grid: Grid, settings: CausalSettings | None = None, /, **changes: Any) -> None:
        s = replace(settings or CausalSettings(), **changes)
        super().__init__(dim, grid, s)
        self.embed, self.acted = mt.nn.Linear(dim, s.width), mt.nn.Linear(self.actions, s.width)
        self.act = mt.nn.Linear(s.width, s.width)
        self.positions = mt.nn.Parameter(np.zeros((s.history, s.width), np.float32))
        self.blocks = mt.nn.LayerList([Block(s.width, s.heads, s.mlp_ratio) for _ in range(s.depth)])
        self.norm, self.proj = mt.nn.LayerNorm(s.width, EPS), mt.nn.Linear(s.width, dim)

    def check(self, task: Any) -> None:
        if task.settings.past > self.settings.history:
            raise ConfigError(
                f"predictor.history={self.settings.history} with task.past={task.settings.past}: the predictor looks at"
                " fewer frames than the task shows; take a higher predictor.history, or a lower task.past"
            )

    def imagine(self, codes: mt.Tensor, actions: mt.Tensor) -> mt.Tensor:
        known = codes.shape[1]
        seen = [self.embed(codes[:, t]) for t in range(known)]
        told = self.act(mt.nn.functional.silu(self.acted(actions)))  # (n, K - 1 + S, width)
        found = []
        for t in range(known - 1, actions.shape[1]):
            first = max(0, t + 1 - self.settings.history)
            z = self.next(mt.stack(seen[first:], axis=1), told[:, first : t + 1])
            found.append(z)
            seen.append(self.embed(z))
        return mt.stack(found, axis=1)

    def next(self, x: mt.Tensor, told: mt.Tensor) -> mt.Tensor:
        """Return the code that follows: tokens and what they are told (n, h', width) each -> (n, dim)."""
        n, length, _ = x.shape
        before = mt.Tensor(np.broadcast_to(np.tri(length, dtype=bool), (n, length, length)), device=x.device)
        x = x + self.positions[:length]
        for block in self.blocks:
            x = block(x, told, before)
        y: mt.Tensor = self.proj(self.norm(x[:, -1]))
        return y
