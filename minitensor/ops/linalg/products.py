"""Products of vectors, matrices and tensors under NumPy's names: each becomes one matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import conj
from minitensor.ops.linalg.matmul import bmm, matmul, operands
from minitensor.ops.shaping.join import stack
from minitensor.ops.shaping.shape import axes_of, common_shape, is_one, moveaxis, ravel, reshape, transpose, whole

__all__ = ["cross", "dot", "inner", "multi_dot", "tensordot", "vdot", "vecdot"]

Axes = int | Sequence[int | Sequence[int]]


def _summed(name: str, axes: Axes, a: Array, b: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which axes of a meet which of b."""
    if is_one(axes):
        (n,) = whole(axes)
        if not 0 <= n <= min(len(a.shape), len(b.shape)):
            raise ValueError(f"{name}: {n} axes of shapes {tuple(a.shape)} and {tuple(b.shape)} cannot meet")
        first, second = tuple(range(len(a.shape) - n, len(a.shape))), tuple(range(n))
    else:
        pair = tuple(cast(Sequence[int | Sequence[int]], axes))
        if len(pair) != 2:
            raise ValueError(f"{name}: axes is a number or a pair, (axes of a, axes of b); got {axes!r}")
        first, second = axes_of(name, pair[0], len(a.shape)), axes_of(name, pair[1], len(b.shape))
    lengths = [[x.shape[i] for i in along] for x, along in ((a, first), (b, second))]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"{name}: the axes {first} of shape {tuple(a.shape)} and {second} of shape {tuple(b.shape)} must be "
            f"equally long; got {tuple(lengths[0])} and {tuple(lengths[1])}"
        )
    return first, second


def _tensordot(name: str, a: Array, b: Array, axes: Axes) -> Array:
    first, second = _summed(name, axes, a, b)
    rows = tuple([i for i in range(len(a.shape)) if i not in first])
    columns = tuple([i for i in range(len(b.shape)) if i not in second])
    n, k, m = (math.prod([x.shape[i] for i in along]) for x, along in ((a, rows), (a, first), (b, columns)))
    left = reshape(transpose(a, axes=rows + first), shape=(n, k))
    right = reshape(transpose(b, axes=second + columns), shape=(k, m))
    return reshape(bmm(left, right), shape=(*[a.shape[i] for i in rows], *[b.shape[i] for i in columns]))


@composite("complex", public="tensordot linalg.tensordot")
def tensordot(a: Array, b: Array, axes: Axes = 2) -> Array:
    """y = Σ a b over pairs of axes: the last n of a with the first n of b, or (axes of a, axes of b)

    The axes that stay follow one another, a's first. Raises ValueError if the lengths differ or an axis is named twice,
    IndexError for an axis that is not there.

    >>> import minitensor as mt
    >>> mt.tensordot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0], axes=1)
    Tensor float32 (2,): [21. 43.]
    """
    a, b = operands(a, b)
    return _tensordot("tensordot", a, b, axes)


@composite("complex", public="inner")
def inner(a: Array, b: Array) -> Array:
    """y[..., ...] = Σₖ a[..., k] b[..., k]: each row of a with each row of b

    (..., k), (..., k) -> both leading shapes, a's first; a number multiplies. ValueError if the last axes differ.

    >>> import minitensor as mt
    >>> mt.inner([1.0, 2.0], [3.0, 4.0])
    Tensor float32 (): 11.
    """
    a, b = operands(a, b)
    return _tensordot("inner", a, b, (-1, -1)) if a.shape and b.shape else a * b


@composite("complex", public="dot")
def dot(a: Array, b: Array) -> Array:
    """y[..., ..., m] = Σₖ a[..., k] b[..., k, m]: each row of a with each column of b

    Two vectors give a number, two matrices the matrix product; a vector b is one column, a number multiplies. Raises
    ValueError if the last axis of a and the second last (or only) one of b differ.
    Differs from PyTorch: there vectors only.

    >>> import minitensor as mt
    >>> mt.dot([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor float32 (2,): [3. 7.]
    """
    a, b = operands(a, b)
    return _tensordot("dot", a, b, (-1, -2 if len(b.shape) > 1 else -1)) if a.shape and b.shape else a * b


@composite("complex", public="vdot")
def vdot(a: Array, b: Array) -> Array:
    """y = Σ ā b over all entries, those of a conjugated if they are complex

    Any two shapes with equally many entries -> (). Raises ValueError if their numbers differ.
    Differs from PyTorch: there vectors only.

    >>> import minitensor as mt
    >>> mt.vdot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    Tensor float32 (): 5.
    """
    a, b = operands(a, b)
    return _tensordot("vdot", ravel(conj(a)), ravel(b), 1)


