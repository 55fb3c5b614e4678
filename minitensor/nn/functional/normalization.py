"""Normalization, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minitensor.backend import address
from minitensor.functions.operands import plain_settings, public
from minitensor.graph import describe, state
from minitensor.ops import elementwise
from minitensor.ops.nn import normalization
from minitensor.ops.nn.collective import all_sum
from minitensor.team import member
from minitensor.tensor import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]

local_response_norm = public(normalization.local_response_norm)


def _move(running: Tensor | None, batch: Tensor, momentum: float, scale: float = 1.0) -> None:
    """Set running = (1 - momentum) running + momentum · scale · batch, in place, unless a recorded call is replayed."""
    if running is not None and not state.replaying:
        running.data *= 1 - momentum
        running.data += batch.data * (momentum * scale)
        running.changed()


def _name(channels: int, weight: Tensor | None, running: Tensor | None) -> str:
    """Name a layer by its arrays, so that the parts of a batch (`data_parallel`) notice if they are in another one."""
    if member.team is None:
        return ""
    own = [running] if weight is None or weight.source is not None or not weight.requires_grad else [running, weight]
    places = [f"{address(t.data):x}" for t in own if t is not None]
    return f"the statistics of {channels} channels at {' and '.join(places) or 'no place'}"


def _move_to_samples(
    mean: Tensor | None, var: Tensor | None, y: tuple[Tensor, Tensor], momentum: float, scale: float
) -> None:
    """Move running statistics towards the means over the samples, of which these may be a part (`data_parallel`)."""
    count = int(all_sum(np.asarray(y[0].shape[0]), what=_name(y[0].shape[1], None, mean)))
    if count:
        for running, v, s in ((mean, y[0], 1.0), (var, y[1], scale)):
            _move(running, all_sum(v.detach().sum(axis=0)) / count, momentum, s)


def _nothing(input: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Return what an empty input becomes, through which the gradients are zeros."""
    shape = (-1, *(1,) * (len(input.shape) - 2))
    y = input * 1 if weight is None else input * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _check_channels(name: str, input: Tensor, channels: int, **vectors: Tensor | None) -> None:
    """Raise ValueError unless the input has channels and each vector has one entry for each of them."""
    if len(input.shape) < 2:
        raise ValueError(f"{name} takes (n, c, ...); got {describe(input)}")
    for key, v in vectors.items():
        if v is not None and v.shape != (channels,):
            raise ValueError(f"{name}: {key} has one entry for each of {channels} channels; got shape {v.shape}")


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
    All vectors are (c,). Raises ValueError for one value per channel in training, and for vectors that do not fit.
    An empty batch moves nothing. Reference: Ioffe & Szegedy 2015.

    >>> batch_norm(Tensor([[1.0], [3.0]]), None, None, training=True)
    Tensor float32 (2, 1): [[-1.] [ 1.]]
    """
    plain_settings("batch_norm", momentum=momentum, eps=eps)
    c = input.shape[1] if len(input.shape) > 1 else 0
    _check_channels(
        "batch_norm", input, c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if training:
        count = int(all_sum(np.asarray(math.prod(input.shape) // max(1, c)), what=_name(c, weight, running_mean)))
        if count == 1:
            raise ValueError(
                f"batch_norm in training needs more than one value per channel; got "
                f"{describe(input)}: use a larger batch, or eval()"
            )
        if count == 0:
            return _nothing(input, weight, bias)
        y, mean, var = normalization.batch_norm(input, weight, bias, eps=eps)
        _move(running_mean, mean, momentum)
        _move(running_var, var, momentum, count / (count - 1))
        return y
    if running_mean is None or running_var is None:
        raise ValueError("batch_norm outside training needs running_mean and running_var")
    # two vectors (c,) first, so that the images are read once: y = x a + b
    a = 1 / elementwise.sqrt(running_var + eps)
    a = a if weight is None else weight * a
    b = -running_mean * a if bias is None else bias - running_mean * a
    shape = (-1, *(1,) * (len(input.shape) - 2))
    return input * a.reshape(shape) + b.reshape(shape)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias for each channel of each sample: (n, c, ...), the same out.

    Mean and (biased) variance are the places' own, and running statistics that were passed are moved towards their
    means over the samples (with the unbiased variance); without use_input_stats the running ones are used. All vectors
    are (c,). Raises ValueError for one place per channel, and for vectors that do not fit. Reference: Ulyanov et al.
    2016.

    >>> instance_norm(Tensor([[[1.0, 3.0]]]))
    Tensor float32 (1, 1, 2): [[[-1. 1.]]]
    """
    plain_settings("instance_norm", momentum=momentum, eps=eps)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ValueError("instance_norm without use_input_stats needs running_mean and running_var")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    c = input.shape[1] if len(input.shape) > 1 else 0
    _check_channels(
        "instance_norm", input, c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    places = math.prod(input.shape[2:])
    if places == 1:
        raise ValueError(f"instance_norm needs more than one place per channel; got {describe(input)}")
    if 0 in input.shape:
        y, mean, var = _nothing(input, weight, bias), *[Tensor(np.zeros((0, c), input.dtype))] * 2
    else:
        y, mean, var = normalization.group_norm(input, weight, bias, groups=c, eps=eps)
    if running_mean is not None or running_var is not None:
        _move_to_samples(running_mean, running_var, (mean, var), momentum, places / (places - 1))
    return y


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias, with the statistics of each group of channels of a sample.

    (n, c, ...), the same out; weight and bias (c,); the variance is biased. Raises ValueError if the groups do not
    divide the channels, or hold one value in all. Reference: Wu & He 2018.

    >>> group_norm(Tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    Tensor float32 (1, 4): [[-1. 1. 0. 0.]]
    """
    plain_settings("group_norm", num_groups=num_groups)
    c = input.shape[1] if len(input.shape) > 1 else 0
    _check_channels("group_norm", input, c, weight=weight, bias=bias)
    if num_groups < 1 or c % num_groups:
        raise ValueError(f"group_norm: {c} channels cannot be cut into {num_groups} equal groups")
    if math.prod(input.shape) == num_groups:
        raise ValueError(f"group_norm needs more than one value per group; got {describe(input)}")
    if 0 in input.shape:
        return _nothing(input, weight, bias)
    return normalization.group_norm(input, weight, bias, groups=num_groups, eps=eps)[0]


def _check_last(name: str, input: Tensor, shape: tuple[int, ...], **arrays: Tensor | None) -> None:
    """Raise ValueError unless the last axes have this shape, and the arrays too."""
    if not shape:
        raise ValueError(f"{name}: normalized_shape has at least one length; got ()")
    if input.shape[-len(shape) :] != shape:
        raise ValueError(f"{name} over {shape}: the last axes differ in {describe(input)}")
    for key, v in arrays.items():
        if v is not None and v.shape != shape:
            raise ValueError(f"{name}: {key} has the shape {shape}; got {v.shape}")


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias over the last axes, whose lengths are `normalized_shape`.

    (..., *normalized_shape), the same out; weight and bias of normalized_shape; the variance is biased. Raises
    ValueError for axes or vectors that do not fit. Reference: Ba et al. 2016.

    >>> layer_norm(Tensor([[1.0, 3.0]]), (2,))
    Tensor float32 (1, 2): [[-1. 1.]]
    """
    shape = tuple(normalized_shape)
    _check_last("layer_norm", input, shape, weight=weight, bias=bias)
    return normalization.layer_norm(input, weight, bias, axes=len(shape), eps=eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return x / √(mean(x²) + eps) · weight over the last axes, whose lengths are `normalized_shape`.

    (..., *normalized_shape), the same out; weight of normalized_shape; eps None is the smallest step from 1 in the
    dtype, 1.19e-7 in float32. Raises ValueError for axes or a weight that do not fit. Reference: Zhang & Sennrich 2019.

    >>> rms_norm(Tensor([[1.0, 7.0]]), (2,))
    Tensor float32 (1, 2): [[0.2 1.4]]
    """
    shape = tuple(normalized_shape)
    _check_last("rms_norm", input, shape, weight=weight)
    return normalization.rms_norm(input, weight, axes=len(shape), eps=eps)
