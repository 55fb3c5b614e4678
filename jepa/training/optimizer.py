"""The optimizer that a configuration names, and how its learning rate and weight decay go, step by step.

As in I-JEPA's code the schedules count a step before they are asked: the first step is i = 1, the last of T is i = T,
and so the last step has the values that the settings call those of the last step.
"""

from __future__ import annotations

from typing import Any

import minitensor as mt
from jepa.config import OptimConfig
from jepa.methods import Method

__all__ = ["learning_rate", "make_optimizer", "weight_decay"]


def _horizon(c: OptimConfig, steps: int) -> int:
    """Return T, the steps after which the schedules would be at their ends."""
    return max(1, int(c.ipe_scale * steps))


def learning_rate(c: OptimConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of so many.

    With i = step + 1, W = warmup_steps and T = int(ipe_scale · steps): a line from start_lr at i = 0 to lr at i = W,
    then the schedule from there to final_lr at i = T.

    >>> c = OptimConfig(lr=1.0, start_lr=0.2, final_lr=0.0, warmup_steps=2, schedule="linear")
    >>> [round(learning_rate(c, step, 6), 6) for step in range(6)]
    [0.6, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    schedule, i, warmup = mt.optim.schedule, step + 1, c.warmup_steps
    if i < warmup:
        return schedule.linear(i, start=c.start_lr, end=c.lr, steps=warmup)
    if c.schedule == "constant":
        return c.lr
    way = schedule.linear if c.schedule == "linear" else schedule.cosine
    return way(i - warmup, start=c.lr, end=c.final_lr, steps=max(1, _horizon(c, steps) - warmup))


def weight_decay(c: OptimConfig, step: int, steps: int) -> float:
    """Return the weight decay of a step, counted from 0: constant, or a cosine to `weight_decay_end` at i = T.

    >>> c = OptimConfig(weight_decay=0.0, weight_decay_end=0.4)
    >>> [round(weight_decay(c, step, 4), 6) for step in range(4)]
    [0.058579, 0.2, 0.341421, 0.4]
    """
    if c.weight_decay_end is None:
        return c.weight_decay
    settings = {"start": c.weight_decay, "end": c.weight_decay_end, "steps": _horizon(c, steps)}
    return float(mt.optim.schedule.cosine(step + 1, **settings))


def make_optimizer(c: OptimConfig, method: Method[Any]) -> mt.optim.Optimizer:
    """Return the optimizer that the config names, over the method's parameters."""
    groups = method.groups(c.weight_decay)
    if c.name == "sgd":
        return mt.optim.SGD(groups, lr=c.lr, momentum=c.momentum)
    return (mt.optim.AdamW if c.name == "adamw" else mt.optim.Adam)(groups, lr=c.lr, betas=c.betas)
