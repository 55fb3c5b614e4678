"""What makes the true tokens, and keeps them from following the context encoder: the one place that knows the kinds."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import minitensor as mt
from jepa.config.settings import PROBABILITY, NoSettings, Settings, setting
from jepa.contracts import Asked, Keep
from jepa.errors import ConfigError
from jepa.parts import ROLES, load

__all__ = ["EMA", "EMASettings", "Own", "Shared", "StopGrad", "target"]


class TargetBranch(mt.nn.Layer):
    """What the kinds share: most have no weights of their own, and nothing moves after a step."""

    learns: ClassVar[bool] = False
    """a gradient flows into it: only an objective that spreads forbids constants then"""
    lags: ClassVar[bool] = False
    """it follows the context encoder from behind, which hinders constants even without a predictor"""

    def follow(self, branch: Any) -> None:
        """Take what this kind needs of the context's branch, once, when the learner is made."""

    def branch(self, branch: Any) -> Any:
        return branch

    def __call__(self, branch: Any, true: mt.Tensor, asked: Asked) -> list[mt.Tensor]:
        own = self.branch(branch)
        with nullcontext() if self.learns else _still(own):
            y: list[mt.Tensor] = own.targets(true, asked)
            return y

    def among(self, branch: Any, seen: Any, keep: Keep | None, z: mt.Tensor, asked: Any) -> mt.Tensor:
        own = self.branch(branch)
        if own is branch:
            return z if self.learns else z.detach()
        with nullcontext() if self.learns else _still(own):
            y: mt.Tensor = own.context(seen[:1] if isinstance(seen, list) else seen, keep, asked)[0]
            return y

    def update(self, branch: Any, step: int, steps: float) -> dict[str, float]:
        return {}

    def kept(self, steps: int, horizon: float) -> float:
        return 0.0

    def move(self, momentum: float) -> None:
        """Move by 1 - momentum, if this kind follows: what a schedule of one's own does."""


@contextmanager
def _still(branch: Any) -> Iterator[None]:
    with mt.no_grad(), mt.nn.frozen_statistics(branch):
        yield


@dataclass(frozen=True)
class EMASettings(Settings):
    """How slowly the target follows."""

    start: float = setting(0.99, PROBABILITY)
    """momentum m of target = m * target + (1 - m) * context, at the first step"""
    end: float = setting(1.0, PROBABILITY)
    """the same where training ends: what a step after the last would have"""
    schedule: Literal["cosine", "linear", "constant"] = setting("cosine")
    """way from start to end"""


class EMA(TargetBranch):
    """A copy of the context's branch that follows it: target = m · target + (1 - m) · context (Grill et al. 2020).

    In training its batch norm uses the statistics of its own batch, and leaves its buffers alone: those follow the
    context encoder's, like the weights (integer buffers are copied).
    """

    Settings = EMASettings
    lags = True

    def __init__(self, settings: EMASettings | None = None, **changes: Any) -> None:
        self.settings = replace(settings or EMASettings(), **changes)

    def follow(self, branch: Any) -> None:
        self.copy: Any = copy.deepcopy(branch)
        self._ema = mt.optim.EMA(self.copy, branch)

    def branch(self, branch: Any) -> Any:
        return self.copy

    def momentum(self, step: int, steps: float) -> float:
        """Return m at a step, counted from 0: from start there towards end at `steps`."""
        s = self.settings
        if s.schedule == "constant":
            return s.start
        schedule = mt.optim.schedule.cosine if s.schedule == "cosine" else mt.optim.schedule.linear
        return float(schedule(step, start=s.start, end=s.end, steps=steps))

    def update(self, branch: Any, step: int, steps: float) -> dict[str, float]:
        momentum = self.momentum(step, steps)
        self.move(momentum)
        return {"ema": momentum}

    def kept(self, steps: int, horizon: float) -> float:
        most = 10_000  # steps that are looked at, for those that nobody will live to see
        looked_at = range(steps) if steps <= most else range(0, steps, steps // most)
        return math.exp(
            sum(math.log(m) if (m := self.momentum(k, horizon)) else -math.inf for k in looked_at)
            * steps
            / len(looked_at)
        )

    def move(self, momentum: float) -> None:
        self._ema.update(momentum)


class StopGrad(TargetBranch):
    """The context's own branch, without a gradient (Chen & He 2021)."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings | None = None) -> None:
        self.settings = settings or NoSettings()


class Shared(StopGrad):
    """The context's own branch, gradient and all."""

    learns = True


class Own(Shared):
    """A branch with weights of its own, that learns: for two kinds of examples, or as the teacher of neither.

    branch: an encoder and a projector (`jepa.learner.Branch`); None for a copy of the context's, from which it parts in
    the first step.
    """

    def __init__(self, settings: NoSettings | None = None, *, branch: Any = None) -> None:
        super().__init__(settings)
        self.own: Any = branch

    def follow(self, branch: Any) -> None:
        if self.own is None:
            self.own = copy.deepcopy(branch)

    def branch(self, branch: Any) -> Any:
        return self.own


def target(kind: str, **settings: Any) -> Any:
    """Return a target by its kind.

    >>> target("ema", start=0.996).momentum(0, 100)
    0.996
    """
    if kind not in ROLES["target"]:
        raise ConfigError(f"target is one of {', '.join(ROLES['target'])}; got {kind!r}")
    return load("target", kind)(**settings)
