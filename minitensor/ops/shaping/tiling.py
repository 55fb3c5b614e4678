"""Repetition: each entry several times, the whole several times, a grid of every combination."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, is_array, namespace, to_numpy
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.indexing.gather import read_rows
from minitensor.ops.shaping.shape import axes_of, broadcast_to, ravel, reshape, whole
from minitensor.sums import total

__all__ = ["meshgrid", "repeat", "repeat_each", "tile"]


@op("complex")
def repeat_each(x: Array, count: int, axis: int) -> Array:
    """y[..., count · i + j, ...] = x[..., i, ...] for j < count: each slice several times, side by side"""
    return namespace(x).repeat(x, count, axis=axis)


def _summed(g: Array, x_shape: tuple[int, ...], count: int, axis: int) -> Array:
    return total(g.reshape((*x_shape[: axis + 1], count, *x_shape[axis + 1 :])), (axis + 1,))


repeat_each.vjp(x=_summed)


@composite("moves", public="repeat")
def repeat(x: Array, repeats: int | Sequence[int], axis: int | None = None) -> Array:
    """y = each slice along an axis several times, side by side; None reads x as one row

    (..., n, ...) -> (..., Σ repeats, ...): one number for all slices, or one for each. Raises ValueError for a negative
    number or another count of them, TypeError for a float, IndexError for an axis that is not there.
    Differs from PyTorch: there it is repeat_interleave; Tensor.repeat there is tile.

    >>> import minitensor as mt
    >>> mt.repeat([1, 2], 2), mt.repeat([[1], [2]], [1, 2], 0).tolist()
    (Tensor int64 (4,): [1 1 2 2], [[1], [2], [2]])
    """
    if axis is None or not x.shape:
        x, axis = ravel(x), axis or 0
    (axis,) = axes_of("repeat", axis, len(x.shape))
    given = repeats.data if isinstance(repeats, Variable) else repeats
    counts = to_numpy(given) if is_array(given) else np.asarray(given)
    counts = counts if counts.size else counts.astype(np.int64)
    if counts.dtype.kind not in "iub":
        raise TypeError(f"repeat: how often is an integer; got {repeats!r}"[:200])
    if counts.size and counts.min() < 0:
        raise ValueError(f"repeat: a slice is repeated 0 times or more; got {counts.min()}")
    if counts.shape in ((), (1,)):
        return repeat_each(x, count=int(counts.item()), axis=axis)
    if counts.shape != (x.shape[axis],):
        raise ValueError(f"repeat: one number, or one for each of {x.shape[axis]} slices; got shape {counts.shape}")
    xp = namespace(x.data if isinstance(x, Variable) else x)
    return read_rows(x, xp.asarray(np.repeat(np.arange(len(counts)), counts)), axis=axis)


def _aligned(shape: Sequence[int], reps: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    n = max(len(shape), len(reps))
    return (1,) * (n - len(shape)) + tuple(shape), (1,) * (n - len(reps)) + tuple(reps)


@op("complex", public="tile")
def tile(x: Array, reps: int | Sequence[int]) -> Array:
    """y = x laid out `reps` times along each axis, like tiles

    The shorter of shape and reps is filled with leading ones. The gradient is the sum over the tiles. Raises
    ValueError for a negative number.

    >>> import minitensor as mt
    >>> mt.tile([1, 2], (2, 2))
    Tensor int64 (2, 4): [[1 2 1 2] [1 2 1 2]]
    """
    times = whole(reps)
    if min(times, default=0) < 0:
        raise ValueError(f"tile: 0 tiles or more; got {reps}")
    return namespace(x).tile(x, times)


def _untile(g: Array, x_shape: tuple[int, ...], reps: int | Sequence[int]) -> Array:
    shape, times = _aligned(x_shape, whole(reps))
    pairs = [n for pair in zip(times, shape, strict=True) for n in pair]  # (tiles, entries) of each axis
    return total(g.reshape(pairs), tuple(range(0, len(pairs), 2))).reshape(x_shape) if pairs else g


tile.vjp(x=_untile)


@composite("moves")
def meshgrid(*xs: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """y_k[i₀, i₁, ...] = x_k[i_k]: coordinate arrays of the grid that vectors span

    k vectors (n_k,), numbers counting as (1,) -> k views (n₀, n₁, ...); "xy" exchanges the first two axes, as pictures
    have it. The views have no memory of their own and cannot be written to. Raises ValueError for other shapes.
    Differs from NumPy: no `sparse` and `copy`: views, not copies. Differs from PyTorch: there "ij" is the default.

    >>> import minitensor as mt
    >>> [y.tolist() for y in mt.meshgrid([1, 2], [3, 4], indexing="ij")]
    [[[1, 1], [2, 2]], [[3, 4], [3, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij'; got {indexing!r}")
    if any(len(x.shape) > 1 for x in xs):
        raise ValueError(f"meshgrid takes vectors; got shapes {', '.join(str(tuple(x.shape)) for x in xs)}")
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[:2] = [1, 0]  # where the axis of x_k stands
    lengths = [0] * len(xs)
    for k, x in enumerate(xs):
        lengths[order[k]] = x.shape[0] if x.shape else 1
    columns = [reshape(x, shape=[n if i == order[k] else 1 for i, n in enumerate(lengths)]) for k, x in enumerate(xs)]
    return tuple([broadcast_to(x, shape=lengths) for x in columns])
