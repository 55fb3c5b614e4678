"""What a reduction settles before it starts: over which axes it runs, and in which dtype it adds up."""

from __future__ import annotations

import math
import operator

import numpy as np
from numpy.exceptions import AxisError

from minitensor.backend import Array, is_half

__all__ = ["Axis", "accumulator", "along", "kept", "length", "reduced", "wide"]

Axis = int | tuple[int, ...] | None


def reduced(name: str, axis: Axis, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that are meant, from 0 up: None is all of them; a single number has no axis, or is one lane.

    >>> reduced("sum", (0, -1), (2, 3, 4))
    (0, 2)
    """
    if axis is None:
        return tuple(range(len(shape)))
    n, found = max(len(shape), 1), []
    for a in axis if isinstance(axis, (tuple, list)) else (axis,):
        if isinstance(a, bool) or not hasattr(a, "__index__"):
            raise TypeError(f"{name}: axis is None, an integer or a tuple of integers; got {axis!r}")
        i = operator.index(a)
        if not -n <= i < n:
            raise AxisError(f"{name}: axis {i} is out of bounds for shape {shape}: use {-n} to {n - 1}")
        found.append(i % n)
    if len(set(found)) < len(found):
        raise ValueError(f"{name}: axis {axis} names an axis of shape {shape} twice: name each once")
    return tuple(found) if shape else ()


def kept(name: str, axis: Axis, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with 1 on the reduced axes, in which a result broadcasts against its argument."""
    axes = reduced(name, axis, shape)
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def length(name: str, axis: Axis, shape: tuple[int, ...]) -> int:
    """Return how many entries go into each result."""
    return math.prod([shape[a] for a in reduced(name, axis, shape)])


def along(name: str, axis: int | None, shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Return in which shape, along which axis and to which shape a function of one axis runs; None flattens."""
    if axis is None:
        return (math.prod(shape),), 0, (math.prod(shape),)
    if isinstance(axis, (tuple, list)):
        raise TypeError(f"{name}: axis is one integer, or None for all entries in a row; got {axis!r}")
    axes = reduced(name, axis, shape)
    return (shape, axes[0], shape) if axes else ((1,), 0, ())


def accumulator(dtype: np.dtype) -> np.dtype | str:
    """Return the dtype to add up in: half precision in float32, bools and integers in int64."""
    return "float32" if is_half(dtype) else "int64" if dtype.kind in "biu" else dtype


def wide(x: Array) -> Array:
    """Return half precision as float32, anything else as it is."""
    return x.astype("float32") if is_half(x.dtype) else x
