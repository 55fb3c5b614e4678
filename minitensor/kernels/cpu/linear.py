"""A linear layer as the three matrix products that it is, on rows, with transposes that BLAS takes as they are.

y = x Wᵀ + b      dx = g W      dW = gᵀ x      db = Σ g
"""

from __future__ import annotations

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import channel_sum
from minitensor.ops.linalg.matmul import linear

Array = np.ndarray


@linear.fused("cpu")
def linear_cpu(x: Array, weight: Array, bias: Array | None, *, needs: tuple[bool, ...]) -> Outcome:
    """Run linear; keeps nothing but its operands."""
    if not x.ndim or weight.ndim != 2 or x.shape[-1] != weight.shape[1] or not x.size or not weight.size:
        return NotImplemented
    rows = x.reshape(-1, x.shape[-1])  # (r, in)
    y = rows @ weight.T  # (r, out)
    if bias is not None:
        y += bias

    def pullback(g: Array) -> tuple[Array | None, ...]:
        gradient = g.reshape(-1, g.shape[-1])  # (r, out)
        return (
            (gradient @ weight).reshape(x.shape) if needs[0] else None,
            gradient.T @ rows if needs[1] else None,
            channel_sum(gradient) if bias is not None and needs[2] else None,
        )

    return y.reshape(*x.shape[:-1], -1), pullback
