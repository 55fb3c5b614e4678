"""Dropout."""

from __future__ import annotations

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, y = x m / (1 - p) with m = 0 at a share p of the entries, else 1 (Srivastava et al. 2014).

    The mask is drawn on the host by `generator`, or the default one.

    >>> Dropout(0.1)
    Dropout(p=0.1)
    """

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a share between 0 and 1; got {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """Return x with entries dropped, in training."""
        return F.dropout(x, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """Return p."""
        return f"p={self.p}"
