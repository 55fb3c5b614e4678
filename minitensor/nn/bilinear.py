"""Bilinear maps."""

import math

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Bilinear"]


class Bilinear(Layer):
    """y_k = x1ᵀ W_k x2 + b_k.

    Shapes: x1 (..., in1_features), x2 (..., in2_features), weight (out_features, in1_features, in2_features), bias
    (out_features,) -> (..., out_features). Both start uniform on ±1/√in1_features. Raises ValueError for lengths that
    do not fit.

    >>> Bilinear(3, 4, 5)
    Bilinear(3, 4 -> 5)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        whole(self, 1, in1_features=in1_features)
        whole(self, in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        bound = 1 / math.sqrt(in1_features)
        self.weight = Parameter(initial.uniform((out_features, in1_features, in2_features), bound, generator))
        self.bias = Parameter(initial.uniform(out_features, bound, generator)) if bias else None

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return x1ᵀ W x2 + b."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return in1, in2 -> out."""
        text = f"{self.in1_features}, {self.in2_features} -> {self.out_features}"
        return text + ("" if self.bias is not None else ", bias=False")
