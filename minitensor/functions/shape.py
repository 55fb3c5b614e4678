"""Functions that move entries, under NumPy's names. What each does stands at its op."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from minitensor.composite import Composite
from minitensor.declaration import Declaration
from minitensor.functions.operands import public, several, tensor
from minitensor.ops.linalg import outer as products
from minitensor.ops.shaping import diagonal as dg
from minitensor.ops.shaping import join, order, padding, tiling
from minitensor.ops.shaping import shape as sh
from minitensor.tensor import Tensor

__all__ = [
    "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "chunk",
    "column_stack", "concat", "concatenate", "diag", "diagonal", "diff", "expand_dims", "flip", "fliplr", "flipud",
    "hstack", "kron", "meshgrid", "moveaxis", "outer", "pad", "permute", "permute_dims", "ravel", "repeat", "reshape",
    "roll", "rot90", "split", "squeeze", "stack", "swapaxes", "tile", "trace", "transpose", "tril", "triu", "unbind",
    "unstack", "vstack",
]  # fmt: skip

array_split = several(join.array_split)
broadcast_to = public(sh.broadcast_to)
chunk = several(join.chunk)
diag = public(dg.diag)
diagonal = public(dg.diagonal)
expand_dims = public(sh.expand_dims)
flip = public(order.flip)
fliplr = public(order.fliplr)
flipud = public(order.flipud)
moveaxis = public(sh.moveaxis)
pad = public(padding.pad)
ravel = public(sh.ravel)
repeat = public(tiling.repeat)
reshape = public(sh.reshape)
roll = public(order.roll)
rot90 = public(order.rot90)
split = several(join.split)
squeeze = public(sh.squeeze)
swapaxes = public(sh.swapaxes)
tile = public(tiling.tile)
trace = public(dg.trace)
transpose = public(sh.transpose)
tril = public(dg.tril)
triu = public(dg.triu)
unstack = several(join.unstack)
permute = permute_dims = transpose


_F = TypeVar("_F", bound=Callable[..., Any])


def _says(declared: Declaration[...]) -> Callable[[_F], _F]:
    """Give a function the docstring of its op."""

    def given(function: _F) -> _F:
        function.__doc__ = declared.__doc__
        function.__module__ = "minitensor"
        return function

    return given


def _several(xs: Any) -> list[Tensor]:
    return [tensor(x) for x in xs]


@_says(join.concatenate)
def concatenate(xs: Sequence[Any], axis: int | None = 0) -> Tensor:  # noqa: D103
    return join.concatenate(*_several(xs), axis=axis)


concat = concatenate


@_says(join.stack)
def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:  # noqa: D103
    return join.stack(*_several(xs), axis=axis)


@_says(join.hstack)
def hstack(xs: Sequence[Any]) -> Tensor:  # noqa: D103
    return join.hstack(*_several(xs))


@_says(join.vstack)
def vstack(xs: Sequence[Any]) -> Tensor:  # noqa: D103
    return join.vstack(*_several(xs))


@_says(join.column_stack)
def column_stack(xs: Sequence[Any]) -> Tensor:  # noqa: D103
    return join.column_stack(*_several(xs))


@_says(join.unstack)
def unbind(x: Any, dim: int = 0) -> Any:  # noqa: D103
    return join.unstack(tensor(x), axis=dim)


@_says(sh.broadcast_arrays)
def broadcast_arrays(*xs: Any) -> Any:  # noqa: D103
    return sh.broadcast_arrays(*_several(xs))


@_says(tiling.meshgrid)
def meshgrid(*xs: Any, indexing: str = "xy") -> Any:  # noqa: D103
    return tiling.meshgrid(*_several(xs), indexing=indexing)


def _each(declared: Composite[...], xs: tuple[Any, ...]) -> Any:
    results = tuple([declared(x) for x in _several(xs)])
    return results[0] if len(xs) == 1 else results


@_says(sh.atleast_1d)
def atleast_1d(*xs: Any) -> Any:  # noqa: D103
    return _each(sh.atleast_1d, xs)


@_says(sh.atleast_2d)
def atleast_2d(*xs: Any) -> Any:  # noqa: D103
    return _each(sh.atleast_2d, xs)


@_says(sh.atleast_3d)
def atleast_3d(*xs: Any) -> Any:  # noqa: D103
    return _each(sh.atleast_3d, xs)


@_says(products.diff)
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:  # noqa: D103
    return products.diff(tensor(x), prepend, append, n=n, axis=axis)


@_says(products.outer)
def outer(a: Any, b: Any) -> Tensor:  # noqa: D103
    return products.outer(tensor(a), tensor(b))


@_says(products.kron)
def kron(a: Any, b: Any) -> Tensor:  # noqa: D103
    return products.kron(tensor(a), tensor(b))
