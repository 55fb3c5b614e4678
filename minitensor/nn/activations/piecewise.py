"""Activations with kinks, as layers.

Where PyTorch has `inplace`, it is taken and changes nothing: the result is a new Tensor.
"""

from __future__ import annotations

import numpy as np

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = [
    "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "PReLU", "RReLU", "ReLU", "ReLU6", "Softshrink",
    "Threshold",
]  # fmt: skip


class ReLU(Layer):
    """y = max(x, 0); the gradient at 0 is 0.

    Any shape, the same out. Differs from PyTorch: `inplace` changes nothing.

    >>> ReLU()(Tensor([-1.0, 0.0, 2.0]))
    Tensor float32 (3,): [0. 0. 2.]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(input)


class ReLU6(Layer):
    """y = min(max(x, 0), 6); the gradient at 0 and at 6 is 0.

    Any shape, the same out. Reference: Howard et al. 2017. Differs from PyTorch: `inplace` changes nothing.

    >>> ReLU6()(Tensor([-1.0, 2.0, 8.0]))
    Tensor float32 (3,): [0. 2. 6.]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return min(max(x, 0), 6)."""
        return F.relu6(input)


class LeakyReLU(Layer):
    """y = x for x > 0, negative_slope · x for x <= 0.

    Any shape, the same out. Reference: Maas et al. 2013. Differs from PyTorch: `inplace` changes nothing.

    >>> LeakyReLU(0.1)(Tensor([-1.0, 0.0, 2.0]))
    Tensor float32 (3,): [-0.1 0. 2. ]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        number(self, negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """Return the leaky ReLU of x."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"negative_slope={self.negative_slope}"


class PReLU(Layer):
    """y = x for x > 0, w x for x <= 0, with a learned w: one for all, or one for each of `num_parameters` channels.

    x (n, c, ...), the same out; weight (num_parameters,) starts as `init`. Reference: He et al. 2015.

    >>> PReLU()(Tensor([-1.0, 2.0]))
    Tensor float32 (2,) from where: [-0.25 2. ]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        whole(self, num_parameters=num_parameters)
        number(self, init=init)
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def forward(self, input: Tensor) -> Tensor:
        """Return the ReLU of x with its learned slope."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Layer):
    """y = x for x > 0, a x for x <= 0; in training a is drawn for each entry, uniform on [lower, upper).

    Any shape, the same out; in evaluation a = (lower + upper) / 2. Reference: Xu et al. 2015.
    Differs from PyTorch: the slopes are drawn on the host, by `generator` or the default; `inplace` changes nothing.

    >>> RReLU(0.25, 0.75).eval()(Tensor([-8.0, 8.0]))
    Tensor float32 (2,): [-4. 8.]
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        inplace: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        number(self, lower=lower, upper=upper)
        if lower > upper:
            raise ValueError(f"RReLU: lower is at most upper; got {lower} and {upper}")
        self.lower, self.upper, self.generator = lower, upper, generator

    def forward(self, input: Tensor) -> Tensor:
        """Return the ReLU of x with drawn slopes."""
        return F.rrelu(input, self.lower, self.upper, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        """Return the bounds."""
        return f"lower={self.lower}, upper={self.upper}"


class Threshold(Layer):
    """y = x where x > threshold, else value.

    Any shape, the same out. Differs from PyTorch: `inplace` changes nothing.

    >>> Threshold(0.5, 9.0)(Tensor([-1.0, 0.5, 2.0]))
    Tensor float32 (3,): [9. 9. 2.]
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        number(self, infinite=True, threshold=threshold, value=value)
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        """Return x where it is above the threshold, else the value."""
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        """Return the threshold and the value."""
        return f"threshold={self.threshold}, value={self.value}"


class Hardtanh(Layer):
    """y = x brought into [min_val, max_val]; the gradient is 0 at the bounds and beyond.

    Any shape, the same out. Raises ValueError if min_val > max_val. Differs from PyTorch: `inplace` changes nothing; no
    min_value and max_value, its deprecated names for min_val and max_val.

    >>> Hardtanh()(Tensor([-3.0, 0.5, 2.0]))
    Tensor float32 (3,): [-1. 0.5 1. ]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        number(self, infinite=True, min_val=min_val, max_val=max_val)
        if min_val > max_val:
            raise ValueError(f"Hardtanh: min_val is at most max_val; got {min_val} and {max_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        """Return x brought into the interval."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """Return the bounds."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Hardsigmoid(Layer):
    """y = min(max(x + 3, 0), 6) / 6.

    Any shape, the same out. Differs from PyTorch: `inplace` changes nothing.

    >>> Hardsigmoid()(Tensor([-4.0, 0.0, 1.5]))
    Tensor float32 (3,): [0. 0.5 0.75]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return min(max(x + 3, 0), 6) / 6."""
        return F.hardsigmoid(input)


class Hardswish(Layer):
    """y = x min(max(x + 3, 0), 6) / 6.

    Any shape, the same out. Reference: Howard et al. 2019. Differs from PyTorch: `inplace` changes nothing.

    >>> Hardswish()(Tensor([0.0, 1.5, 5.0]))
    Tensor float32 (3,): [0. 1.125 5. ]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return x min(max(x + 3, 0), 6) / 6."""
        return F.hardswish(input)


class Softshrink(Layer):
    """y = x - λ sign(x) where |x| > λ, else 0.

    Any shape, the same out. Raises ValueError, when called, for a negative λ.

    >>> Softshrink()(Tensor([-2.0, 0.5, 1.0]))
    Tensor float32 (3,): [-1.5 0. 0.5]
    """

    def __init__(self, lambd: float = 0.5) -> None:
        number(self, 0, lambd=lambd)
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Return x, nearer to 0 by λ."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return λ."""
        return f"lambd={self.lambd}"


class Hardshrink(Layer):
    """y = x where |x| > λ, else 0.

    Any shape, the same out.

    >>> Hardshrink()(Tensor([-2.0, 0.5, 1.0]))
    Tensor float32 (3,): [-2. 0. 1.]
    """

    def __init__(self, lambd: float = 0.5) -> None:
        number(self, lambd=lambd)
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Return x where it is farther than λ from 0."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return λ."""
        return f"lambd={self.lambd}"
