"""Transposed convolution: the adjoint of convolution, which spreads each entry over a window and adds up."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.shaping.border import border
from minitensor.ops.windows.convolution import Setting, batched, with_bias
from minitensor.ops.windows.sliding import PerAxis, each, fold

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _spread(
    name: str,
    n: int,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: PerAxis,
    padding: PerAxis,
    output_padding: PerAxis,
    groups: int,
    dilation: PerAxis,
) -> Array:
    if not batched(name, n, input, weight, "(in, out / groups)"):
        return _spread(name, n, input[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    s, d, p = each(name, "stride", stride, n), each(name, "dilation", dilation, n), each(name, "padding", padding, n, 0)
    more = each(name, "output_padding", output_padding, n, 0)
    (groups,) = each(name, "groups", groups, 1)
    (count, c, *lengths), (inputs, per_group, *size) = input.shape, weight.shape
    if c != inputs or c % groups:
        raise ValueError(
            f"{name}: a weight {tuple(weight.shape)} takes {inputs} channels, in {groups} equal groups; "
            f"the input {tuple(input.shape)} has {c}"
        )
    if any(m >= max(a, b) for m, a, b in zip(more, s, d, strict=True)):
        raise ValueError(f"{name}: output_padding is less than the stride {s} or the dilation {d}; got {more}")
    full = [(m - 1) * a + b * (k - 1) + 1 for m, a, b, k in zip(lengths, s, d, size, strict=True)]
    widths = [(-a, b - a) for a, b in zip(p, more, strict=True)]
    out = tuple(m + sum(w) for m, w in zip(full, widths, strict=True))
    if min(out) < 1:
        raise ValueError(f"{name}: nothing is left of {tuple(full)} places with padding {p}: the result would be {out}")
    columns = bmm(
        weight.reshape((groups, c // groups, per_group * math.prod(size))).mT,
        input.reshape((count, groups, c // groups, math.prod(lengths))),
    )  # (n, groups, out / groups · Π size, Π lengths)
    windows = columns.reshape((count, groups * per_group, *size, *lengths))
    y = fold(windows, lengths=tuple(full), stride=s, dilation=d)
    return with_bias(name, border(y, widths) if any(map(any, widths)) else y, bias)


@composite
def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
) -> Array:
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], summed over c, i and p, and b[o] added

    x (n, c, l) or (c, l), weight (c, o / groups, k), bias (o,) -> (n, o, l'); lengths and errors are those of
    `conv_transpose2d`. Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv_transpose1d(mt.Tensor([[1.0, 2.0]]), mt.Tensor([[[1.0, 10.0]]]))
    Tensor float32 (1, 3): [[ 1. 12. 20.]]
    """
    return _spread("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite
def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
) -> Array:
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], i and p with one index per axis, and b added

    The adjoint of `conv2d`. x (n, c, h, w) or (c, h, w), weight (c, o / groups, kh, kw), bias (o,) -> (n, o, h', w'),
    with h' = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + output_padding: the padding is cut off, and the
    output padding, less than stride or dilation, tells apart the h' that `conv2d` brings to one h. Raises ValueError
    for channels that weight or groups do not fit, a wide output_padding, or if nothing is left. Reference: Zeiler 2010.
    Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv_transpose2d(mt.ones((1, 1, 2, 1)), mt.ones((1, 1, 2, 2)), stride=(1, 2))
    Tensor float32 (1, 1, 3, 2): [[[[1. 1.] [2. 2.] [1. 1.]]]]
    """
    return _spread("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite
def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
) -> Array:
    """y[n, o, i·stride + p·dilation - padding] += w[c, o, p] x[n, c, i], i and p with one index per axis, and b added

    x (n, c, d, h, w) or (c, d, h, w), weight (c, o / groups, kd, kh, kw), bias (o,) -> (n, o, d', h', w'); lengths and
    errors are those of `conv_transpose2d`. Differs from PyTorch: dtypes are promoted, not refused.

    >>> import minitensor as mt
    >>> mt.nn.functional.conv_transpose3d(mt.ones((1, 2, 1, 1)), mt.ones((1, 1, 1, 1, 2)), stride=2).shape
    (1, 3, 1, 2)
    """
    return _spread("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)
