"""Tells an observer what is no call: copies of an array, and values that are read by NumPy or Python."""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.graph import Variable, state

__all__ = ["copied", "leaves", "same"]


def same(old: Array, new: Array) -> Array:
    """Return `new`, having said that it holds the values of `old`, perhaps in another dtype."""
    if state.observer is not None:
        state.observer.same(old, new)
    return new


def copied(x: Array) -> Array:
    """Return a copy of an array.

    >>> import numpy as np
    >>> copied(np.ones(2)).tolist()
    [1.0, 1.0]
    """
    return same(x, x.copy())


def leaves(x: Variable, how: str) -> None:
    """Say that the values of a Tensor are read by NumPy or Python."""
    if state.observer is not None:
        state.observer.leaves(x, how)