@composite("complex", public="vecdot linalg.vecdot")
def vecdot(a: Array, b: Array, axis: int = -1) -> Array:
    """y = Σₖ ā[..., k] b[..., k] along an axis of both, those of a conjugated if they are complex

    (..., k), (..., k) -> (...); the other axes broadcast. Raises ValueError if the axes differ in length.
    Differs from NumPy: no axes and keepdims. Differs from PyTorch: a length of 1 is not repeated along the axis.

    >>> import minitensor as mt
    >>> mt.vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    Tensor float32 (2,): [21. 43.]
    """
    a, b = _lanes("vecdot", a, b, axis)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"vecdot: the vectors must be equally long; got {a.shape[-1]} and {b.shape[-1]}")
    return bmm(conj(a)[..., None, :], b[..., :, None])[..., 0, 0]


def _lanes(name: str, a: Array, b: Array, axis: int) -> tuple[Array, Array]:
    """Bring the axis of both operands to the end, and check that the others broadcast."""
    a, b = operands(a, b)
    a, b = (moveaxis(x, source=axes_of(name, axis, len(x.shape))[0], destination=-1) for x in (a, b))
    common_shape(name, [a.shape[:-1], b.shape[:-1]])
    return a, b


@composite(public="cross linalg.cross")
def cross(a: Array, b: Array, axis: int = -1) -> Array:
    """y = a × b = (a₂ b₃ - a₃ b₂, a₃ b₁ - a₁ b₃, a₁ b₂ - a₂ b₁) along an axis of length 3 of both

    (..., 3), (..., 3) -> (..., 3); the other axes broadcast. Raises ValueError for another length.
    Differs from NumPy: one axis for all (no axisa, axisb and axisc), as in its linalg.

    >>> import minitensor as mt
    >>> mt.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    Tensor float32 (3,): [0. 0. 1.]
    """
    a, b = _lanes("cross", a, b, axis)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross takes vectors of length 3; got {a.shape[-1]} and {b.shape[-1]} along axis {axis}")
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return stack(*parts, axis=axis)


def _cheapest(lengths: Sequence[int]) -> list[list[int]]:
    """Return where to split each product of matrices i to j, the k-th being lengths[k] by lengths[k + 1]."""
    n = len(lengths) - 1
    cost = [[0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            prices = [cost[i][k] + cost[k + 1][j] + lengths[i] * lengths[k + 1] * lengths[j + 1] for k in range(i, j)]
            cost[i][j] = min(prices)
            split[i][j] = i + prices.index(min(prices))
    return split


@composite("complex")
def multi_dot(*xs: Array) -> Array:
    """y = x₁ x₂ ... xₙ, in the order that takes the fewest multiplications: `mt.linalg.multi_dot([a, b, c])`

    Matrices, (n₀, n₁), (n₁, n₂), ...; the first may be a vector, a row, and the last, a column. Raises ValueError for
    fewer than two, other shapes, and lengths that do not meet.
    Differs from NumPy: no out.

    >>> import minitensor as mt
    >>> mt.linalg.multi_dot([[[1.0, 2.0]], [[1.0], [1.0]], [[5.0]]])
    Tensor float32 (1, 1): [[15.]]
    """
    xs = operands(*xs)
    shapes = [tuple(x.shape) for x in xs]
    if len(xs) < 2:
        raise ValueError(f"multi_dot takes two matrices or more; got {len(xs)}")
    if any(len(s) != 2 for s in shapes[1:-1]) or not {len(shapes[0]), len(shapes[-1])} <= {1, 2}:
        raise ValueError(f"multi_dot takes matrices, and vectors at the ends; got shapes {', '.join(map(str, shapes))}")
    row, column = len(shapes[0]) == 1, len(shapes[-1]) == 1
    matrices = [x[None, :] if row and not i else x for i, x in enumerate(xs)]
    matrices[-1] = matrices[-1][:, None] if column else matrices[-1]
    split = _cheapest([x.shape[0] for x in matrices] + [matrices[-1].shape[1]])

    def product(i: int, j: int) -> Array:
        return matrices[i] if i == j else matmul(product(i, split[i][j]), product(split[i][j] + 1, j))

    y = product(0, len(xs) - 1)
    y = y[0] if row else y
    return y[..., 0] if column else y
