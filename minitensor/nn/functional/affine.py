"""Affine and bilinear maps, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.functions.operands import public
from minitensor.graph import describe
from minitensor.ops.linalg import bilinear as bl
from minitensor.ops.linalg import matmul as linalg
from minitensor.tensor import Tensor

__all__ = ["bilinear", "linear"]

bilinear = public(bl.bilinear)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: (..., in) with weight (out, in), bias (out,) -> (..., out).

    A weight (in,) and a bias () give (...). Raises ValueError if the last length of the input is not the weight's.
    Differs from PyTorch: operands of two dtypes are promoted.

    >>> linear(Tensor([1.0, 2.0]), Tensor([[3.0, 4.0], [5.0, 6.0]]), Tensor([0.0, 1.0]))
    Tensor float32 (2,): [11. 18.]
    """
    if not input.shape or not 1 <= len(weight.shape) <= 2 or input.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"linear: input (..., in) with weight (out, in) need the same length `in`; got input {describe(input)} "
            f"and weight {describe(weight)}"
        )
    if bias is not None and bias.shape not in ((), (1,), weight.shape[:-1]):
        raise ValueError(f"linear: bias has the shape {weight.shape[:-1]}; got {bias.shape}")
    if len(weight.shape) == 1:
        y = linalg.linear(input, weight.reshape(1, -1)).reshape(input.shape[:-1])
        return y if bias is None else y + bias
    if bias is not None and bias.shape != weight.shape[:-1]:  # one number for all outputs
        return linalg.linear(input, weight) + bias
    return linalg.linear(input, weight, bias)
