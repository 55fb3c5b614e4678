"""Activation functions, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.ops import activation, elementwise, reduce
from minitensor.tensor import Tensor

__all__ = ["gelu", "log_softmax", "relu", "softmax"]


def relu(input: Tensor) -> Tensor:
    """Return max(x, 0)."""
    return elementwise.relu(input)  # type: ignore[no-any-return]


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x); approximate="tanh" is the closed form."""
    return activation.gelu(input, approximate=approximate)  # type: ignore[no-any-return]


def softmax(input: Tensor, dim: int) -> Tensor:
    """Return e^x / Σ e^x along `dim`."""
    return reduce.softmax(input, axis=dim)  # type: ignore[no-any-return]


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Return x - ln Σ e^x along `dim`."""
    return reduce.log_softmax(input, axis=dim)  # type: ignore[no-any-return]
