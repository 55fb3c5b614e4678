"""Smooth activations as layers. Those with kinks stand in `piecewise.py`, softmaxes and gates in `gated.py`.

Where PyTorch has `inplace`, it is taken and changes nothing: the result is a new Tensor.
"""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = [
    "CELU", "ELU", "GELU", "SELU", "LogSigmoid", "Mish", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh",
    "Tanhshrink",
]  # fmt: skip


class GELU(Layer):
    """y = x Φ(x), Φ the distribution function of N(0, 1); approximate="tanh" is its closed form.

    Any shape, the same out. Reference: Hendrycks & Gimpel 2016.

    >>> GELU(approximate="tanh")(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.1588 0. 0.8412]
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return x Φ(x)."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return which form."""
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Layer):
    """y = x σ(x), σ the logistic function: also called swish.

    Any shape, the same out. Reference: Elfwing et al. 2018. Differs from PyTorch: `inplace` changes nothing.

    >>> SiLU()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.2689 0. 0.7311]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return x σ(x)."""
        return F.silu(input)


class Mish(Layer):
    """y = x tanh(ln(1 + eˣ)).

    Any shape, the same out. Reference: Misra 2019. Differs from PyTorch: `inplace` changes nothing.

    >>> Mish()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.3034 0. 0.8651]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return x tanh(softplus(x))."""
        return F.mish(input)


class ELU(Layer):
    """y = x for x > 0, alpha (eˣ - 1) for x <= 0.

    Any shape, the same out. Reference: Clevert et al. 2016. Differs from PyTorch: `inplace` changes nothing.

    >>> ELU()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.6321 0. 1. ]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        number(self, alpha=alpha)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """Return the exponential linear unit of x."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """Return alpha."""
        return f"alpha={self.alpha}"


class CELU(Layer):
    """y = max(x, 0) + min(0, alpha (e^(x/alpha) - 1)).

    Any shape, the same out. Reference: Barron 2017. Differs from PyTorch: `inplace` changes nothing.

    >>> CELU(2.0)(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.7869 0. 1. ]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        number(self, alpha=alpha)
        if alpha == 0:
            raise ValueError("CELU: alpha divides the input: other than 0")
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """Return the continuously differentiable ELU of x."""
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        """Return alpha."""
        return f"alpha={self.alpha}"


class SELU(Layer):
    """y = 1.0507 x for x > 0, 1.0507 · 1.6733 (eˣ - 1) for x <= 0.

    Any shape, the same out. Reference: Klambauer et al. 2017. Differs from PyTorch: `inplace` changes nothing.

    >>> SELU()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-1.1113 0. 1.0507]
    """

    def __init__(self, inplace: bool = False) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return the self-normalizing ELU of x."""
        return F.selu(input)


class Softplus(Layer):
    """y = ln(1 + e^(βx)) / β; y = x where βx > threshold.

    Any shape, the same out.

    >>> Softplus()(Tensor([-1.0, 0.0, 30.0]))
    Tensor float32 (3,): [ 0.3133 0.6931 30. ]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        number(self, beta=beta)
        number(self, infinite=True, threshold=threshold)
        if beta == 0:
            raise ValueError("Softplus: beta is the steepness, other than 0")
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """Return ln(1 + e^(βx)) / β."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return β and the threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Layer):
    """y = x / (1 + |x|).

    Any shape, the same out.

    >>> Softsign()(Tensor([-1.0, 0.0, 3.0]))
    Tensor float32 (3,): [-0.5 0. 0.75]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x / (1 + |x|)."""
        return F.softsign(input)


class Tanhshrink(Layer):
    """y = x - tanh x.

    Any shape, the same out.

    >>> Tanhshrink()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.2384 0. 0.2384]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x - tanh x."""
        return F.tanhshrink(input)


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ).

    Any shape, the same out.

    >>> Sigmoid()(Tensor([-1000.0, 0.0, 1.0]))
    Tensor float32 (3,): [0. 0.5 0.7311]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return F.sigmoid(input)


class LogSigmoid(Layer):
    """y = ln(1 / (1 + e⁻ˣ)), which overflows for no x.

    Any shape, the same out.

    >>> LogSigmoid()(Tensor([-100.0, 0.0, 1.0]))
    Tensor float32 (3,): [-100. -0.6931 -0.3133]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return ln σ(x)."""
        return F.logsigmoid(input)


class Tanh(Layer):
    """y = tanh x.

    Any shape, the same out.

    >>> Tanh()(Tensor([-1.0, 0.0, 1.0]))
    Tensor float32 (3,): [-0.7616 0. 0.7616]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return tanh x."""
        return F.tanh(input)
