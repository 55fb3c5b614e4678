"""Muon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minitensor.backend import Array, namespace
from minitensor.optim.optimizer import Optimizer
from minitensor.optim.settings import Group, Params, State

__all__ = ["Muon", "orthogonalize"]


def orthogonalize(g: Array, coefficients: Sequence[float], steps: int, eps: float) -> Array:
    """Return U S' Vᵀ for g = U S Vᵀ, with every singular value S' near 1: Newton and Schulz's iteration.

    X ← a X + (b A + c A²) X with A = X Xᵀ moves each singular value s to a s + b s³ + c s⁵. The coefficients are steep
    at 0 rather than exact at 1: five steps bring all of them into about [0.7, 1.2].

    >>> import numpy as np
    >>> x = orthogonalize(np.diag([1.0, 0.1]), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    >>> bool((0.6 < np.diag(x)).all() and (np.diag(x) < 1.3).all())
    True
    """
    a, b, c = coefficients
    xp = namespace(g)
    x = g.T if g.shape[0] > g.shape[1] else g  # the smaller product
    x = x / xp.maximum(xp.sqrt(xp.sum(x * x)), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(Optimizer):
    """Momentum, made orthogonal: a step of the same length in every direction (Jordan et al. 2024), as in PyTorch.

        b ← momentum b + (1 - momentum) g
        u = orthogonalize(g + momentum (b - g))        (nesterov; else of b)
        p ← p (1 - lr weight_decay) - lr √max(1, rows / columns) u

    For the matrices inside a network; embeddings, the last layer, biases and norms belong to AdamW.
    Differs from PyTorch: no adjust_lr_fn, it is 'original'; the iteration runs in the parameter's dtype, where
    PyTorch's runs in bfloat16.

    >>> from minitensor.nn import Linear
    >>> Muon([Linear(3, 4).weight], lr=0.02).param_groups[0]["momentum"]
    0.95
    """

    layerwise = True
    fixed = {"maximize": False, "adjust_lr_fn": "original"}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
    ) -> None:
        settings = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        more = {"ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps}
        super().__init__(params, settings | more)

    def _completed(self, group: Group) -> Group:
        group = super()._completed(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon takes matrices; got a parameter of shape {p.shape}: give it to AdamW")
        return group

    def moments(self, group: Group) -> tuple[str, ...]:
        """Return the momentum's buffer."""
        return ("momentum_buffer",)

    def state_dict(self) -> Group:
        """Return the state, with the setting that PyTorch's Muon asks a state for."""
        state = super().state_dict()
        for group in state["param_groups"]:
            group["adjust_lr_fn"] = self.fixed["adjust_lr_fn"]
        return state

    def loaded_clock(self, entry: State) -> Any:
        """Return the clock of an entry, which PyTorch does not keep, as no step depends on it."""
        return super().loaded_clock({"step": 1, **entry})

    def update(
        self, p: Array, g: Array, moments: Sequence[Array], group: Group, step: int, scratch: Sequence[Array]
    ) -> None:
        """Change p; see the class."""
        (b,), momentum, lr = moments, float(group["momentum"]), float(group["lr"])
        b += (1 - momentum) * (g - b)
        u = g + momentum * (b - g) if group["nesterov"] else b
        u = orthogonalize(u, group["ns_coefficients"], int(group["ns_steps"]), float(group["eps"]))
        p *= 1 - lr * float(group["weight_decay"])
        p -= (lr * math.sqrt(max(1.0, p.shape[0] / p.shape[1]))) * u
