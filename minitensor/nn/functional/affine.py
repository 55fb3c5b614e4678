"""The affine map, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.ops import linalg
from minitensor.tensor import Tensor

__all__ = ["linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: (..., in) with weight (out, in), bias (out,) -> (..., out)."""
    return linalg.linear(input, weight, bias)  # type: ignore[no-any-return]
