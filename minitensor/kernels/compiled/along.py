"""An entry for each index in its lane along an axis, of arrays (a, n, b) as they lie in memory; sums in float64.

y[i, j, c] = x[i, k[i, j, c], c]      dx[i, k[i, j, c], c] += g[i, j, c]
"""

import math

import numpy as np

from minitensor.declaration import Outcome
from minitensor.kernels.compiled.compiler import compiled, real
from minitensor.kernels.compiled.layout import packed, share, unsigned
from minitensor.ops.indexing.gather import add_along, read_along

Array = np.ndarray


@compiled
def read(x: Array, y: Array, index: Array) -> None:
    """y (a, m, b) of x (a, n, b) at the index (a, m, b)"""
    a, m, b = y.shape
    for i in range(a):
        for j in range(m):
            for c in range(b):
                y[i, j, c] = x[i, index[i, j, c], c]


@compiled
def add(g: Array, y: Array, index: Array) -> None:
    """y (a, n, b) = sums of g (a, m, b) at the index (a, m, b)"""
    a, m, b = g.shape
    n = y.shape[1]
    total = np.empty((n, b), np.float64)
    for i in range(a):
        for j in range(n):
            for c in range(b):
                total[j, c] = np.float64(0.0)
        for j in range(m):
            for c in range(b):
                total[index[i, j, c], c] += g[i, j, c]
        for j in range(n):
            for c in range(b):
                y[i, j, c] = real(total[j, c])


class Lanes:
    """Arrays of one shape but for the length on an axis, as (a, n, b), and an index into it."""

    def __init__(self, shape: tuple[int, ...], axis: int, index: Array) -> None:
        axis %= len(shape)
        self.shape, self.index_shape = shape, index.shape
        self.outer = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        self.index = self._cut(unsigned(index, shape[axis]))

    def _cut(self, x: Array) -> Array:
        return x.reshape(self.outer[0], -1, self.outer[1])

    def read(self, x: Array) -> Array:
        """Return the entries at the index."""
        y = np.empty(self.index_shape, x.dtype)
        share(read, (self._cut(packed(x)), self._cut(y), self.index))
        return y

    def add(self, g: Array) -> Array:
        """Return the sums of what stands at each place."""
        y = np.empty(self.shape, g.dtype)
        share(add, (self._cut(packed(g)), self._cut(y), self.index))
        return y


def fits(dtype: np.dtype, shape: tuple[int, ...], index: Array, axis: int) -> bool:
    """Whether the index is of these lanes, and all that it names is there."""
    if dtype.char not in "fd" or index.dtype.kind not in "iu" or not index.size or not math.prod(shape):
        return False
    if len(shape) != index.ndim or not -index.ndim <= axis < index.ndim:
        return False
    n, axis = shape[axis], axis % index.ndim
    same = all(a == b for k, (a, b) in enumerate(zip(shape, index.shape, strict=True)) if k != axis)
    return same and bool(-n <= index.min() and index.max() < n)  # the op says what is wrong


@read_along.fused("compiled")
def read_along_compiled(x: Array, index: Array, *, needs: tuple[bool, ...], axis: int) -> Outcome:
    """Run read_along; keeps the index."""
    if not fits(x.dtype, x.shape, index, axis):
        return NotImplemented
    lanes = Lanes(x.shape, axis, index)
    return lanes.read(x), (lambda g: (lanes.add(g), None)) if needs[0] else None


@add_along.fused("compiled")
def add_along_compiled(
    x: Array, index: Array, *, needs: tuple[bool, ...], axis: int, shape: tuple[int, ...]
) -> Outcome:
    """Run add_along; keeps the index."""
    if x.shape != index.shape or not fits(x.dtype, tuple(shape), index, axis):
        return NotImplemented
    lanes = Lanes(tuple(shape), axis, index)
    return lanes.add(x), (lambda g: (lanes.read(g), None)) if needs[0] else None
