"""Affine maps."""

from __future__ import annotations

import math

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Linear"]


class Linear(Layer):
    """y = x Wᵀ + b.

    Shapes: x (..., in_features), weight (out_features, in_features), bias (out_features,) -> (..., out_features).
    Both start uniform on ±1/√in_features. Raises ValueError if the input's last length differs.

    >>> Linear(3, 4)
    Linear(3 -> 4)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, generator: np.random.Generator | None = None
    ) -> None:
        whole(self, in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(initial.kaiming_uniform((out_features, in_features), generator=generator))
        bound = 1 / math.sqrt(max(1, in_features))
        self.bias = Parameter(initial.uniform(out_features, bound, generator)) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        """Return x Wᵀ + b."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return in -> out."""
        return f"{self.in_features} -> {self.out_features}" + ("" if self.bias is not None else ", bias=False")
