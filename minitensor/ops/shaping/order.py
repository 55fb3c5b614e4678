"""The order of entries along axes: reversed, turned, shifted round."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as integer

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.shaping.shape import axes_of, swapaxes, whole

__all__ = ["flip", "fliplr", "flipud", "roll", "rot90"]


@op("view", public="flip")
def flip(x: Array, axis: int | Sequence[int] | None = None) -> Array:
    """y[..., i, ...] = x[..., n - 1 - i, ...] along the axes, along all of them for None

    A view; a number has one lane. Raises ValueError if an axis is named twice, IndexError if it is not there.
    Differs from NumPy: a number has axis 0. Differs from PyTorch: there the axes are not optional, the result a copy.

    >>> import minitensor as mt
    >>> mt.flip([[1, 2], [3, 4]], 1)
    Tensor int64 (2, 2): [[2 1] [4 3]]
    """
    axes = range(x.ndim) if axis is None else axes_of("flip", axis, x.ndim or 1)
    turned = tuple([slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim)])
    return x[turned] if axes and turned else x


flip.vjp(x=lambda g, axis: flip(g, axis=axis))


def _has_axes(name: str, x: Array, least: int) -> None:
    if len(x.shape) < least:
        raise ValueError(f"{name} takes {('one axis', 'two axes')[least - 1]} or more; got shape {tuple(x.shape)}")


@composite("moves", public="fliplr")
def fliplr(x: Array) -> Array:
    """y[i, j, ...] = x[i, m - 1 - j, ...]: columns from right to left

    (n, m, ...) -> (n, m, ...), a view. Raises ValueError for fewer than two axes.

    >>> import minitensor as mt
    >>> mt.fliplr([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[2 1] [4 3]]
    """
    _has_axes("fliplr", x, 2)
    return flip(x, axis=1)


@composite("moves", public="flipud")
def flipud(x: Array) -> Array:
    """y[i, ...] = x[n - 1 - i, ...]: rows from bottom to top

    (n, ...) -> (n, ...), a view. Raises ValueError for a number.

    >>> import minitensor as mt
    >>> mt.flipud([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[3 4] [1 2]]
    """
    _has_axes("flipud", x, 1)
    return flip(x, axis=0)


@composite("moves", public="rot90")
def rot90(x: Array, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    """y = x turned k times by 90 degrees, from the first of two axes towards the second

    A view. Raises ValueError unless two different axes are named, IndexError for one that is not there.

    >>> import minitensor as mt
    >>> mt.rot90([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[2 4] [1 3]]
    """
    _has_axes("rot90", x, 2)
    if len(axes) != 2:
        raise ValueError(f"rot90: a plane has two axes; got {axes}")
    a, b = axes_of("rot90", axes, len(x.shape))
    turns = integer(k) % 4
    if turns == 2:
        return flip(x, axis=(a, b))
    if turns == 1:
        return swapaxes(flip(x, axis=b), axis1=a, axis2=b)
    return flip(swapaxes(x, axis1=a, axis2=b), axis=b) if turns else flip(x, axis=())


@op("complex", public="roll")
def roll(x: Array, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
    """y[..., (i + shift) mod n, ...] = x[..., i, ...]: entries that leave at one end come in at the other

    Any shape, the same out. With `axis` None the entries are shifted as one row. Tuples shift several axes; an axis
    that is named twice is shifted by the sum. Raises ValueError if shifts and axes do not match, IndexError for an
    axis that is not there.
    Differs from NumPy: a number has axis 0. Differs from PyTorch: likewise; one shift serves several axes.

    >>> import minitensor as mt
    >>> mt.roll([1, 2, 3, 4], 1)
    Tensor int64 (4,): [4 1 2 3]
    """
    shifts = whole(shift)
    if axis is None:
        return namespace(x).roll(x, sum(shifts))
    named = whole(axis)
    if len(shifts) != len(named) and 1 not in (len(shifts), len(named)):
        raise ValueError(f"roll: one shift for each axis; got shift={shift} and axis={axis}")
    count = max(len(shifts), len(named)) if shifts and named else 0
    axes = tuple([axes_of("roll", a, x.ndim or 1)[0] for a in named])
    pairs = zip((shifts * count)[:count], (axes * count)[:count], strict=True)
    total: dict[int, int] = {}
    for s, a in pairs:
        total[a] = total.get(a, 0) + s
    return namespace(x).roll(x, tuple(total.values()), tuple(total)) if total and x.ndim else x.copy()


roll.vjp(x=lambda g, shift, axis: roll(g, shift=[-s for s in whole(shift)], axis=axis))
