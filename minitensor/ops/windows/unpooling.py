"""Undoing a max pool: each entry goes back to the place it came from, all others are 0."""

from __future__ import annotations

import math

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.indexing.gather import inside, integers, lanes, read_along
from minitensor.ops.windows.max_pooling import Setting, spatial
from minitensor.ops.windows.sliding import PerAxis, each

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d", "put_along"]


@op
def put_along(x: Array, index: Array, length: int) -> Array:
    """y[r, index[r, i]] = x[r, i] and 0 elsewhere: (rows, k) -> (rows, length); of several for one place one counts"""
    xp = namespace(x)
    y = xp.zeros((x.shape[0], length), x.dtype)
    y[lanes(xp, index, 1)] = x
    return y


put_along.vjp(x=lambda g, index: read_along(g, index, axis=1))


def _unpool(
    n: int,
    input: Array,
    indices: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    output_size: tuple[int, ...] | None,
) -> Array:
    name = f"max_unpool{n}d"
    lengths, lead = spatial(name, n, input), tuple(input.shape[: len(input.shape) - n])
    size, padding = each(name, "kernel_size", kernel_size, n), each(name, "padding", padding, n, least=0)
    stride = size if stride is None or stride == () else each(name, "stride", stride, n)
    out = tuple((m - 1) * s + k - 2 * p for m, k, s, p in zip(lengths, size, stride, padding, strict=True))
    if output_size is not None:
        wanted = tuple(output_size)[-n:]
        if len(output_size) not in (n, n + 2) or any(
            abs(w - m) >= s for w, m, s in zip(wanted, out, stride, strict=True)
        ):
            raise ValueError(f"{name}: output_size is {out}, less than the stride {stride} away; got {output_size}")
        out = wanted
    indices = integers(name, indices, input)
    if tuple(indices.shape) != tuple(input.shape):
        raise ValueError(f"{name}: one index for each entry of {tuple(input.shape)}; got {tuple(indices.shape)}")
    rows, length = math.prod(lead), math.prod(out)
    inside(name, indices, length, -1)
    flat = (rows, math.prod(lengths))
    return put_along(input.reshape(flat), indices.reshape(flat), length=length).reshape((*lead, *out))


@composite("moves")
def max_unpool1d(
    input: Array,
    indices: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """y[..., indices[..., i]] = x[..., i], 0 elsewhere; conventions and errors are those of `max_unpool2d`

    (n, c, l) -> (n, c, l'), or without n.

    >>> import minitensor as mt
    >>> mt.nn.functional.max_unpool1d(mt.Tensor([[3.0, 2.0]]), mt.Tensor([[1, 2]]), 2)
    Tensor float32 (1, 4): [[0. 3. 2. 0.]]
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@composite("moves")
def max_unpool2d(
    input: Array,
    indices: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """y = 0, but x's entries at the places `indices` that `max_pool2d(..., return_indices=True)` gave

    (n, c, h, w) -> (n, c, h', w'), or without n; h' = (h - 1) stride - 2 padding + kernel_size, or what `output_size`
    says, (h', w') or a whole shape. Where windows overlapped, one entry counts. Raises ValueError for indices of
    another shape or a size that no pool brings to h, IndexError for a place beyond the result (on the CPU).

    >>> import minitensor as mt
    >>> mt.nn.functional.max_unpool2d(mt.Tensor([[[5.0]]]), mt.Tensor([[[2]]]), 2)
    Tensor float32 (1, 2, 2): [[[0. 0.] [5. 0.]]]
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@composite("moves")
def max_unpool3d(
    input: Array,
    indices: Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """y = 0, but x's entries at the places `indices` that `max_pool3d(..., return_indices=True)` gave

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `max_unpool2d`.

    >>> import minitensor as mt
    >>> mt.nn.functional.max_unpool3d(mt.Tensor([[[[5.0]]]]), mt.Tensor([[[[1]]]]), (1, 1, 2))
    Tensor float32 (1, 1, 1, 2): [[[[0. 5.]]]]
    """
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
