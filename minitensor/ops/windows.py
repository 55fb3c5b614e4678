"""Windows that slide over the last axes: `unfold` reads them, its adjoint `fold` adds them back.

Convolution and pooling are these two and a matrix product or a maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from minitensor.backend import namespace
from minitensor.op import op

__all__ = ["fold", "unfold", "window_count"]

Array = Any
Ints = tuple[int, ...]


def window_count(length: int, size: int, stride: int, dilation: int) -> int:
    """How many windows of `size` entries, `dilation` apart, fit at steps of `stride`.

    >>> window_count(8, 3, 2, 1)
    3
    """
    return (length - dilation * (size - 1) - 1) // stride + 1


def _places(
    lengths: Ints, size: Ints, stride: Ints, dilation: Ints
) -> tuple[Ints, Iterator[tuple[Ints, tuple[Any, ...]]]]:
    """Return the number of windows per axis, and for each entry of a window where its values stand in x."""
    counts = tuple(window_count(*args) for args in zip(lengths, size, stride, dilation, strict=True))
    if min(counts, default=1) < 1:
        raise ValueError(f"windows of {size} entries, {dilation} apart, do not fit in axes of length {lengths}")
    places = (
        (
            k,
            (
                ...,
                *(
                    slice(i * d, i * d + s * (n - 1) + 1, s)
                    for i, d, s, n in zip(k, dilation, stride, counts, strict=True)
                ),
            ),
        )
        for k in product(*map(range, size))
    )
    return counts, places


@op
def unfold(x: Array, *, size: Ints, stride: Ints, dilation: Ints) -> Array:
    """y[..., k, i] = x[..., i · stride + k · dilation]: (..., *lengths) -> (..., *size, *counts)

    `k` runs over the entries of a window, `i` over the windows, each with one index per axis.
    """
    n = len(size)
    counts, places = _places(x.shape[-n:], size, stride, dilation)
    y = namespace(x).empty((*x.shape[:-n], *size, *counts), x.dtype)
    for k, place in places:
        y[(..., *k, *(slice(None),) * n)] = x[place]
    return y


@op
def fold(x: Array, *, lengths: Ints, stride: Ints, dilation: Ints) -> Array:
    """y[..., j] = Σ x[..., k, i] over i · stride + k · dilation = j: the adjoint of `unfold`"""
    n = len(lengths)
    size = x.shape[-2 * n : -n]
    _, places = _places(lengths, size, stride, dilation)
    y = namespace(x).zeros((*x.shape[: -2 * n], *lengths), x.dtype)
    for k, place in places:
        y[place] += x[(..., *k, *(slice(None),) * n)]
    return y


unfold.vjp(
    x=lambda g, x_shape, size, stride, dilation: fold(
        g, lengths=x_shape[-len(size) :], stride=stride, dilation=dilation
    )
)
fold.vjp(
    x=lambda g, x_shape, lengths, stride, dilation: unfold(
        g, size=x_shape[-2 * len(lengths) : -len(lengths)], stride=stride, dilation=dilation
    )
)
