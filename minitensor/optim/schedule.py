"""Schedules as pure functions of the step: what a setting is at step t follows from t alone, so that nothing is saved.

>>> for step in range(4):
...     print(round(warmup(step, lambda t: cosine(t, start=1.0, end=0.0, steps=2), steps=2), 3))
0.5
1.0
1.0
0.5
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minitensor.errors import StateDictError
from minitensor.nn.base.checks import number, share, whole
from minitensor.optim.settings import State

__all__ = [
    "Plateau", "constant", "cosine", "exponential", "linear", "multi_step", "one_cycle", "polynomial", "restarts",
    "sequence", "step_decay", "warmup",
]  # fmt: skip


def _progress(step: float, steps: float) -> float:
    """Return step / steps, brought into [0, 1]."""
    number("a schedule", infinite=True, step=step)
    if isinstance(steps, bool) or not 0 < steps < math.inf:
        raise ValueError(f"a schedule takes at least one step, and a finite number of them; got steps={steps}")
    return float(min(max(step, 0), steps) / steps)


def _finite(**settings: Any) -> None:
    number("a schedule", **settings)


def constant(step: float, *, start: float) -> float:
    """Return `start`, whatever the step. Differs from PyTorch: there ConstantLR; a function of the step.

    >>> constant(7, start=0.5)
    0.5
    """
    _finite(start=start)
    return start


def linear(step: float, *, start: float, end: float, steps: float) -> float:
    """Return start + (end - start) t / T: from `start` at step 0 to `end` at step `steps`, and from there on.

    Differs from PyTorch: there LinearLR, which moves a factor; a function of the step.

    >>> linear(5, start=0.0, end=1.0, steps=10)
    0.5
    """
    _finite(start=start, end=end)
    return start + (end - start) * _progress(step, steps)


def cosine(step: float, *, start: float, end: float, steps: float) -> float:
    """Return end - (end - start)(1 + cos(π t / T)) / 2: flat at both ends (Loshchilov & Hutter 2017).

    With start = m₀, end = 1 it is the moving average's momentum of BYOL and DINO, 1 - (1 - m₀)(1 + cos(π t / T)) / 2.
    Differs from PyTorch: there CosineAnnealingLR, by T_max; a function of the step.

    >>> cosine(0, start=0.996, end=1.0, steps=100), cosine(100, start=0.996, end=1.0, steps=100)
    (0.996, 1.0)
    """
    _finite(start=start, end=end)
    return end - (end - start) * (1 + math.cos(math.pi * _progress(step, steps))) / 2


def warmup(step: float, schedule: Callable[[float], float], *, steps: float) -> float:
    """Return (t + 1) / steps of schedule(0) for the first `steps` steps, then the schedule, counted from there.

    Differs from PyTorch: there LinearLR before another, in SequentialLR; a function of the step.

    >>> [warmup(t, lambda t: constant(t, start=1.0), steps=4) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    number("a schedule", 0, steps=steps)
    number("a schedule", infinite=True, step=step)
    return schedule(0) * (step + 1) / steps if step < steps else schedule(step - steps)


def step_decay(step: float, *, start: float, gamma: float, every: float) -> float:
    """Return start · gamma^⌊t / every⌋: a fall by the same factor now and then.

    Differs from PyTorch: there StepLR; a function of the step.

    >>> [step_decay(t, start=1.0, gamma=0.1, every=2) for t in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    number("a schedule", 0, above=True, every=every)
    number("a schedule", step=step)
    return _power(start, gamma, step // every)


def multi_step(step: float, *, start: float, gamma: float, milestones: Sequence[float]) -> float:
    """Return start · gamma^(number of milestones that are passed).

    Differs from PyTorch: there MultiStepLR; a function of the step.

    >>> [multi_step(t, start=1.0, gamma=0.5, milestones=(1, 3)) for t in range(4)]
    [1.0, 0.5, 0.5, 0.25]
    """
    number("a schedule", infinite=True, step=step)
    for milestone in milestones:
        number("a schedule", infinite=True, milestones=milestone)
    return _power(start, gamma, sum(step >= m for m in milestones))


def exponential(step: float, *, start: float, gamma: float) -> float:
    """Return start · gammaᵗ.

    Differs from PyTorch: there ExponentialLR; a function of the step.

    >>> exponential(2, start=1.0, gamma=0.5)
    0.25
    """
    return _power(start, gamma, step)


def _power(start: float, gamma: float, n: float) -> float:
    """Return start · gammaⁿ, as floats: whole numbers would be computed in full; inf where that is too large."""
    number("a schedule", 0, gamma=gamma)
    _finite(start=start, step=n)
    try:
        return float(float(start) * float(gamma) ** float(n))
    except (OverflowError, ZeroDivisionError):  # a power of 0 below 0 is infinite too
        return math.inf * start if start else 0.0


def polynomial(step: float, *, start: float, end: float, steps: float, power: float = 1.0) -> float:
    """Return end + (start - end)(1 - t / T)^power, and `end` from step `steps` on.

    Differs from PyTorch: there PolynomialLR, which ends at 0; a function of the step.

    >>> polynomial(5, start=1.0, end=0.0, steps=10, power=2.0)
    0.25
    """
    _finite(start=start, end=end)
    number("a schedule", 0, power=power)
    return float(end + (start - end) * (1 - _progress(step, steps)) ** power)


def one_cycle(
    step: float, *, peak: float, steps: float, rise: float = 0.3, start_factor: float = 1 / 25, end_factor: float = 4e-6
) -> float:
    """Return a half cosine up to `peak` over the share `rise` of the steps, and another down (Smith & Topin 2018).

    It starts at peak · start_factor and ends at peak · end_factor at step `steps` - 1, as PyTorch's OneCycleLR.
    Differs from PyTorch: there OneCycleLR, which moves the momentum too; a function of the step.

    >>> [round(one_cycle(t, peak=1.0, steps=10), 3) for t in (0, 2, 9)]
    [0.04, 1.0, 0.0]
    """
    _finite(peak=peak, start_factor=start_factor, end_factor=end_factor)
    share("a schedule", rise=rise)
    _progress(step, steps)
    top, last = rise * steps - 1, steps - 1
    if step <= top and top > 0:
        return cosine(step, start=peak * start_factor, end=peak, steps=top)
    return cosine(step - top, start=peak, end=peak * end_factor, steps=last - top) if top < last else peak


def restarts(step: float, *, start: float, end: float, period: float, factor: float = 1.0) -> float:
    """Return a cosine from start to end again and again, each period `factor` times as long (Loshchilov & Hutter 2017).

    factor: 1 or more. After n periods period · (factorⁿ - 1) / (factor - 1) steps have passed: no loop over them.
    Differs from PyTorch: there CosineAnnealingWarmRestarts; a function of the step.

    >>> [restarts(t, start=1.0, end=0.0, period=2) for t in range(4)]
    [1.0, 0.5, 1.0, 0.5]
    """
    number("a schedule", 0, step=step)
    number("a schedule", 0, above=True, period=period)
    number("a schedule", 1, factor=factor)
    step, period, factor = float(step), float(period), float(factor)
    if factor == 1:
        return cosine(step % period, start=start, end=end, steps=period)

    def passed(n: int) -> float:
        return _power(period, factor, n) / (factor - 1) - period / (factor - 1)

    n = max(0, math.floor(math.log1p(step * (factor - 1) / period) / math.log(factor)))
    n += (step >= passed(n + 1)) - (step < passed(n))  # the logarithm's rounding
    return cosine(step - passed(n), start=start, end=end, steps=_power(period, factor, n))


def sequence(step: float, parts: Sequence[tuple[float, Callable[[float], float]]]) -> float:
    """Return the schedule of the part that the step lies in; a part is (its number of steps, schedule from its start).

    The last one goes on for ever.
    Differs from PyTorch: there SequentialLR, by milestones; a function of the step.

    >>> parts = [(2, lambda t: constant(t, start=1.0)), (4, lambda t: linear(t, start=1.0, end=0.0, steps=4))]
    >>> [sequence(t, parts) for t in range(7)]
    [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if not parts:
        raise ValueError("a sequence of schedules has one part at least")
    number("a schedule", infinite=True, step=step)
    for length, schedule in parts[:-1]:
        number("a schedule", 0, infinite=True, length=length)
        if step < length:
            return schedule(step)
        step -= length
    return parts[-1][1](step)


class Plateau:
    """A factor that falls when a metric has not improved: the one schedule that depends on more than the step.

    `update(metric)` returns the factor: it is multiplied by `factor` after `patience` updates in which the metric was
    not below its best by the share `threshold` (mode "min"; "max": above).
    Differs from PyTorch: there ReduceLROnPlateau; no cooldown, min_lr and threshold_mode.

    >>> plateau = Plateau(factor=0.5, patience=1)
    >>> [plateau.update(m) for m in (1.0, 0.9, 0.9, 0.9, 0.8)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, *, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4, mode: str = "min") -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"Plateau: mode is 'min' or 'max'; got {mode!r}")
        share(self, below=True, factor=factor)
        whole(self, patience=patience)
        number(self, 0, threshold=threshold)
        self._settings = factor, patience, threshold, mode
        self._value, self._best, self._bad = 1.0, math.inf, 0

    def update(self, metric: float) -> float:
        """Take a new value of the metric; return the factor."""
        factor, patience, threshold, mode = self._settings
        loss = metric if mode == "min" else -metric
        better = loss < self._best - threshold * abs(self._best) if math.isfinite(self._best) else loss < self._best
        self._best, self._bad = (loss, 0) if better else (self._best, self._bad + 1)
        if self._bad > patience:
            self._value, self._bad = self._value * factor, 0
        return self._value

    def state_dict(self) -> State:
        """Return what `load_state_dict` needs."""
        return {"value": self._value, "best": self._best, "bad": self._bad}

    def load_state_dict(self, state: State) -> None:
        """Go on from a state; StateDictError, and no change, if it is none."""
        try:
            value, best, bad = float(state["value"]), float(state["best"]), int(state["bad"])
            number(self, 0, value=value)
            number(self, infinite=True, best=best)
            whole(self, bad=bad)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateDictError(f"a Plateau's state has value, best and bad, three numbers: {error}") from None
        self._value, self._best, self._bad = value, best, bad
