"""Functions of several arrays, and others whose arguments are not in the order of their ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from minitensor.composite import Composite
from minitensor.functions.operands import says, tensor
from minitensor.ops.linalg import outer as products
from minitensor.ops.shaping import join, tiling
from minitensor.ops.shaping import shape as sh
from minitensor.tensor import Tensor

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "column_stack",
    "concat",
    "concatenate",
    "diff",
    "hstack",
    "kron",
    "meshgrid",
    "outer",
    "stack",
    "unbind",
    "vstack",
]


def _several(xs: Sequence[ArrayLike]) -> list[Tensor]:
    return [tensor(x) for x in xs]


@says(join.concatenate)
def concatenate(xs: Sequence[ArrayLike], axis: int | None = 0) -> Tensor:  # noqa: D103
    return join.concatenate(*_several(xs), axis=axis)


concat = concatenate


@says(join.stack)
def stack(xs: Sequence[ArrayLike], axis: int = 0) -> Tensor:  # noqa: D103
    return join.stack(*_several(xs), axis=axis)


@says(join.hstack)
def hstack(xs: Sequence[ArrayLike]) -> Tensor:  # noqa: D103
    return join.hstack(*_several(xs))


@says(join.vstack)
def vstack(xs: Sequence[ArrayLike]) -> Tensor:  # noqa: D103
    return join.vstack(*_several(xs))


@says(join.column_stack)
def column_stack(xs: Sequence[ArrayLike]) -> Tensor:  # noqa: D103
    return join.column_stack(*_several(xs))


@says(join.unstack)
def unbind(x: ArrayLike, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: D103
    return tuple(join.unstack(tensor(x), axis=dim))


@says(sh.broadcast_arrays)
def broadcast_arrays(*xs: ArrayLike) -> tuple[Tensor, ...]:  # noqa: D103
    return tuple(sh.broadcast_arrays(*_several(xs)))


@says(tiling.meshgrid)
def meshgrid(*xs: ArrayLike, indexing: str = "xy") -> tuple[Tensor, ...]:  # noqa: D103
    return tuple(tiling.meshgrid(*_several(xs), indexing=indexing))


def _each(declared: Composite[...], xs: tuple[Any, ...]) -> Any:
    results = tuple([declared(x) for x in _several(xs)])
    return results[0] if len(xs) == 1 else results


@says(sh.atleast_1d)
def atleast_1d(*xs: ArrayLike) -> Any:  # noqa: D103
    return _each(sh.atleast_1d, xs)


@says(sh.atleast_2d)
def atleast_2d(*xs: ArrayLike) -> Any:  # noqa: D103
    return _each(sh.atleast_2d, xs)


@says(sh.atleast_3d)
def atleast_3d(*xs: ArrayLike) -> Any:  # noqa: D103
    return _each(sh.atleast_3d, xs)


@says(products.diff)
def diff(  # noqa: D103
    x: ArrayLike, n: int = 1, axis: int = -1, prepend: ArrayLike | None = None, append: ArrayLike | None = None
) -> Tensor:  # noqa: D103
    return products.diff(tensor(x), prepend, append, n=n, axis=axis)


@says(products.outer)
def outer(a: ArrayLike, b: ArrayLike) -> Tensor:  # noqa: D103
    return products.outer(tensor(a), tensor(b))


@says(products.kron)
def kron(a: ArrayLike, b: ArrayLike) -> Tensor:  # noqa: D103
    return products.kron(tensor(a), tensor(b))
