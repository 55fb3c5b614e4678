"""Functions that move entries, under NumPy's names. What each does stands at its op."""

from collections.abc import Sequence
from typing import Any

from minitensor.functions.operands import public, tensor
from minitensor.ops import shape as sh
from minitensor.tensor import Tensor

__all__ = [
    "broadcast_to", "concatenate", "expand_dims", "flip", "moveaxis", "pad", "permute", "reshape", "split", "squeeze",
    "stack", "swapaxes", "transpose",
]  # fmt: skip

broadcast_to = public(sh.broadcast_to)
expand_dims = public(sh.expand_dims)
flip = public(sh.flip)
moveaxis = public(sh.moveaxis)
pad = public(sh.pad)
reshape = public(sh.reshape)
split: Any = public(sh.split)
squeeze = public(sh.squeeze)
swapaxes = public(sh.swapaxes)
transpose = public(sh.transpose)
permute = transpose


def concatenate(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the operands one after another along an axis."""
    return sh.concatenate(*map(tensor, xs), axis=axis)  # type: ignore[no-any-return]


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the operands along a new axis."""
    return sh.stack(*map(tensor, xs), axis=axis)  # type: ignore[no-any-return]
