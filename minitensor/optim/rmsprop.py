"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params

__all__ = ["RMSprop"]


def _loop(self: RMSprop, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> None:
    """Change p in one pass."""
    none, alpha = np.empty(0, p.dtype), float(group["alpha"])
    buffer, mean = moments[1] if group["momentum"] else none, moments[-1] if group["centered"] else none
    settings = (float(group[name]) for name in ("eps", "momentum", "lr"))
    numbers = np.array((float(group["weight_decay"]), alpha, 1 - alpha, *settings), p.dtype)
    loops.rmsprop(*lines(p, g, moments[0], buffer, mean), numbers)


class RMSprop(Optimizer):
    """Gradients divided by their root mean square (Tieleman & Hinton 2012; centered: Graves 2013), as in PyTorch.

        g ← g + weight_decay p
        v ← α v + (1 - α) g²            (centered: the variance v - a², with a ← α a + (1 - α) g)
        b ← momentum b + g / (√v + eps)
        p ← p - lr b

    Differs from PyTorch: no maximize, foreach, capturable and differentiable.

    >>> from minitensor import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([x], lr=0.01)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor float32 (1,) requires_grad: [0.9]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        settings = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"momentum": momentum, "centered": centered})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the mean square, and what momentum and centering need."""
        return (
            "square_avg",
            *(("momentum_buffer",) if group["momentum"] else ()),
            *(("grad_avg",) if group["centered"] else ()),
        )

    @in_one_pass(_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (s, decayed) = namespace(p), scratch
        alpha, v = float(group["alpha"]), moments[0]
        if group["weight_decay"]:
            xp.multiply(p, float(group["weight_decay"]), out=decayed)
            decayed += g
            g = decayed
        xp.multiply(g, g, out=s)
        s *= 1 - alpha
        v *= alpha
        v += s
        if group["centered"]:
            a = moments[-1]
            xp.subtract(g, a, out=s)
            s *= 1 - alpha
            a += s
            xp.multiply(a, a, out=s)
            xp.subtract(v, s, out=s)
            xp.sqrt(s, out=s)
        else:
            xp.sqrt(v, out=s)
        s += float(group["eps"])
        xp.divide(g, s, out=s)
        if group["momentum"]:
            b = moments[1]
            b *= float(group["momentum"])
            b += s
            s[...] = b
        s *= float(group["lr"])
        p -= s
