"""The optimizers that a configuration names, and how learning rate and weight decay go, step by step.

As in I-JEPA's code the schedules count a step before they are asked: the first step is i = 1, the last of T is i = T,
and so the last step has the values that the settings call those of the last step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import minitensor as mt
from jepa.config.settings import COUNT, OR_NONE, SHARE, Range, Rule, Settings, between, setting

RATE: Rule = (lambda v: 0 < v <= 1e30), "must be larger than 0 and at most 1e30"
DECAY, FINAL, CLIP = between(0, 1_000_000), between(0, COUNT), (lambda v: 0 < v <= COUNT, RATE[1])
BETAS: Rule = (lambda v: all(0 <= x < 1 for x in v)), "must be two numbers, each at least 0 and less than 1"


@dataclass(frozen=True)
class Optimizer(Settings):
    """Base: a kind says in `build` which optimizer changes the weights; rates and decays are the same for all.

    With i = step + 1, W = warmup_steps and T = int(ipe_scale · steps).
    """

    lr: float = setting(1e-3, RATE)
    """learning rate after the warm-up"""
    weight_decay: float = setting(0.05, DECAY)
    """of the weights; biases and normalization have none"""
    weight_decay_end: float | None = setting(None, DECAY)
    """weight decay at the last step, reached along a cosine; null: constant"""
    start_lr: float = setting(0.0, FINAL)
    """learning rate that the warm-up rises from; its first step is the first above it"""
    warmup_steps: int = setting(100, OR_NONE)
    """steps in which the learning rate rises linearly from start_lr to lr"""
    final_lr: float = setting(1e-5, FINAL)
    """learning rate at the last step"""
    schedule: Literal["cosine", "linear", "constant"] = setting("cosine")
    """way from lr to final_lr"""
    clip: float | None = setting(1.0, CLIP)
    """largest norm of the gradient of all weights together; null: no clipping"""
    ipe_scale: float = setting(1.0, between(1e-3, 1e6))
    """length of all schedules (lr, weight decay, moving average) in trainings; above 1 the training cuts them off"""

    def build(self, groups: Sequence[dict[str, Any]]) -> mt.optim.Optimizer:
        """Return the optimizer of groups of parameters, such as `JEPA.groups(weight_decay)` gives."""
        raise NotImplementedError

    def horizon(self, steps: int) -> int:
        """Return T, the steps after which the schedules would be at their ends."""
        return max(1, int(self.ipe_scale * steps))

    def learning_rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, counted from 0, of so many.

        A line from start_lr at i = 0 to lr at i = W, then the schedule from there to final_lr at i = T.

        >>> c = AdamW(lr=1.0, start_lr=0.2, final_lr=0.0, warmup_steps=2, schedule="linear")
        >>> [round(c.learning_rate(step, 6), 6) for step in range(6)]
        [0.6, 1.0, 0.75, 0.5, 0.25, 0.0]
        """
        schedule, i, warmup = mt.optim.schedule, step + 1, self.warmup_steps
        if i < warmup:
            return schedule.linear(i, start=self.start_lr, end=self.lr, steps=warmup)
        if self.schedule == "constant":
            return self.lr
        way = schedule.linear if self.schedule == "linear" else schedule.cosine
        return way(i - warmup, start=self.lr, end=self.final_lr, steps=max(1, self.horizon(steps) - warmup))

    def decay(self, step: int, steps: int) -> float:
        """Return the weight decay of a step, counted from 0: constant, or a cosine to `weight_decay_end` at i = T.

        >>> c = AdamW(weight_decay=0.0, weight_decay_end=0.4)
        >>> [round(c.decay(step, 4), 6) for step in range(4)]
        [0.058579, 0.2, 0.341421, 0.4]
        """
        if self.weight_decay_end is None:
            return self.weight_decay
        settings = {"start": self.weight_decay, "end": self.weight_decay_end, "steps": self.horizon(steps)}
        return float(mt.optim.schedule.cosine(step + 1, **settings))


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): weight decay is added to the gradient."""

    betas: Range = setting((0.9, 0.999), BETAS)
    """decay of the first and the second moment"""

    def build(self, groups: Sequence[dict[str, Any]]) -> mt.optim.Optimizer:
        return mt.optim.Adam(groups, lr=self.lr, betas=self.betas)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves (Loshchilov & Hutter 2019)."""

    def build(self, groups: Sequence[dict[str, Any]]) -> mt.optim.Optimizer:
        return mt.optim.AdamW(groups, lr=self.lr, betas=self.betas)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    momentum: float = setting(0.9, SHARE)
    """share of the last change that is made again"""
    nesterov: bool = setting(False)
    """look ahead along that change (Sutskever et al. 2013)"""

    def problems(self) -> Iterator[str]:
        if self.nesterov and not self.momentum:
            yield "nesterov=true with momentum=0: there is no change to look ahead along; set momentum=0.9"

    def build(self, groups: Sequence[dict[str, Any]]) -> mt.optim.Optimizer:
        return mt.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)


@dataclass(frozen=True)
class LARS(SGD):
    """SGD whose steps are as long as the weights are large, layer by layer (You et al. 2017); vectors are left alone.

    Of VICReg and Barlow Twins for CIFAR-10 in solo-learn: lr 0.3 · batch / 256, trust 0.02 and weight_decay 1e-4. Of
    EMP-SSL: lr 0.3, trust 0.005, nesterov, the same decay. Both cut the rate at lr, and neither clips gradients.
    """

    lr: float = setting(0.3, RATE)
    """learning rate after the warm-up"""
    weight_decay: float = setting(1e-4, DECAY)
    """of the weights; biases and normalization have none"""
    clip: float | None = setting(None, CLIP)
    """largest norm of the gradient of all weights together; null: no clipping"""
    trust: float = setting(0.02, RATE)
    """length of a step of rate 1, as a share of the length of the weights"""
    cut: bool = setting(True)
    """lr is the longest rate of a layer, not a factor of all"""

    def build(self, groups: Sequence[dict[str, Any]]) -> mt.optim.Optimizer:
        how: dict[str, Any] = {"trust_coefficient": self.trust, "clip": self.cut, "nesterov": self.nesterov}
        return mt.optim.LARS(groups, lr=self.lr, momentum=self.momentum, **how)
