"""What an observer cannot see as a call, told to it: copies of an array, and values that leave for Python.

Observers that do not listen (the profiler) hear nothing; ONNX export does.
"""

from __future__ import annotations

from typing import Any

from minitensor.graph import Variable, state

__all__ = ["copied", "leaves", "same"]

Array = Any


def same(old: Array, new: Array) -> Array:
    """Return `new`, having said that it holds the values of `old`, perhaps in another dtype."""
    listen = getattr(state.observer, "same", None)
    if listen is not None:
        listen(old, new)
    return new


def copied(x: Array) -> Array:
    """Return a copy of an array.

    >>> import numpy as np
    >>> copied(np.ones(2)).tolist()
    [1.0, 1.0]
    """
    return same(x, x.copy())


def leaves(x: Variable, door: str) -> None:
    """Say that the values of a Tensor go where no call follows them."""
    listen = getattr(state.observer, "leaves", None)
    if listen is not None:
        listen(x, door)
