"""Normalisation, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

import math

from minitensor.graph import describe
from minitensor.ops import elementwise, normalisation
from minitensor.tensor import Tensor

__all__ = ["batch_norm", "layer_norm"]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias for each channel: (n, c, ...), the same out.

    In training, mean and (biased) variance are the batch's, and running statistics that were passed are moved in place:
    running = (1 - momentum) running + momentum · batch, with the unbiased variance. Else the running ones are used.
    """
    if training:
        count = math.prod(input.shape) // max(1, input.shape[1])
        if count < 2:
            raise ValueError(
                f"batch_norm in training needs more than one value per channel; got "
                f"{describe(input)}: use a larger batch, or eval()"
            )
        y, mean, var = normalisation.batch_norm(input, weight, bias, eps=eps)
        for running, batch in ((running_mean, mean.data), (running_var, var.data * (count / (count - 1)))):
            if running is not None:
                running.data *= 1 - momentum
                running.data += batch * momentum
                running.changed()
        return y  # type: ignore[no-any-return]
    if running_mean is None or running_var is None:
        raise ValueError("batch_norm outside training needs running_mean and running_var")
    # two vectors (c,) first, so that the images are read once: y = x a + b
    a = 1 / elementwise.sqrt(running_var + eps)
    a = a if weight is None else weight * a
    b = -running_mean * a if bias is None else bias - running_mean * a
    shape = (-1, *(1,) * (len(input.shape) - 2))
    return input * a.reshape(shape) + b.reshape(shape)  # type: ignore[no-any-return]


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias over the last axes, whose lengths are `normalized_shape`."""
    axes = len(normalized_shape)
    if input.shape[-axes:] != tuple(normalized_shape):
        raise ValueError(f"layer_norm over {tuple(normalized_shape)}: the last axes differ in {describe(input)}")
    return normalisation.layer_norm(input, weight, bias, axes=axes, eps=eps)  # type: ignore[no-any-return]
