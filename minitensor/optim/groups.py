"""Which parameters weight decay is for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["decay_groups"]


def decay_groups(parameters: Layer | Iterable[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups for an optimizer: matrices and kernels decay; biases and the scales of norms (one axis) do not.

    A parameter that is frozen is left out; a group without parameters too.
    Differs from PyTorch: it has none; one writes the two groups by hand.

    >>> from minitensor import nn
    >>> groups = decay_groups(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), 0.05)
    >>> [(len(g["params"]), g["weight_decay"]) for g in groups]
    [(1, 0.05), (3, 0.0)]
    """
    found = parameters.parameters() if isinstance(parameters, Layer) else parameters
    trained = [p for p in found if p.requires_grad]
    split = [([p for p in trained if p.ndim > 1], weight_decay), ([p for p in trained if p.ndim <= 1], 0.0)]
    return [{"params": params, "weight_decay": decay} for params, decay in split if params]
