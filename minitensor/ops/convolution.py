"""2-D convolution: windows, then one matrix product per group."""

from __future__ import annotations

import math
from typing import Any

from minitensor.composite import composite
from minitensor.ops.linalg import bmm
from minitensor.ops.padding import pad
from minitensor.ops.windows import unfold

__all__ = ["conv2d", "pair"]

Array = Any


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return a setting that may be one number for both axes as two.

    >>> pair(3)
    (3, 3)
    """
    return (value, value) if isinstance(value, int) else (value[0], value[1])


@composite
def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, i, j] = b[o] + Σ w[o, c, p, q] x[n, c, i·stride + p·dilation, j·stride + q·dilation]

    A cross-correlation.
    x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> (n, o, h', w'), with
    h' = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1. PyTorch's `conv2d`.
    """
    n, c, *_ = x.shape
    o, per_group, kh, kw = weight.shape
    if c != per_group * groups or o % groups:
        raise ValueError(
            f"conv2d: a weight {weight.shape} with groups={groups} takes {per_group * groups} channels; "
            f"x {x.shape} has {c}"
        )
    ph, pw = pair(padding)
    if ph or pw:
        x = pad(x, pad_width=((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = unfold(x, size=(kh, kw), stride=pair(stride), dilation=pair(dilation))  # (n, c, kh, kw, h', w')
    *_, h, w = windows.shape
    columns = windows.reshape((n, groups, per_group * kh * kw, h * w))
    y = bmm(
        weight.reshape((groups, o // groups, math.prod((per_group, kh, kw)))), columns
    )  # (n, groups, o / groups, h' w')
    y = y.reshape((n, o, h, w))
    return y if bias is None else y + bias.reshape((o, 1, 1))
