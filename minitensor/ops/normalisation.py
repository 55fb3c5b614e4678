"""Normalisation: subtract a mean, divide by a standard deviation, scale and shift."""

from __future__ import annotations

from typing import Any

from minitensor.composite import composite
from minitensor.ops.elementwise import sqrt
from minitensor.ops.reduce import mean

__all__ = ["batch_norm", "layer_norm"]

Array = Any


@composite
def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, axes: int = 1, eps: float = 1e-5
) -> Array:
    """y = (x - mean) / √(var + eps) · w + b over the last `axes` axes, with the biased variance (Ba et al. 2016)"""
    over = tuple(range(-axes, 0))
    d = x - mean(x, axis=over, keepdims=True)
    y = d / sqrt(mean(d * d, axis=over, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@composite
def batch_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / √(var + eps) · w + b per channel, over the batch and all places (Ioffe & Szegedy 2015)

    x (n, c, ...), weight and bias (c,). Returns (y, mean, var), the biased statistics (c,) that a layer averages.
    """
    over = (0, *range(2, len(x.shape)))
    shape = (1, -1, *(1,) * (len(x.shape) - 2))
    centre = mean(x, axis=over, keepdims=True)
    d = x - centre
    spread = mean(d * d, axis=over, keepdims=True)
    y = d / sqrt(spread + eps)
    y = y if weight is None else y * weight.reshape(shape)
    y = y if bias is None else y + bias.reshape(shape)
    return y, centre.reshape((-1,)), spread.reshape((-1,))
