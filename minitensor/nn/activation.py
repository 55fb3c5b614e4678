"""Activations as layers."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["GELU", "ReLU"]


class ReLU(Layer):
    """y = max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class GELU(Layer):
    """y = x Φ(x), Φ the normal distribution; approximate="tanh" is its closed form (Hendrycks & Gimpel 2016)."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Return x Φ(x)."""
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """Return which form."""
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"
