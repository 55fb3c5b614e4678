"""What predictors of dynamics share: codes that follow, by actions, and actions that led from one code to the next."""

from dataclasses import dataclass
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.block import relu_mlp
from jepa.predictors.base import Predictor
from jepa.tasks.rollout import Unroll


@dataclass(frozen=True)
class DynamicsSettings(Settings):
    """Of the predictors of dynamics."""

    actions: int = setting(2, WIDTH)
    """numbers in an action of the source"""
    inverse: int = setting(256, between(0, 16_384))
    """hidden units of two layers that read an action out of two codes, if the objective asks; 0: there are none"""


class Dynamics(Predictor):
    """Base of the predictors that are told actions: a subclass defines `imagine`, and calls `__init__` last.

    It is what a planner asks: what follows, as long as there are actions. `inverse` is an MLP on a code and its change.
    """

    answers = (Unroll,)

    def __init__(self, dim: int, grid: Grid, settings: DynamicsSettings) -> None:
        super().__init__(dim, grid)
        self.settings: Any = settings
        self.actions, hidden = settings.actions, settings.inverse
        self.reads: Any = relu_mlp(2 * dim, hidden, hidden, self.actions) if hidden else None

    def imagine(self, codes: mt.Tensor, actions: mt.Tensor) -> mt.Tensor:
        """Return the codes of the S frames that follow K known ones: (n, K, d), (n, K - 1 + S, a) -> (n, S, d).

        Action t leads from frame t to frame t + 1.
        """
        raise NotImplementedError

    def inverse(self, before: mt.Tensor, after: mt.Tensor) -> mt.Tensor:
        """Return the actions that led from codes to the next ones: (..., d) each -> (..., a).

        The MLP is given the first and the difference: an action is a small one, which it would have to find first.
        """
        y: mt.Tensor = self.reads(mt.concatenate([before, after - before], axis=-1))
        return y

    def forward(self, tokens: mt.Tensor, valid: Flags | None, keep: Keep | None, asked: Unroll) -> list[mt.Tensor]:
        n, _, dim = tokens.shape
        seen = [tokens[:, k : k + asked.starts].reshape(-1, dim) for k in range(asked.past)]
        y = self.imagine(mt.stack(seen, axis=1), mt.Tensor(asked.windows(), device=tokens.device))
        return [y[:, s].reshape(n, asked.starts, dim) for s in range(asked.steps)]
