"""Several arrays made one, and one made several: the pieces follow one another along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.op import op
from minitensor.ops.shaping.shape import atleast_1d, atleast_2d, axes_of, expand_dims, is_one, ravel, whole

__all__ = [
    "array_split", "chunk", "column_stack", "concatenate", "hstack", "split", "stack", "unstack", "vstack",
]  # fmt: skip


@op("complex")
def concatenate(*xs: Array, axis: int | None = 0) -> Array:
    """y = the operands one after another along an axis; None lays out the entries of each in a row first

    (..., n₁, ...), (..., n₂, ...), ... -> (..., n₁ + n₂ + ..., ...); dtypes are promoted. `mt.concat` is the same.
    Raises ValueError if there is no operand, if one is a number, or if other lengths differ.
    Differs from NumPy: no dtype. Differs from PyTorch: an operand of shape (0,) is not skipped beside others.

    >>> import minitensor as mt
    >>> mt.concatenate([[1, 2], [3]])
    Tensor int64 (3,): [1 2 3]
    """
    if not xs:
        raise ValueError("concatenate takes one operand or more; got none")
    if axis is None:
        return namespace(*xs).concatenate([x.reshape(-1) for x in xs])
    shapes = [tuple(x.shape) for x in xs]
    if () in shapes:
        raise ValueError("concatenate: a number has no axis to be joined along: use stack, or atleast_1d")
    (a,) = axes_of("concatenate", axis, len(shapes[0]))
    if len({(*s[:a], *s[a + 1 :]) for s in shapes}) > 1 or len({len(s) for s in shapes}) > 1:
        raise ValueError(f"concatenate: the shapes {', '.join(map(str, shapes))} differ beside axis {axis}")
    return namespace(*xs).concatenate(xs, axis=a)


def _cut(g: Array, xs_shape: Sequence[tuple[int, ...]], axis: int | None) -> list[Array]:
    at, pieces = 0, []
    for shape in xs_shape:
        if axis is None:
            n = 1
            for length in shape:
                n *= length
            pieces.append(g[at : at + n].reshape(shape))
        else:
            n = shape[axis]
            pieces.append(g[(slice(None),) * (axis % len(shape)) + (slice(at, at + n),)])
        at += n
    return pieces


concatenate.vjp(xs=_cut)


@composite("moves")
def stack(*xs: Array, axis: int = 0) -> Array:
    """y[..., k, ...] = x_k: the operands along a new axis

    k times (...) -> (..., k, ...). Raises ValueError if there is no operand or shapes differ, IndexError for an axis
    that the result does not have.
    Differs from NumPy: no dtype.

    >>> import minitensor as mt
    >>> mt.stack([[1, 2], [3, 4]], axis=1)
    Tensor int64 (2, 2): [[1 3] [2 4]]
    """
    if not xs:
        raise ValueError("stack takes one operand or more; got none")
    if len({tuple(x.shape) for x in xs}) > 1:
        raise ValueError(f"stack: the shapes {', '.join(str(tuple(x.shape)) for x in xs)} differ")
    return concatenate(*[expand_dims(x, axis=axis) for x in xs], axis=axis)


@composite("moves")
def hstack(*xs: Array) -> Array:
    """y = the operands side by side: along axis 1, vectors and numbers along axis 0

    Raises ValueError if the other lengths differ.
    Differs from NumPy: no dtype.

    >>> import minitensor as mt
    >>> mt.hstack([[[1], [2]], [[3], [4]]])
    Tensor int64 (2, 2): [[1 3] [2 4]]
    """
    if not xs:
        raise ValueError("hstack takes one operand or more; got none")
    return concatenate(*[atleast_1d(x) for x in xs], axis=0 if len(xs[0].shape) < 2 else 1)


@composite("moves")
def vstack(*xs: Array) -> Array:
    """y = the operands below one another, along axis 0; a vector is a row

    Raises ValueError if the other lengths differ.
    Differs from NumPy: no dtype.

    >>> import minitensor as mt
    >>> mt.vstack([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[1 2] [3 4]]
    """
    return concatenate(*[atleast_2d(x) for x in xs], axis=0)


@composite("moves")
def column_stack(*xs: Array) -> Array:
    """y = the operands as columns of a matrix; a vector is one column, a matrix several

    (n,), (n, m), ... -> (n, 1 + m + ...). Raises ValueError if the other lengths differ.

    >>> import minitensor as mt
    >>> mt.column_stack([[1, 2], [3, 4]])
    Tensor int64 (2, 2): [[1 3] [2 4]]
    """
    return concatenate(*[x if len(x.shape) > 1 else ravel(x)[:, None] for x in xs], axis=1)


def _pieces(x: Array, cuts: Sequence[int], axis: int) -> tuple[Array, ...]:
    before = (slice(None),) * axis
    return tuple([x[(*before, slice(a, b))] for a, b in pairwise(cuts)])


def _sizes(name: str, n: int, count: int) -> list[int]:
    """Return the cuts of an axis of length n into `count` pieces, the first n mod count one longer."""
    if count < 1:
        raise ValueError(f"{name}: an axis is cut into 1 piece or more; got {count}")
    return [n // count * i + min(i, n % count) for i in range(count + 1)]


@composite("moves", public="split")
def split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Array, ...]:
    """y_k = consecutive pieces along an axis: so many equal ones, or cut before the given positions

    Views, in a tuple. Positions mean what they mean in a slice: beyond the end the pieces are empty. Raises ValueError
    if the axis cannot be cut into equal parts (`array_split` can), IndexError for an axis that is not there.
    Differs from NumPy: a tuple, not a list. Differs from PyTorch: there the number is the length of a piece.

    >>> import minitensor as mt
    >>> [y.tolist() for y in mt.split(mt.arange(6), [1, 4])]
    [[0], [1, 2, 3], [4, 5]]
    """
    if is_one(indices_or_sections):
        (count,), n = whole(indices_or_sections), x.shape[axes_of("split", axis, len(x.shape))[0]]
        if count > 0 and n % count:
            raise ValueError(f"split: an axis of length {n} cannot be cut into {count} equal parts; array_split can")
    return tuple(array_split(x, indices_or_sections=indices_or_sections, axis=axis))


@composite("moves", public="array_split")
def array_split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Array, ...]:
    """y_k = consecutive pieces along an axis, like `split`; a rest makes the first pieces one longer

    Views, in a tuple. Raises ValueError for fewer than one piece, IndexError for an axis that is not there.
    Differs from NumPy: a tuple, not a list. Differs from PyTorch: there it is tensor_split.

    >>> import minitensor as mt
    >>> [y.tolist() for y in mt.array_split(mt.arange(5), 3)]
    [[0, 1], [2, 3], [4]]
    """
    (a,) = axes_of("array_split", axis, len(x.shape))
    given = whole(indices_or_sections)
    cuts = _sizes("array_split", x.shape[a], given[0]) if is_one(indices_or_sections) else [0, *given, x.shape[a]]
    return _pieces(x, cuts, a)


@composite("moves", public="chunk")
def chunk(x: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    """y_k = at most `chunks` pieces along an axis, each of length ⌈n / chunks⌉ but a shorter last one

    Views, in a tuple; there are fewer pieces if these lengths use up the axis. Raises ValueError for fewer than one
    piece, IndexError for an axis that is not there.
    Differs from NumPy: not there; its array_split spreads the rest.

    >>> import minitensor as mt
    >>> [y.tolist() for y in mt.chunk(mt.arange(5), 4)]
    [[0, 1], [2, 3], [4]]
    """
    (a,) = axes_of("chunk", dim, len(x.shape))
    if chunks < 1:
        raise ValueError(f"chunk: an axis is cut into 1 piece or more; got {chunks}")
    n = x.shape[a]
    length = -(-n // chunks)
    return _pieces(x, [*range(0, n, length), n] if n else [0] * (chunks + 1), a)


@composite("moves", public="unstack")
def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """y_k = x[..., k, ...]: the slices along an axis, which `stack` joins again

    (..., k, ...) -> k times (...), views in a tuple. `mt.unbind(x, dim)` is the same. Raises IndexError for an axis
    that is not there.
    Differs from NumPy: `axis` may be passed by position. Differs from PyTorch: there it is unbind.

    >>> import minitensor as mt
    >>> [y.tolist() for y in mt.unstack([[1, 2], [3, 4]], axis=1)]
    [[1, 3], [2, 4]]
    """
    (a,) = axes_of("unstack", axis, len(x.shape))
    before = (slice(None),) * a
    return tuple([x[(*before, i)] for i in range(x.shape[a])])
