"""Adagrad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params

__all__ = ["Adagrad"]


def _loop(self: Adagrad, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> None:
    """Change p in one pass."""
    if step == 1:
        moments[0][...] = float(group["initial_accumulator_value"])
    size = float(group["lr"]) / (1 + (step - 1) * float(group["lr_decay"]))
    numbers = np.array((float(group["weight_decay"]), float(group["eps"]), size), p.dtype)
    loops.adagrad(*lines(p, g, *moments), numbers)


class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all their squares so far (Duchi et al. 2011), as in PyTorch.

        g ← g + weight_decay p
        v ← v + g²                       (v starts at initial_accumulator_value)
        p ← p - lr / (1 + (t - 1) lr_decay) · g / (√v + eps)

    Differs from PyTorch: no maximize, foreach, differentiable and fused.

    >>> from minitensor import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor float32 (1,) requires_grad: [0.9]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        settings = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"initial_accumulator_value": initial_accumulator_value})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the sum of squares."""
        return ("sum",)

    @in_one_pass(_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (s, decayed) = namespace(p), scratch
        v = moments[0]
        if step == 1:
            v[...] = float(group["initial_accumulator_value"])
        if group["weight_decay"]:
            xp.multiply(p, float(group["weight_decay"]), out=decayed)
            decayed += g
            g = decayed
        xp.multiply(g, g, out=s)
        v += s
        xp.sqrt(v, out=s)
        s += float(group["eps"])
        xp.divide(g, s, out=s)
        s *= float(group["lr"]) / (1 + (step - 1) * float(group["lr_decay"]))
        p -= s
