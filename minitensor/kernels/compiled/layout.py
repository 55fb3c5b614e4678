"""How loops get at arrays: as they lie in memory, and several threads each with a share of the rows."""

from itertools import pairwise
from typing import Any

import numpy as np

from minitensor.kernels.compiled.compiler import Loop, compiled
from minitensor.kernels.compiled.lanes import WIDTH, line, transposed
from minitensor.threads import LEAST, get_num_threads, shared

__all__ = ["BLOCK", "flat", "flat_as", "packed", "share", "to_last", "turned", "unsigned"]

Array = np.ndarray
BLOCK = 1024  # terms that are added up in the dtype of the arrays: the error of a few roundings, in vectors


def packed(x: Array) -> Array:
    """Return x with its entries in order in memory, where they can be written to: itself, or a copy."""
    return x if x.flags.carray else np.array(x, order="C")


square = line(transposed, WIDTH)


@compiled
def swap(x: Array, y: Array) -> None:
    """y (n, b, a) of x (n, a, b), in squares that stay in registers"""
    n, rows, columns = x.shape
    a, b = x.reshape(-1), y.reshape(-1)
    for k in range(n):
        first = k * rows * columns
        for j in range(0, columns // WIDTH * WIDTH, WIDTH):
            for i in range(0, rows // WIDTH * WIDTH, WIDTH):
                square(a, first + i * columns + j, columns, b, first + j * rows + i, rows)
        for j in range(columns):
            for i in range(rows // WIDTH * WIDTH if j < columns // WIDTH * WIDTH else 0, rows):
                y[k, j, i] = x[k, i, j]


def to_last(x: Array) -> Array:
    """(n, c, h, w) -> contiguous (n, h, w, c); free if the memory is channels-last already."""
    last = x.transpose(0, 2, 3, 1)
    if last.flags.carray or not x.size or x.dtype.char not in "fd":
        return packed(last)
    y = np.empty(last.shape, x.dtype)
    share(swap, (packed(x).reshape(*x.shape[:2], -1), y.reshape(len(x), -1, x.shape[1])))
    return y


def turned(x: Array) -> Array:
    """Return a contiguous copy of the transpose of a matrix.

    >>> turned(np.arange(6.0).reshape(2, 3)).tolist()
    [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    """
    y = np.empty(x.shape[::-1], x.dtype)
    swap(packed(x)[None], y[None])
    return y


def unsigned(index: Array, n: int) -> Array:
    """Return places from -n to n - 1 as uint64, counted from the front: a loop need not ask whether one is below 0.

    >>> unsigned(np.array([2, -1]), 3).tolist()
    [2, 2]
    """
    places = packed(index.astype(np.int64, copy=False))
    return (places % n if places.min(initial=0) < 0 else places).view(np.uint64)


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
