"""How loops get at arrays: as they lie in memory, and several threads each with a share of the rows."""

from itertools import pairwise
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Loop
from minitensor.threads import LEAST, get_num_threads, shared

__all__ = ["BLOCK", "flat", "flat_as", "packed", "share"]

Array = np.ndarray[Any, Any]
BLOCK = 1024  # terms that are added up in the dtype of the arrays: the error of a few roundings, in vectors


def packed(x: Array) -> Array:
    """Return x with its entries in order in memory, where they can be written to: itself, or a copy."""
    return x if x.flags.carray else np.array(x, order="C")


def flat(x: Array) -> Array:
    """Return the entries in the order in which they lie in memory, which is also that of `np.empty_like(x)`.

    >>> flat(np.arange(6).reshape(2, 3).T).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    y = x.ravel(order="K")
    if not y.flags.owndata:
        return packed(y)
    copy = np.empty_like(x)  # there are gaps: NumPy would copy in an order of its own
    copy[...] = x
    return copy.ravel(order="K")


def flat_as(g: Array, x: Array) -> Array:
    """Return the entries of g in the order of `flat(x)`."""
    if g.strides == x.strides:
        return flat(g)
    y = np.empty_like(x)
    y[...] = g
    return flat(y)


def share(loop: Loop, arrays: tuple[Array, ...], *rest: Any, blocks: tuple[Array, ...] = (), rows: int = 1) -> None:
    """Run loop(*arrays, *blocks, *rest), several threads each on a part of the first axis, if that is worth it.

    rows: a part is a multiple of so many rows; `blocks` are arrays with one entry for each, such as their sums. So
    nothing depends on the number of threads.
    """
    units = -(-len(arrays[0]) // rows)
    entries = max([a.size for a in arrays])
    count = min(get_num_threads(), units) if entries >= 2 * LEAST else 1
    if count < 2:
        loop(*arrays, *blocks, *rest)
        return

    def work(parts: Any) -> None:
        for a, b in parts:
            loop(*(x[a * rows : b * rows] for x in arrays), *(x[a:b] for x in blocks), *rest)

    shared(work, list(pairwise(units * k // count for k in range(count + 1))), entries)
