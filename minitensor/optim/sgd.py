"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params, State

__all__ = ["SGD"]


def _loop(self: SGD, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> Any:
    """Change p in one pass; with momentum."""
    if not group["momentum"]:
        return NotImplemented
    share = 1 - float(group["dampening"]) if step > 1 else 1.0
    numbers = (group["weight_decay"], group["momentum"], share, group["nesterov"], group["lr"])
    return loops.momentum(*lines(p, g, *moments), np.array(numbers, p.dtype))


class SGD(Optimizer):
    """Gradient descent with momentum (Polyak 1964; Nesterov's form as in Sutskever et al. 2013), as in PyTorch.

        g ← g + weight_decay p
        b ← momentum b + (1 - dampening) g        (b ← g at the first step)
        p ← p - lr b                              (nesterov: p - lr (g + momentum b))

    Raises ValueError for a negative setting, or nesterov without momentum or with dampening.
    Differs from PyTorch: no maximize, foreach, differentiable and fused.

    >>> from minitensor import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor float32 (1,) requires_grad: [0.8]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening}
        super().__init__(params, settings | {"weight_decay": weight_decay, "nesterov": nesterov})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the momentum's buffer, if there is momentum."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def tick(self, clock: Any, group: Group) -> Any:
        """Return the number of steps with momentum: without it nothing is remembered, as in PyTorch."""
        return clock + 1 if group["momentum"] else clock

    def loaded_clock(self, entry: State) -> Any:
        """Return the clock of an entry: 1 or more where there is a buffer; PyTorch's have no step count."""
        return super().loaded_clock({"step": 1, **entry}) if "momentum_buffer" in entry else self.start

    @in_one_pass(_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (s, decayed) = namespace(p), scratch
        lr, momentum = float(group["lr"]), float(group["momentum"])
        if group["weight_decay"]:
            xp.multiply(p, float(group["weight_decay"]), out=decayed)
            decayed += g
            g = decayed
        if momentum:
            b = moments[0]
            if step == 1:
                b[...] = g
            else:
                b *= momentum
                xp.multiply(g, 1 - float(group["dampening"]), out=s)
                b += s
            if group["nesterov"]:
                xp.multiply(b, momentum, out=s)
                s += g
                g = s
            else:
                g = b
        xp.multiply(g, lr, out=s)
        p -= s
