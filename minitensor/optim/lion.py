"""Lion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params

__all__ = ["Lion"]


def _loop(self: Lion, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> Any:
    """Change p in one pass."""
    lr, (beta1, beta2) = float(group["lr"]), group["betas"]
    numbers = (1 - lr * float(group["weight_decay"]), 1 - beta1, 1 - beta2, lr)
    return loops.lion(*lines(p, g, *moments), np.array(numbers, p.dtype))


class Lion(Optimizer):
    """The sign of an interpolated momentum, with decoupled weight decay (Chen et al. 2023, algorithm 2).

        p ← p - lr (sign(β₁ m + (1 - β₁) g) + weight_decay p)
        m ← β₂ m + (1 - β₂) g

    Every entry moves by lr, so lr is 3 to 10 times smaller than AdamW's, and weight_decay as much larger.

    >>> from minitensor import Tensor
    >>> x = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = Lion([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor float32 (2,) requires_grad: [ 0.9 -1.9]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the momentum."""
        return ("exp_avg",)

    @in_one_pass(_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (m,), (s, t), (beta1, beta2) = namespace(p), moments, scratch, group["betas"]
        lr = float(group["lr"])
        xp.subtract(g, m, out=s)  # β m + (1 - β) g = m + (1 - β)(g - m)
        xp.multiply(s, 1 - beta1, out=t)
        t += m
        xp.sign(t, out=t)
        p *= 1 - lr * float(group["weight_decay"])
        t *= lr
        p -= t
        s *= 1 - beta2
        m += s
