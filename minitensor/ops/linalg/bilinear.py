"""The bilinear map."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.reductions.reduce import sum

__all__ = ["bilinear"]


@composite
def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Array:
    """y_k = x1ᵀ W_k x2 + b_k: (..., in1) and (..., in2) with weight (out, in1, in2), bias (out,) -> (..., out).

    The leading axes of the two inputs are the same. Raises ValueError if the lengths do not fit.

    >>> import minitensor as mt
    >>> mt.nn.functional.bilinear(mt.Tensor([1.0, 2.0]), mt.Tensor([3.0]), mt.Tensor([[[1.0], [1.0]]]))
    Tensor float32 (1,): [9.]
    """
    lead = tuple(input1.shape[:-1])
    if (
        len(weight.shape) != 3
        or not input1.shape
        or tuple(input2.shape[:-1]) != lead
        or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:])
    ):
        raise ValueError(
            "bilinear: input1 (..., in1) and input2 (..., in2) go with weight (out, in1, in2); "
            f"got {input1.shape}, {input2.shape} and {weight.shape}"
        )
    rows = math.prod(lead)
    x1, x2 = input1.reshape((rows, input1.shape[-1])), input2.reshape((rows, input2.shape[-1]))
    y = sum(bmm(x1, weight) * x2, axis=-1).T.reshape((*lead, weight.shape[0]))  # (out, rows, in2) -> (out, rows)
    return y if bias is None else y + bias
