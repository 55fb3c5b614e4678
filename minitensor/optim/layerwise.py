"""LARS and LAMB: steps as long as the parameter is large, layer by layer, for large batches."""

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

__all__ = ["LAMB", "LARS"]


def _ratio(p: Array, u: Array) -> Array:
    """Return ‖p‖ / ‖u‖, and 1 where either is 0, as a 0-d array."""
    xp = namespace(p)
    wide = p.dtype if p.dtype.itemsize > 4 else "float32"
    a, b = (xp.sqrt(xp.sum(xp.square(x, dtype=wide))) for x in (p, u))
    return xp.where((a > 0) & (b > 0), a / xp.where(b > 0, b, 1), 1).astype(p.dtype)


def _quotient(p: Array, g: Array, joined: float = 0.0) -> float | None:
    """Return ‖p‖ / ‖g + joined p‖, 1 where either is NaN, None where either is 0."""
    totals = np.empty(2)
    loops.lengths(p, g, joined, totals)
    if not totals.all():
        return None
    return math.sqrt(totals[0]) / math.sqrt(totals[1]) if (totals > 0).all() else 1.0


def _lars(self: LARS, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> Any:
    """Change p in two passes, the first for the norms; the loop of momentum has no nesterov with a scaled gradient."""
    if group["nesterov"]:
        return NotImplemented
    decay, lr, flat = float(group["weight_decay"]), float(group["lr"]), lines(p, g, *moments)
    share, quotient = 1.0, _quotient(flat[0], flat[1], decay) if p.ndim > 1 else None
    if quotient is not None:
        share = quotient * float(group["trust_coefficient"])
        share = min(share / lr if lr else 1.0, 1.0) if group["clip"] else share
    return loops.momentum(*flat, np.array((decay, group["momentum"], share, False, lr), p.dtype))


def _lamb(self: LAMB, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int) -> None:
    """Change p in three passes: the direction, its norm, and the step."""
    flat, (beta1, beta2) = lines(p, g, *moments), group["betas"]
    root = math.sqrt(1 - beta2**step)
    rates = float(group["weight_decay"]), 1 - beta1, 1 - beta2, float(group["eps"]) * root, root / (1 - beta1**step)
    r = np.empty_like(flat[0])
    loops.lamb(r, *flat, np.array(rates, p.dtype))
    quotient = _quotient(flat[0], r)
    loops.lerp(flat[0], r, 1.0, -float(group["lr"]) * (1.0 if quotient is None else quotient))


class LARS(Optimizer):
    """SGD with momentum, each parameter's gradient brought to the parameter's length (You et al. 2017, algorithm 1).

        g ← g + weight_decay p
        r = trust_coefficient ‖p‖ / ‖g‖          for parameters of two axes or more; 1 where a norm is 0
        g ← r g                                  (clip: min(r / lr, 1) g, so that lr is the longest rate)
        b ← momentum b + g
        p ← p - lr b                             (nesterov: p - lr (g + momentum b))

    Biases and the scales of norms (one axis) keep their gradient, as in the published code of BYOL and VICReg; give
    them no weight decay by `decay_groups`. Those with `clip` divide by ‖g‖ + weight_decay ‖p‖, before the decay.

    >>> from minitensor.nn import Linear
    >>> LARS(Linear(3, 4).parameters(), lr=0.3).param_groups[0]["trust_coefficient"]
    0.001
    """

    layerwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        clip: bool = False,
        nesterov: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        settings |= {"trust_coefficient": trust_coefficient, "clip": clip, "nesterov": nesterov}
        super().__init__(params, settings)

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the momentum's buffer."""
        return ("momentum_buffer",)

    @in_one_pass(_lars)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        xp, lr, momentum = namespace(p), float(group["lr"]), float(group["momentum"])
        g = g + float(group["weight_decay"]) * p
        if p.ndim > 1:
            r = _ratio(p, g) * float(group["trust_coefficient"])
            if group["clip"]:
                r = xp.minimum(r / lr if lr else 1, 1)
            zero = (xp.sum(p * p) == 0) | (xp.sum(g * g) == 0)
            g = g * xp.where(zero, 1, r).astype(p.dtype)
        (b,) = moments
        b *= momentum
        b += g
        p -= lr * (g + momentum * b if group["nesterov"] else b)


class LAMB(Optimizer):
    """Adam's direction, brought to each parameter's length (You et al. 2020, algorithm 2, with φ(z) = z).

        m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²
        r = (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps) + weight_decay p
        p ← p - lr ‖p‖ / ‖r‖ r               (1 where a norm is 0)


    >>> from minitensor.nn import Linear
    >>> LAMB(Linear(3, 4).parameters())
    LAMB(2 parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-06, weight_decay=0.0)
    """

    layerwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the means of the gradient and of its square."""
        return ("exp_avg", "exp_avg_sq")

    @in_one_pass(_lamb)
    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        (m, v), (beta1, beta2) = moments, group["betas"]
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        d = namespace(p).sqrt(v) * (1 / math.sqrt(1 - beta2**step)) + float(group["eps"])
        r = m / d * (1 / (1 - beta1**step)) + float(group["weight_decay"]) * p
        p -= float(group["lr"]) * _ratio(p, r) * r
