"""Normalization: subtract a mean, divide by a standard deviation, scale and shift."""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import power, sqrt, square
from minitensor.ops.linalg.distance import vector_norm
from minitensor.ops.nn.collective import all_sum
from minitensor.ops.reductions.reduce import mean
from minitensor.ops.shaping.padding import pad
from minitensor.team import member

__all__ = ["batch_norm", "global_response_norm", "group_norm", "layer_norm", "local_response_norm", "rms_norm"]


def _affine(y: Array, weight: Array | None, bias: Array | None) -> Array:
    """Return y · weight + bias for each channel, axis 1."""
    shape = (-1, *(1,) * (len(y.shape) - 2))
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


@composite(autocast="float32")
def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, axes: int = 1, eps: float = 1e-5
) -> Array:
    """y = (x - mean) / √(var + eps) · w + b over the last `axes` axes, with the biased variance (Ba et al. 2016)"""
    over = tuple(range(-axes, 0))
    d = x - mean(x, axis=over, keepdims=True)
    y = d / sqrt(mean(d * d, axis=over, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@composite
def rms_norm(x: Array, weight: Array | None = None, axes: int = 1, eps: float | None = None) -> Array:
    """y = x / √(mean(x²) + eps) · w over the last `axes` axes; eps None is the dtype's own (Zhang & Sennrich 2019)"""
    if eps is None:
        eps = float(np.finfo(x.dtype if x.dtype.itemsize > 2 else np.float32).eps)
    y = x / sqrt(mean(square(x), axis=tuple(range(-axes, 0)), keepdims=True) + eps)
    return y if weight is None else y * weight


def _batch_mean(x: Array) -> Array:
    """Return the mean of each channel over the batch, of which x may be a part (`data_parallel`), and all places."""
    y = mean(x, axis=(0, *range(2, len(x.shape))), keepdims=True)
    if member.team is None:
        return y
    return all_sum(y * (x.shape[0] / float(all_sum(np.asarray(float(x.shape[0]))))))


@composite(autocast="float32")
def batch_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / √(var + eps) · w + b per channel, over the batch and all places (Ioffe & Szegedy 2015)

    x (n, c, ...), weight and bias (c,). Returns (y, mean, var), the biased statistics (c,) that a layer averages. In a
    part of a batch (`data_parallel`) they are those of the whole.
    """
    center = _batch_mean(x)
    d = x - center
    spread = _batch_mean(d * d)
    y = _affine(d / sqrt(spread + eps), weight, bias)
    return y, center.reshape((-1,)), spread.reshape((-1,))


@composite
def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, groups: int, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / √(var + eps) · w + b, each sample's channels normalized in groups (Wu & He 2018)

    x (n, c, ...), weight and bias (c,). Returns (y, mean, var), the biased statistics (n, groups). With as many groups
    as channels it is instance normalization.
    """
    n = x.shape[0]
    rows = x.reshape((n, groups, math.prod(x.shape[1:]) // groups))  # (n, groups, c/groups · places)
    center = mean(rows, axis=2, keepdims=True)
    d = rows - center
    spread = mean(d * d, axis=2, keepdims=True)
    y = _affine((d / sqrt(spread + eps)).reshape(x.shape), weight, bias)
    return y, center.reshape((n, groups)), spread.reshape((n, groups))


@composite
def local_response_norm(input: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """y = x / (k + alpha/size Σ x²)^beta, the sum over `size` neighboring channels, zeros beyond the ends.

    input (n, c, ...), the same out; channel i is in the middle, of an even size just right of it. Raises ValueError for
    fewer than 3 axes. Reference: Krizhevsky et al. 2012.

    >>> import minitensor as mt
    >>> mt.nn.functional.local_response_norm(mt.ones((1, 2, 1)), 2, alpha=2.0, beta=1.0).tolist()
    [[[0.5], [0.3333333432674408]]]
    """
    axes, c = len(input.shape), input.shape[1] if len(input.shape) > 1 else 0
    if axes < 3:
        raise ValueError(f"local_response_norm takes (n, c, ...) with at least 3 axes; got shape {input.shape}")
    around = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (axes - 2)]
    squares = pad(square(input), pad_width=around)  # (n, c + size - 1, ...)
    total = squares[:, :c]
    for i in range(1, size):
        total = total + squares[:, i : i + c]
    return input / power(total * (alpha / size) + k, float(beta))


@composite
def global_response_norm(x: Array, weight: Array, bias: Array, eps: float = 1e-6) -> Array:
    """y = w (x · r) + b + x, r = ‖x‖ / (mean of ‖x‖ over the channels + eps), ‖x‖ over all places (Woo et al. 2023)

    x (n, c, h, w), weight and bias (c,). At a channel of zeros the norm has the gradient 0.
    """
    norm = vector_norm(x, 2, (2, 3), True)  # (n, c, 1, 1)
    return _affine(x * (norm / (mean(norm, axis=1, keepdims=True) + eps)), weight, bias) + x
