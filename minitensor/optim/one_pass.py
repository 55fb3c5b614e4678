"""Updates in one pass over memory, by a loop compiled by Numba, beside the same in NumPy."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minitensor.backend import Array
from minitensor.kernel_sets import get_kernels

__all__ = ["by_loops", "in_one_pass", "lines"]

Update = Callable[..., None]  # (self, p, g, moments, group, step, scratch)


def by_loops(x: Any) -> bool:
    """Whether loops compiled by Numba work on such an array: NumPy's, of float32 or float64, contiguous, writable.

    >>> from minitensor import get_kernels
    >>> by_loops(np.zeros(3)) == (get_kernels() == "compiled"), by_loops(np.zeros(3, int))
    (True, False)
    """
    return get_kernels() == "compiled" and type(x) is np.ndarray and x.dtype.char in "fd" and x.flags.carray


def lines(*arrays: Any) -> list[Any]:
    """Return contiguous arrays as views of one axis."""
    return [x.reshape(-1) for x in arrays]


def in_one_pass(loop: Callable[..., Any]) -> Callable[[Update], Update]:
    """Declare that an optimizer's `update` may be done by `loop(self, p, g, moments, group, step)`.

    The update itself says what is computed; it runs for other arrays, under other kernels, and where the loop returns
    NotImplemented. A subclass with an update of its own has no loop.
    """

    def declare(update: Update) -> Update:
        @wraps(update)
        def chosen(self: Any, p: Any, g: Array, moments: Any, group: Any, step: Any, scratch: Any) -> None:
            if by_loops(p) and loop(self, p, g, moments, group, step) is not NotImplemented:
                return
            update(self, p, g, moments, group, step, scratch)

        return chosen

    return declare
