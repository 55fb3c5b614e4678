"""What predictors of dynamics share: codes that follow, by actions, and actions that led from one code to the next."""

from dataclasses import dataclass
from typing import Any

import minitensor as mt
from jepa.config.settings import WIDTH, Settings, between, setting
from jepa.contracts import Flags, Grid, Keep
from jepa.encoders.block import relu_mlp
from jepa.errors import ConfigError
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


class Stepwise(Dynamics):
    """Base of those that go on from the last code alone: a subclass defines `step`, and `told` where it has weights.

        ẑ_{t+1} = step(ẑ_t, told(a_t)),   from ẑ_0 = z_0

    `told` is what actions go through first, those of all steps at once.
    """

    def __init__(self, dim: int, grid: Grid, settings: DynamicsSettings) -> None:
        super().__init__(dim, grid, settings)
        self.told: Any = mt.nn.Identity()

    def step(self, z: mt.Tensor, told: mt.Tensor) -> mt.Tensor:
        """Return the next codes, from codes (n, d) and what `told` makes of actions, (n, k)."""
        raise NotImplementedError

    def check(self, task: Any) -> None:
        if task.settings.past > 1:
            raise ConfigError(
                f"task.past={task.settings.past} with predictor={type(self).__name__.lower()}: it begins with the code "
                "of one frame; take task.past=1, or predictor=causal"
            )

    def imagine(self, codes: mt.Tensor, actions: mt.Tensor) -> mt.Tensor:
        z, told, found = codes[:, -1], self.told(actions), []
        for t in range(codes.shape[1] - 1, actions.shape[1]):
            z = self.step(z, told[:, t])
            found.append(z)
        return mt.stack(found, axis=1)
