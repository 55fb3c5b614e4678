"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params

__all__ = ["Adam", "AdamW"]


def _loop(self: Adam, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> Any:
    """Change p in one pass; without amsgrad."""
    if group["amsgrad"]:
        return NotImplemented
    (kept, joined), (beta1, beta2) = self.decay(group), group["betas"]
    root = math.sqrt(1 - beta2**step)
    size = float(group["lr"]) * root / (1 - beta1**step)
    numbers = np.array((kept, joined, 1 - beta1, 1 - beta2, float(group["eps"]) * root, size), p.dtype)
    return loops.adam(*lines(p, g, *moments), numbers)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), as in PyTorch: weight decay is part of the gradient.

        g ← g + weight_decay p
        m ← m + (1 - β₁)(g - m)
        v ← v + (1 - β₂)(g² - v)
        p ← p - lr (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps)

    amsgrad: divided by the largest v so far instead (Reddi et al. 2018).
    Differs from PyTorch: no maximize, foreach, capturable, differentiable, fused and decoupled_weight_decay (that is
    `AdamW`).

    >>> from minitensor import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor float32 (1,) requires_grad: [0.9]
    """

    fixed = {"maximize": False, "decoupled_weight_decay": False}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"amsgrad": amsgrad})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the means of the gradient and of its square."""
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))

    @in_one_pass(_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (s, decayed) = namespace(p), scratch
        (m, v, *largest), (beta1, beta2) = moments, group["betas"]
        kept, joined = self.decay(group)
        if joined:
            g = xp.add(g, xp.multiply(p, joined, out=decayed), out=decayed)
        if kept != 1:
            p *= kept
        xp.subtract(g, m, out=s)
        s *= 1 - beta1
        m += s
        xp.multiply(g, g, out=s)
        s -= v
        s *= 1 - beta2
        v += s
        if largest:
            v = xp.maximum(largest[0], v, out=largest[0])
        root = math.sqrt(1 - beta2**step)  # taken out of the fraction: a pass less
        xp.sqrt(v, out=s)
        s += float(group["eps"]) * root
        xp.divide(m, s, out=s)
        s *= float(group["lr"]) * root / (1 - beta1**step)
        p -= s

    def decay(self, group: Group) -> tuple[float, float]:
        """Return what p is multiplied by, and how much of p joins the gradient."""
        return 1.0, float(group["weight_decay"])


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient: p ← p - lr weight_decay p (Loshchilov & Hutter 2019).

    Differs from PyTorch: no maximize, foreach, capturable, differentiable and fused.

    >>> from minitensor.nn import Linear
    >>> AdamW(Linear(3, 4).parameters(), lr=1e-4)
    AdamW(2 parameters, lr=0.0001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False)
    """

    fixed = {"maximize": False, "decoupled_weight_decay": True}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def decay(self, group: Group) -> tuple[float, float]:
        """Return what p is multiplied by, and how much of p joins the gradient."""
        return 1 - float(group["lr"]) * float(group["weight_decay"]), 0.0
