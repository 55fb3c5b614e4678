"""Dynamic loss scaling: keeps small float16 gradients from becoming 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from minitensor.backend import is_half, namespace
from minitensor.errors import StateDictError
from minitensor.graph import describe
from minitensor.nn.base.checks import number, share, whole
from minitensor.optim.flat import gradients
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import State
from minitensor.tensor import Tensor

__all__ = ["GradScaler"]

STATE = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")


class _Turn:
    """What has happened to one optimizer since the last update."""

    def __init__(self, finite: bool | None) -> None:
        self.finite = finite  # whether all its gradients were, when they were unscaled; None if there were none
        self.stepped = False


class GradScaler:
    """Multiplies the loss, so that gradients below float16's smallest number (6e-8) survive, and divides them again.

    One iteration: `scale(loss).backward()`, for each optimizer `unscale_` (if its gradients are looked at or clipped)
    and `step`, then one `update`. A step is left out where that optimizer's gradients are not finite; the scale halves
    if any were not, and doubles after `growth_interval` updates without (Micikevicius et al. 2018, section 3.2).
    bfloat16 needs none of this.

    Raises RuntimeError for calls in another order: unscale_ or step twice before update, unscale_ after step, update or
    step before any gradient was looked at, unscale_ before anything was scaled; ValueError for gradients in float16.
    Differs from PyTorch (torch.amp.GradScaler): no device argument; `step` returns whether it was taken.

    >>> import minitensor as mt
    >>> w = mt.nn.Parameter([1.0])
    >>> optimizer, scaler = mt.optim.SGD([w], lr=0.1), mt.optim.GradScaler(init_scale=8.0)
    >>> with mt.autocast("float16"):
    ...     loss = (w * 3).sum()
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)  # unscales, and steps if every gradient is finite
    True
    >>> scaler.update()
    >>> w
    Tensor float32 (1,) requires_grad: [0.7]
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._set(init_scale, growth_factor, backoff_factor, growth_interval, 0)
        self.enabled = enabled
        self._scaled = False  # has `scale` been called?
        self._turns: WeakKeyDictionary[Optimizer, _Turn] = WeakKeyDictionary()

    def _set(self, scale: float, growth: float, backoff: float, interval: int, good: int) -> None:
        """Take all settings over, or none of them."""
        number(self, 0, above=True, scale=scale)
        number(self, 1, above=True, growth_factor=growth)
        number(self, 0, above=True, backoff_factor=backoff)
        share(self, below=True, backoff_factor=backoff)
        whole(self, 1, growth_interval=interval)
        whole(self, growth_tracker=good)
        self._scale, self._good = float(scale), int(good)
        self.growth_factor, self.backoff_factor, self.growth_interval = float(growth), float(backoff), int(interval)

    def get_scale(self) -> float:
        """Return the factor."""
        return self._scale if self.enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self.enabled

    def scale(self, loss: Any) -> Any:
        """Return the loss times the scale, or several in a list or tuple; a half-precision one becomes float32."""
        if not self.enabled:
            return loss
        self._scaled = True
        if isinstance(loss, (list, tuple)):
            return type(loss)(map(self.scale, loss))
        if not isinstance(loss, Tensor):
            raise ValueError(f"GradScaler.scale takes a Tensor, or a list of them; got {describe(loss)}")
        return (loss.astype("float32") if is_half(loss.dtype) else loss) * self._scale

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide an optimizer's gradients by the scale, once between two updates: before clipping, say."""
        if not self.enabled:
            return
        if (turn := self._turns.get(optimizer)) is not None:
            raise RuntimeError(
                "GradScaler.unscale_() is being called after step()"
                if turn.stepped
                else "GradScaler.unscale_() has already been called on this optimizer since the last update()"
            )
        if not self._scaled:
            raise RuntimeError("GradScaler.unscale_() before scale(): backward goes through scaler.scale(loss)")
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if any(p.grad.dtype == "float16" for p in parameters):
            raise ValueError("GradScaler cannot unscale gradients in float16: keep the parameters in float32")
        found = gradients(parameters)
        for g in found:
            g *= 1 / self._scale
        for p in parameters:
            p.grad.changed()
        finite = [bool(namespace(g).isfinite(g).all()) for g in found]
        self._turns[optimizer] = _Turn(all(finite) if finite else None)

    def step(self, optimizer: Optimizer) -> bool:
        """Unscale, if that was not done, and take the step if all gradients are finite; returns whether it was."""
        if self.enabled:
            if optimizer not in self._turns:
                self.unscale_(optimizer)
            turn = self._turns[optimizer]
            if turn.stepped:
                raise RuntimeError(
                    "GradScaler.step() has already been called on this optimizer since the last update()"
                )
            if turn.finite is None:
                raise RuntimeError("GradScaler.step(): no parameter of this optimizer has a gradient")
            turn.stepped = True
            if not turn.finite:
                return False
        optimizer.step()
        return True

    def update(self, new_scale: float | None = None) -> None:
        """End an iteration: grow the scale after `growth_interval` good ones, shrink it after a bad one, or set it."""
        if not self.enabled:
            return
        if new_scale is not None:
            number(self, 0, above=True, new_scale=new_scale)
            self._scale = float(new_scale)
        else:
            finite = [turn.finite for turn in self._turns.values() if turn.finite is not None]
            if not finite:
                raise RuntimeError("GradScaler.update() comes after step() or unscale_(): no gradient was looked at")
            self._good = self._good + 1 if all(finite) else 0
            if not self._good:
                self._scale *= self.backoff_factor
            elif self._good == self.growth_interval:
                self._good = 0
                if math.isfinite(self._scale * self.growth_factor):
                    self._scale *= self.growth_factor
        self._turns.clear()

    def state_dict(self) -> State:
        """Return what `load_state_dict` needs, under PyTorch's names."""
        values = (self._scale, self.growth_factor, self.backoff_factor, self.growth_interval, self._good)
        return dict(zip(STATE, values, strict=True))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, PyTorch's too; a scaler that is not enabled takes none."""
        if not self.enabled:
            return
        if not isinstance(state, Mapping) or set(state) != set(STATE):
            got = ", ".join(map(str, state)) if isinstance(state, Mapping) else f"a {type(state).__name__}"
            raise StateDictError(f"a GradScaler's state has {', '.join(STATE)}; got {got or 'nothing'}")
        try:
            self._set(*(state[name] for name in STATE))
        except (TypeError, ValueError) as error:
            raise StateDictError(f"the state does not fit: {error}") from None

    def __getstate__(self) -> State:
        if len(self._turns):
            raise RuntimeError("a GradScaler is copied or pickled between iterations: after update()")
        return {k: v for k, v in self.__dict__.items() if k != "_turns"}

    def __setstate__(self, state: State) -> None:
        self.__dict__.update(state)
        self._turns = WeakKeyDictionary()
