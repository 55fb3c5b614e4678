"""NAdam and RAdam: two corrections of Adam's first steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.optim import loops
from minitensor.optim.one_pass import in_one_pass, lines
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params, State

__all__ = ["NAdam", "RAdam"]


class _Corrected(Optimizer):
    """What the two share: settings, decay of either kind, and Adam's two means."""

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the means of the gradient and of its square."""
        return ("exp_avg", "exp_avg_sq")

    @staticmethod
    def means(p: Array, g: Array, moments: Sequence[Array], group: Group, scratch: Sequence[Array]) -> Array:
        """Decay p or g, move both means, and return the gradient; the first scratch array is free afterwards."""
        xp, (s, decayed), (m, v), (beta1, beta2) = namespace(p), scratch, moments, group["betas"]
        if group["weight_decay"] and group["decoupled_weight_decay"]:
            p *= 1 - float(group["lr"]) * float(group["weight_decay"])
        elif group["weight_decay"]:
            xp.multiply(p, float(group["weight_decay"]), out=decayed)
            decayed += g
            g = decayed
        xp.subtract(g, m, out=s)
        s *= 1 - beta1
        m += s
        xp.multiply(g, g, out=s)
        s -= v
        s *= 1 - beta2
        v += s
        return g


def _decay(group: Group) -> tuple[float, float]:
    """Return what p is multiplied by, and what part of it joins the gradient."""
    decay = float(group["weight_decay"])
    return (1 - float(group["lr"]) * decay, 0.0) if group["decoupled_weight_decay"] else (1.0, decay)


def _nadam_loop(self: NAdam, p: Array, g: Array, moments: Sequence[Array], group: Group, step: Any) -> None:
    """Change p in one pass."""
    (count, product), (beta1, beta2), lr = step, group["betas"], float(group["lr"])
    mu, following = _mu(group, count), _mu(group, count + 1)
    root = 1 / math.sqrt(1 - beta2**count)
    sizes = lr * (1 - mu) / (1 - product), lr * following / (1 - product * following)
    numbers = np.array((*_decay(group), 1 - beta1, 1 - beta2, root, float(group["eps"]), *sizes), p.dtype)
    loops.nadam(*lines(p, g, *moments), numbers)


class NAdam(_Corrected):
    """Adam with Nesterov's momentum (Dozat 2016), as in PyTorch.

        μₜ = β₁ (1 - 0.96^(t · momentum_decay) / 2)
        m ← m + (1 - β₁)(g - m),   v ← v + (1 - β₂)(g² - v),   d = √(v / (1 - β₂ᵗ)) + eps
        p ← p - lr (1 - μₜ) / (1 - Πμ) · g / d - lr μₜ₊₁ / (1 - Πμ μₜ₊₁) · m / d        with Πμ = μ₁ ⋯ μₜ

    Differs from PyTorch: no maximize, foreach, capturable and differentiable; Πμ is a float64.

    >>> from minitensor.nn import Linear
    >>> NAdam(Linear(3, 4).parameters(), lr=1e-4).param_groups[0]["momentum_decay"]
    0.004
    """

    start = (0, 1.0)

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        more = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, settings | more)

    def tick(self, clock: Any, group: Group) -> Any:
        """Return (steps, Πμ): a product over the settings that each step had."""
        t, product = clock
        return t + 1, product * _mu(group, t + 1)

    def saved_clock(self, clock: Any) -> State:
        """Return a clock as the state dict has it."""
        return {"step": clock[0], "mu_product": clock[1]}

    def loaded_clock(self, entry: State) -> Any:
        """Return the clock of an entry of a state dict."""
        product = float(entry["mu_product"])
        if not 0 <= product <= 1:
            raise ValueError(f"mu_product={product!r} is no product of momenta")
        return super().loaded_clock(entry), product

    @in_one_pass(_nadam_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: Any, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (m, v), (step, product) = namespace(p), moments, step
        g = self.means(p, g, moments, group, scratch)
        lr, beta2 = float(group["lr"]), group["betas"][1]
        mu, following = _mu(group, step), _mu(group, step + 1)
        d = xp.sqrt(v)
        d *= 1 / math.sqrt(1 - beta2**step)
        d += float(group["eps"])
        s = scratch[0]
        xp.divide(g, d, out=s)
        s *= lr * (1 - mu) / (1 - product)
        p -= s
        xp.divide(m, d, out=s)
        s *= lr * following / (1 - product * following)
        p -= s


def _mu(group: Group, t: int) -> float:
    return float(group["betas"][0] * (1 - 0.5 * 0.96 ** (t * float(group["momentum_decay"]))))


def _radam_size(group: Group, step: int) -> tuple[float, bool]:
    """Return the length of a step, and whether it is divided by √v."""
    beta1, beta2 = group["betas"]
    size = float(group["lr"]) / (1 - beta1**step)
    limit = 2 / (1 - beta2) - 1
    rho = limit - 2 * step * beta2**step / (1 - beta2**step)
    if rho <= 5:
        return size, False
    rectified = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    return size * math.sqrt((1 - beta2**step) * rectified), True


def _radam_loop(self: RAdam, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> Any:
    """Change p in one pass, which is Adam's, once it divides."""
    size, divides = _radam_size(group, step)
    if not divides:
        return NotImplemented
    beta1, beta2 = group["betas"]
    numbers = np.array((*_decay(group), 1 - beta1, 1 - beta2, float(group["eps"]), size), p.dtype)
    return loops.adam(*lines(p, g, *moments), numbers)


class RAdam(_Corrected):
    """Adam that waits with dividing until the variance is known well enough (Liu et al. 2020), as in PyTorch.

        ρ∞ = 2 / (1 - β₂) - 1,   ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ),   m̂ = m / (1 - β₁ᵗ)
        p ← p - lr m̂                                                          while ρₜ ≤ 5
        p ← p - lr m̂ √(1 - β₂ᵗ) / (√v + eps) · √((ρₜ-4)(ρₜ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρₜ))   afterwards

    Differs from PyTorch: no maximize, foreach, capturable and differentiable.

    >>> from minitensor.nn import Linear
    >>> len(RAdam(Linear(3, 4).parameters()).param_groups)
    1
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"decoupled_weight_decay": decoupled_weight_decay})

    @in_one_pass(_radam_loop)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, (m, v), s = namespace(p), moments, scratch[0]
        self.means(p, g, moments, group, scratch)
        size, divides = _radam_size(group, step)
        if divides:
            xp.sqrt(v, out=s)
            s += float(group["eps"])
            xp.divide(m, s, out=s)
        else:
            s[...] = m
        s *= size
        p -= s
