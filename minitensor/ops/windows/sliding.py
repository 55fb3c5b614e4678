"""Windows that slide over the last axes: `unfold` reads them, its adjoint `fold` adds them back.

Convolution and pooling are these two and a matrix product or a maximum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from operator import index as integer
from typing import Any

from minitensor.backend import Array, namespace
from minitensor.op import op

__all__ = ["each", "fold", "unfold", "window_count"]

Ints = tuple[int, ...]
PerAxis = int | Sequence[int]  # one number for all axes of a window, or one for each


def each(name: str, setting: str, value: Any, n: int, least: int = 1) -> Ints:
    """Return a setting of n axes as n integers: of one for all, or of one for each.

    >>> each("conv2d", "stride", 3, 2)
    (3, 3)
    """
    if type(value) is int and value >= least:
        return (value,) * n
    if type(value) is tuple and len(value) == n and {*map(type, value)} == {int} and min(value) >= least:
        return value  # as a layer has it
    try:
        values = (integer(value),) if hasattr(value, "__index__") else tuple([integer(v) for v in value])
    except TypeError:
        values = None
    if values is None or isinstance(value, (str, bool)):
        raise TypeError(f"{name}: {setting} is an integer, or one for each of {n} axes; got {value!r}")
    if len(values) not in (1, n):
        raise ValueError(f"{name}: {setting} is one integer, or one for each of {n} axes; got {value}")
    if min(values) < least:
        raise ValueError(f"{name}: {setting} is {least} or more; got {value}")
    return values if len(values) == n else values * n


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


@op("complex")
def unfold(x: Array, size: Ints, stride: Ints, dilation: Ints) -> Array:
    """y[..., k, i] = x[..., i · stride + k · dilation]: the windows over the last axes

    (..., *lengths) -> (..., *size, *counts): `k` runs over the entries of a window, `i` over the windows, each with one
    index per axis; counts = (length - dilation (size - 1) - 1) // stride + 1. Strides and dilations are 1 if not given.
    Raises ValueError if a window does not fit.
    Differs from NumPy: there it is sliding_window_view, a view with the windows before their entries.
    Differs from PyTorch: its im2col is `mt.nn.functional.unfold`.

    >>> import minitensor as mt
    >>> mt.unfold([1, 2, 3, 4], (2,))
    Tensor int64 (2, 3): [[1 2 3] [2 3 4]]
    """
    n = len(size)
    counts, places = _places(x.shape[-n:], size, stride, dilation)
    y = namespace(x).empty((*x.shape[:-n], *size, *counts), x.dtype)
    for k, place in places:
        y[(..., *k, *(slice(None),) * n)] = x[place]
    return y


@op("complex")
def fold(x: Array, lengths: Ints, stride: Ints, dilation: Ints) -> Array:
    """y[..., j] = Σ x[..., k, i] over i · stride + k · dilation = j: windows added back, the adjoint of `unfold`

    (..., *size, *counts) -> (..., *lengths); an entry that is in no window is 0. Strides and dilations are 1 if not
    given. Raises ValueError if the counts are not those of `unfold`.
    Differs from NumPy: not there. Differs from PyTorch: its col2im is `mt.nn.functional.fold`.

    >>> import minitensor as mt
    >>> mt.fold([[1, 2, 3], [2, 3, 4]], (4,))
    Tensor int64 (4,): [1 4 6 4]
    """
    n = len(lengths)
    size = x.shape[-2 * n : -n]
    counts, places = _places(lengths, size, stride, dilation)
    if counts != tuple(x.shape[-n:]):
        raise ValueError(f"fold: {counts} windows of {size} entries fit in {lengths}; x has {tuple(x.shape[-n:])}")
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
