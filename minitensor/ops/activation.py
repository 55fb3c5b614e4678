"""Activations that are made of other ops."""

from __future__ import annotations

import math
from typing import Any

from minitensor.composite import composite
from minitensor.ops.elementwise import erf, tanh

__all__ = ["gelu"]

Array = Any


@composite
def gelu(x: Array, *, approximate: str = "none") -> Array:
    """y = x Φ(x), Φ the normal distribution (Hendrycks & Gimpel 2016); approximate="tanh" is their closed form"""
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise ValueError(f"gelu: approximate is 'none' or 'tanh'; got {approximate!r}")
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))
