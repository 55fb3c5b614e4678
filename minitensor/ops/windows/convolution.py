"""Convolution of signals, images and volumes: windows, then one matrix product per group."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import describe
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.shaping.border import border
from minitensor.ops.windows.sliding import Ints, PerAxis, each, unfold, window_count

__all__ = ["batched", "conv1d", "conv2d", "conv3d", "same", "with_bias"]

Setting = int | tuple[int, ...]


def batched(name: str, n: int, x: Array, weight: Array, channels: str) -> bool:
    """Whether x is a batch (n, c, ...), not one example (c, ...); refuse other shapes, and empty axes."""
    if len(x.shape) not in (n + 1, n + 2):
        raise ValueError(f"{name} takes (n, c, ...) or (c, ...) with {n} axes after the channels; got {describe(x)}")
    if len(weight.shape) != n + 2:
        raise ValueError(f"{name}: the weight is {channels} and {n} lengths; got {describe(weight)}")
    if 0 in x.shape[-n:] or 0 in weight.shape[2:] or 0 in weight.shape[:1]:
        raise ValueError(f"{name}: an axis is empty: {describe(x)}, weight {describe(weight)}")
    return len(x.shape) == n + 2


def same(size: Ints, dilation: Ints) -> list[tuple[int, int]]:
    """Return the padding (before, after) of each axis with which stride 1 keeps its length."""
    total = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
    return [(t // 2, t - t // 2) for t in total]


def with_bias(name: str, y: Array, bias: Array | None) -> Array:
    """Add one number per channel to (n, c, ...)."""
    if bias is None:
        return y
    if tuple(bias.shape) != (y.shape[1],):
        raise ValueError(f"{name}: the bias has one entry for each of {y.shape[1]} channels; got {describe(bias)}")
    return y + bias.reshape((y.shape[1], *(1,) * (len(y.shape) - 2)))


def _settings(
    name: str,
    n: int,
    x: Array,
    weight: Array,
    stride: PerAxis,
    padding: PerAxis | str,
    dilation: PerAxis,
    groups: int,
) -> tuple[Ints, list[tuple[int, int]], Ints]:
    """Return strides, paddings (before, after) and dilations of each axis; refuse what does not fit."""
    stride, dilation = each(name, "stride", stride, n), each(name, "dilation", dilation, n)
    size, channels = weight.shape[2:], x.shape[1]
    (groups,) = each(name, "groups", groups, 1)
    if channels != weight.shape[1] * groups:
        raise ValueError(
            f"{name}: a weight {tuple(weight.shape)} with groups={groups} takes {weight.shape[1] * groups} channels; "
            f"the input {tuple(x.shape)} has {channels}"
        )
    if weight.shape[0] % groups:
        raise ValueError(f"{name}: the {weight.shape[0]} outputs of a weight cannot be cut into {groups} groups")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"{name}: padding is numbers, 'same' or 'valid'; got {padding!r}")
        if padding == "same" and set(stride) != {1}:
            raise ValueError(f"{name}: padding='same' is for stride 1; got stride={stride}: give numbers")
        widths = same(size, dilation) if padding == "same" else [(0, 0)] * n
    else:
        widths = [(p, p) for p in each(name, "padding", padding, n, least=0)]
    lengths = tuple(m + sum(w) for m, w in zip(x.shape[2:], widths, strict=True))
    if min(window_count(*a) for a in zip(lengths, size, stride, dilation, strict=True)) < 1:
        raise ValueError(
            f"{name}: a kernel {tuple(size)} with dilation {dilation} does not fit in {lengths}, the padded lengths of "
            f"the input {tuple(x.shape)}"
        )
    return stride, widths, dilation


def _convolve(
    x: Array, weight: Array, stride: Ints, widths: list[tuple[int, int]], dilation: Ints, groups: int
) -> Array:
    """(n, c, *lengths) with the weight (o, c / groups, *size) -> (n, o, *counts), checked before"""
    (n, *_), (o, per_group, *size) = x.shape, weight.shape
    if any(a or b for a, b in widths):
        x = border(x, widths)
    windows = unfold(x, size=tuple(size), stride=stride, dilation=dilation)  # (n, c, *size, *counts)
    counts = windows.shape[2 + len(size) :]
    entries = per_group * math.prod(size)
    columns = windows.reshape((n, groups, entries, math.prod(counts)))
    y = bmm(weight.reshape((groups, o // groups, entries)), columns)  # (n, groups, o / groups, Π counts)
    return y.reshape((n, o, *counts))


@composite
def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, i] = b[o] + Σ w[o, c, p] x[n, c, i·stride + p·dilation], a cross-correlation

    x (n, c, l) or (c, l), weight (o, c / groups, k), bias (o,) -> (n, o, l') or (o, l'); padding and errors are those
    of `conv2d`. Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv1d(mt.Tensor([[1.0, 2.0, 4.0]]), mt.Tensor([[[-1.0, 1.0]]]))
    Tensor float32 (1, 2): [[1. 2.]]
    """
    if not batched("conv1d", 1, input, weight, "(out, in / groups)"):
        return conv1d(input[None], weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)[0]
    (s,), (w,), (d,) = _settings("conv1d", 1, input, weight, stride, padding, dilation, groups)
    x = border(input, [w]) if w[0] != w[1] else input
    p = 0 if w[0] != w[1] else w[0]
    # an image one row high, for which there is a kernel
    y = conv2d(x[:, :, None], weight[:, :, None], None, stride=(1, s), padding=(0, p), dilation=(1, d), groups=groups)
    return with_bias("conv1d", y[:, :, 0], bias)


