"""Dynamic loss scaling: keeps small float16 gradients from becoming 0."""

from __future__ import annotations

from typing import Any

from minitensor.backend import namespace
from minitensor.errors import StateDictError
from minitensor.optim.flat import gradient_runs
from minitensor.optim.optimizer import Optimizer
from minitensor.tensor import Tensor

__all__ = ["GradScaler"]


class GradScaler:
    """Multiplies the loss, so that gradients below float16's smallest number (6e-8) survive, and divides them again.

    The scale doubles after `growth_interval` steps without an infinite gradient; a step with one is left out, and the
    scale halves (Micikevicius et al. 2018, section 3.2). bfloat16 needs none of this.
    Differs from PyTorch (torch.amp.GradScaler): no device argument, and one optimizer.

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
        if not (init_scale > 0 and growth_factor > 1 and 0 < backoff_factor < 1):
            raise ValueError(
                f"GradScaler takes init_scale > 0, growth_factor > 1 and backoff_factor in (0, 1); "
                f"got {init_scale}, {growth_factor}, {backoff_factor}"
            )
        self._scale, self._good = float(init_scale), 0
        self.growth_factor, self.backoff_factor, self.growth_interval = growth_factor, backoff_factor, growth_interval
        self.enabled = enabled
        self._finite: bool | None = None  # of the gradients of this step; None before they were unscaled

    def get_scale(self) -> float:
        """Return the factor."""
        return self._scale if self.enabled else 1.0

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss times the scale, in float32."""
        return loss.astype("float32") * self._scale if self.enabled else loss

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale, once a step: before clipping, say."""
        if not self.enabled or self._finite is not None:
            return
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        runs = gradient_runs(parameters)
        self._finite = True
        for g in runs:
            g *= 1 / self._scale
            self._finite = self._finite and bool(namespace(g).isfinite(g).all())
        for p in parameters:
            if p.grad is not None:
                p.grad.changed()

    def step(self, optimizer: Optimizer) -> bool:
        """Unscale, and take the step if all gradients are finite; returns whether it was taken."""
        self.unscale_(optimizer)
        if self.enabled and not self._finite:
            return False
        optimizer.step()
        return True

    def update(self) -> None:
        """Grow the scale after `growth_interval` good steps, shrink it after a bad one."""
        if not self.enabled:
            return
        if self._finite is None:
            raise RuntimeError("GradScaler.update() comes after step() or unscale_()")
        self._good = self._good + 1 if self._finite else 0
        if not self._finite:
            self._scale *= self.backoff_factor
        elif self._good == self.growth_interval:
            self._scale, self._good = self._scale * self.growth_factor, 0
        self._finite = None

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs."""
        return {"scale": self._scale, "good": self._good}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        if set(state) != {"scale", "good"}:
            raise StateDictError(
                f"a GradScaler's state has scale and good; got {', '.join(sorted(state)) or 'nothing'}"
            )
        self._scale, self._good = float(state["scale"]), int(state["good"])
