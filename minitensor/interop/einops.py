"""einops on Tensors: `import minitensor.interop.einops`, then `rearrange`, `reduce`, `repeat`, `einsum` as ever.

>>> import minitensor as mt
>>> import minitensor.interop.einops
>>> from einops import rearrange
>>> x = mt.ones((2, 3, 4, 4))
>>> rearrange(x, "n c (h p) (w q) -> n (h w) (c p q)", p=2, q=2).shape
(2, 4, 12)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.functions import broadcast_to, concatenate, einsum, expand_dims, stack
from minitensor.ops.reductions import reduce
from minitensor.tensor import Tensor

try:
    from einops._backends import AbstractBackend
except ImportError as error:
    raise ImportError("minitensor.interop.einops needs einops: pip install einops") from error

__all__ = ["MinitensorBackend"]


class MinitensorBackend(AbstractBackend):
    """What einops asks of an array library; einops finds it by itself once this module is imported."""

    framework_name = "minitensor"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Whether a value is a Tensor."""
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: np.ndarray) -> Tensor:
        """Return a Tensor; floats require a gradient, as einops' tests expect."""
        return Tensor(x, requires_grad=x.dtype.kind == "f")

    def to_numpy(self, x: Tensor) -> np.ndarray:
        """Return the entries."""
        return x.numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        """Return start, ..., stop - 1."""
        return Tensor(np.arange(start, stop))

    def reduce(self, x: Tensor, operation: str, axes: Any) -> Any:
        """Reduce over axes by min, max, sum, mean, prod, any or all."""
        return getattr(reduce, operation)(x, axis=tuple(axes))

    def transpose(self, x: Tensor, axes: Any) -> Tensor:
        """Return the axes in another order."""
        return x.transpose(tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Tensor]) -> Tensor:
        """Join along a new first axis."""
        return stack(tensors)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        """Put an axis of length 1 in."""
        return expand_dims(x, new_position)

    def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, int]) -> Tensor:
        """Put axes in, along which x is repeated."""
        for position in pos2len:
            x = expand_dims(x, position)
        return broadcast_to(x, tuple(pos2len.get(i, n) for i, n in enumerate(x.shape)))

    def concat(self, tensors: list[Tensor], axis: int) -> Tensor:
        """Join along an axis."""
        return concatenate(tensors, axis)

    def is_float_type(self, x: Tensor) -> bool:
        """Whether a mean makes sense."""
        return bool(x.dtype.kind in "fV")

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        """Return Einstein's sum."""
        return einsum(pattern, *x)
