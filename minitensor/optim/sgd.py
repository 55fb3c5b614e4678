"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minitensor.backend import namespace
from minitensor.optim.optimizer import Optimizer

__all__ = ["SGD"]

Array = Any


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
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum, and no dampening")
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening}
        super().__init__(params, settings | {"weight_decay": weight_decay, "nesterov": nesterov})

    def moments(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Return the momentum's buffer, if there is momentum."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: dict[str, Any], step: int, scratch: Sequence[Array]
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
