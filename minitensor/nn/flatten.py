"""Axes merged, and cut again."""

from __future__ import annotations

import math

from numpy.lib.array_utils import normalize_axis_index

from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["Flatten", "Unflatten"]


class Flatten(Layer):
    """The axes from start_dim to end_dim become one: by default (n, c, h, w) -> (n, c h w).

    A number becomes (1,). Raises IndexError for an axis that is not there, ValueError if start_dim comes after end_dim.

    >>> from minitensor import zeros
    >>> Flatten()(zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        whole(self, None, start_dim=start_dim, end_dim=end_dim)
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return the same entries with fewer axes."""
        shape = input.shape or (1,)
        first, last = (normalize_axis_index(d, len(shape), "Flatten") for d in (self.start_dim, self.end_dim))
        if first > last:
            raise ValueError(f"Flatten: start_dim {first} comes after end_dim {last} in shape {input.shape}")
        return input.reshape(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])

    def extra_repr(self) -> str:
        """Return the axes, if they are not the defaults."""
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Layer):
    """The axis `dim` becomes several, of the lengths `unflattened_size`; one of them may be -1.

    Raises IndexError for an axis that is not there, ValueError for lengths whose product is not the axis's.
    Differs from PyTorch: no named dimensions.

    >>> from minitensor import zeros
    >>> Unflatten(1, (3, -1))(zeros((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...] | list[int]) -> None:
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"Unflatten: unflattened_size is a tuple of lengths; got {unflattened_size!r}")
        whole(self, None, dim=dim)
        whole(self, -1, unflattened_size=unflattened_size)
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """Return the same entries with more axes."""
        at, size = normalize_axis_index(self.dim, input.ndim, "Unflatten"), self.unflattened_size
        known = math.prod(n for n in size if n != -1)
        fits = (
            input.shape[at] == known
            if -1 not in size
            else size.count(-1) == 1 and known and not input.shape[at] % known
        )
        if not fits:
            raise ValueError(f"Unflatten: axis {self.dim} of shape {input.shape} cannot be cut into {size}")
        if -1 in size:
            size = tuple(input.shape[at] // known if n == -1 else n for n in size)
        return input.reshape(*input.shape[:at], *size, *input.shape[at + 1 :])

    def extra_repr(self) -> str:
        """Return the axis and its parts."""
        return f"{self.dim}, {self.unflattened_size}"
