"""From images to vectors."""

from __future__ import annotations

import math

from minitensor.nn.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["Flatten"]


class Flatten(Layer):
    """The axes from start_dim to end_dim become one: by default (n, c, h, w) -> (n, c h w).

    >>> from minitensor import zeros
    >>> Flatten()(zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return the same entries with fewer axes."""
        first, last = self.start_dim % x.ndim, self.end_dim % x.ndim
        return x.reshape(*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])

    def extra_repr(self) -> str:
        """Return the axes, if they are not the defaults."""
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"
