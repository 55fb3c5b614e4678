"""Adaptive pooling: as many windows as the result shall have entries, whatever the input's length.

Window i of o on an axis of length m goes from ⌊i m / o⌋ to ⌈(i + 1) m / o⌉.
"""

from __future__ import annotations

from typing import Any

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import describe
from minitensor.ops.reductions.reduce import mean, sum
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.shape import broadcast_to
from minitensor.ops.windows.max_pooling import largest, spatial
from minitensor.ops.windows.sliding import Ints, each

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]  # fmt: skip

Size = int | tuple[int | None, ...]


def _size(name: str, n: int, x: Array, output_size: Size) -> Ints:
    """Return the wanted lengths: one for all axes, or one for each, None for the input's."""
    if x.dtype.kind not in "fV":
        raise TypeError(f"{name} takes floats; got {describe(x)}: use .astype('float32')")
    if isinstance(output_size, (tuple, list)) and len(output_size) == n:
        output_size = tuple([m if o is None else o for o, m in zip(output_size, x.shape[-n:], strict=True)])
    return each(name, "output_size", output_size, n, least=0)


def _bounds(m: int, out: int) -> list[tuple[int, int]]:
    return [(i * m // out, -(-(i + 1) * m // out)) for i in range(out)]


def _mean(name: str, n: int, x: Array, output_size: Size) -> Array:
    lengths, ndim = spatial(name, n, x, empty=True), len(x.shape)
    sizes = _size(name, n, x, output_size)
    if 0 in lengths and set(sizes) != {1}:
        raise ValueError(f"{name}: {describe(x)} has an empty axis, which has no {sizes} parts")
    for axis, m, out in zip(range(ndim - n, ndim), lengths, sizes, strict=True):
        before, after, at = tuple(x.shape[:axis]), tuple(x.shape[axis + 1 :]), (slice(None),) * axis
        if not m or not out:  # the mean of nothing, or nothing
            x = broadcast_to(sum(x, axis=axis, keepdims=True) * float("nan"), shape=(*before, out, *after))
        elif m % out == 0:
            x = mean(x.reshape((*before, out, m // out, *after)), axis=axis + 1)
        else:
            parts = [mean(x[(*at, slice(a, b))], axis=axis, keepdims=True) for a, b in _bounds(m, out)]
            x = concatenate(*parts, axis=axis)
    return x


def _max(name: str, n: int, x: Array, output_size: Size, return_indices: bool) -> Array:
    places = []
    for m, out in zip(spatial(name, n, x), _size(name, n, x, output_size), strict=True):
        windows = _bounds(m, out)
        longest = max([b - a for a, b in windows], default=1)
        places.append(tuple(tuple(min(a + k, b - 1) for a, b in windows) for k in range(longest)))
    return largest(x, tuple(places), return_indices)


@composite
def adaptive_avg_pool1d(input: Array, output_size: Size) -> Array:
    """y[..., i] = mean of x[..., ⌊i l/l'⌋ : ⌈(i+1) l/l'⌉]; conventions and errors are those of `adaptive_avg_pool2d`

    (n, c, l) -> (n, c, l'), or without n.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_avg_pool1d(mt.Tensor([[1.0, 2.0, 3.0]]), 2)
    Tensor float32 (1, 2): [[1.5 2.5]]
    """
    return _mean("adaptive_avg_pool1d", 1, input, output_size)


@composite
def adaptive_avg_pool2d(input: Array, output_size: Size) -> Array:
    """y[..., i, j] = the mean over rows ⌊i h/h'⌋ to ⌈(i+1) h/h'⌉ and the like columns

    (n, c, h, w) -> (n, c, h', w'), or without n; `output_size` is one number or (h', w'), None keeps a length. The mean
    of nothing is NaN, if it is one. Raises ValueError for other shapes or a size below 0, TypeError for integers.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_avg_pool2d(mt.arange(16.0).reshape(1, 4, 4), (1, 2))
    Tensor float32 (1, 1, 2): [[[6.5 8.5]]]
    """
    return _mean("adaptive_avg_pool2d", 2, input, output_size)


@composite
def adaptive_avg_pool3d(input: Array, output_size: Size) -> Array:
    """y[..., i] = the mean over places ⌊i m/m'⌋ to ⌈(i+1) m/m'⌉ of each axis

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `adaptive_avg_pool2d`.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_avg_pool3d(mt.arange(8.0).reshape(1, 2, 2, 2), (None, 1, 1)).tolist()
    [[[[1.5]], [[5.5]]]]
    """
    return _mean("adaptive_avg_pool3d", 3, input, output_size)


@composite
def adaptive_max_pool1d(input: Array, output_size: Size, return_indices: bool = False) -> Any:
    """y[..., i] = max of x[..., ⌊i l/l'⌋ : ⌈(i+1) l/l'⌉]; conventions and errors are those of `adaptive_max_pool2d`

    (n, c, l) -> (n, c, l'), or without n.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_max_pool1d(mt.Tensor([[1.0, 2.0, 3.0]]), 2)
    Tensor float32 (1, 2): [[2. 3.]]
    """
    return _max("adaptive_max_pool1d", 1, input, output_size, return_indices)


@composite
def adaptive_max_pool2d(input: Array, output_size: Size, return_indices: bool = False) -> Any:
    """y[..., i, j] = the largest entry in rows ⌊i h/h'⌋ to ⌈(i+1) h/h'⌉ and the like columns

    (n, c, h, w) -> (n, c, h', w'), or without n; `output_size` is one number or (h', w'), None keeps a length. A tie
    takes the first entry, row by row; NaN is the largest. With `return_indices` also int64 places, counted row by row
    in (h, w). Raises ValueError for other shapes, empty axes or a size below 0, TypeError for integers.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_max_pool2d(mt.arange(16.0).reshape(1, 4, 4), (1, 2))
    Tensor float32 (1, 1, 2): [[[13. 15.]]]
    """
    return _max("adaptive_max_pool2d", 2, input, output_size, return_indices)


@composite
def adaptive_max_pool3d(input: Array, output_size: Size, return_indices: bool = False) -> Any:
    """y[..., i] = the largest entry in places ⌊i m/m'⌋ to ⌈(i+1) m/m'⌉ of each axis

    (n, c, d, h, w) -> (n, c, d', h', w'), or without n; conventions and errors are those of `adaptive_max_pool2d`.

    >>> import minitensor as mt
    >>> mt.nn.functional.adaptive_max_pool3d(mt.arange(8.0).reshape(1, 2, 2, 2), (None, 1, 1)).tolist()
    [[[[3.0]], [[7.0]]]]
    """
    return _max("adaptive_max_pool3d", 3, input, output_size, return_indices)