@composite
def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, i, j] = b[o] + Σ w[o, c, p, q] x[n, c, i·stride + p·dilation, j·stride + q·dilation]

    A cross-correlation. x (n, c, h, w) or (c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> (n, o, h', w'), with
    h' = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1. Settings are one number or one per axis; padding may be
    "valid" (none) or "same" (h' = h; an odd one has more after). Each group of outputs sees its group of channels.
    Raises ValueError for channels that groups or weight do not fit, a kernel larger than the padded input, "same" with
    a stride; TypeError for settings that are no integers. Reference: LeCun et al. 1989.
    Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv2d(mt.ones((1, 1, 3, 3)), mt.ones((1, 1, 2, 2)))
    Tensor float32 (1, 1, 2, 2): [[[[4. 4.] [4. 4.]]]]
    """
    if not batched("conv2d", 2, input, weight, "(out, in / groups)"):
        return conv2d(input[None], weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)[0]
    s, widths, d = _settings("conv2d", 2, input, weight, stride, padding, dilation, groups)
    if isinstance(padding, str):  # in numbers, for which there is a kernel
        even = all(a == b for a, b in widths)
        x = input if even else border(input, widths)
        return conv2d(
            x, weight, bias, stride=s, padding=tuple([a for a, _ in widths]) if even else 0, dilation=d, groups=groups
        )
    return with_bias("conv2d", _convolve(input, weight, s, widths, d, groups), bias)


@composite
def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, i] = b[o] + Σ w[o, c, p] x[n, c, i·stride + p·dilation], i and p with one index per axis

    x (n, c, d, h, w) or (c, d, h, w), weight (o, c / groups, kd, kh, kw), bias (o,) -> (n, o, d', h', w'); padding and
    errors are those of `conv2d`. Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv3d(mt.ones((1, 3, 3, 3)), mt.ones((2, 1, 3, 3, 3))).tolist()
    [[[[27.0]]], [[[27.0]]]]
    """
    if not batched("conv3d", 3, input, weight, "(out, in / groups)"):
        return conv3d(input[None], weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)[0]
    s, widths, d = _settings("conv3d", 3, input, weight, stride, padding, dilation, groups)
    return with_bias("conv3d", _convolve(input, weight, s, widths, d, groups), bias)
