"""Losses that are the negative log likelihood of a distribution, or a divergence between two, as layers."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number
from minitensor.nn.base.layer import Layer
from minitensor.nn.loss.reduction import Loss
from minitensor.tensor import Tensor

__all__ = ["GaussianNLLLoss", "KLDivLoss", "PoissonNLLLoss"]


class KLDivLoss(Layer):
    """L = t (ln t - x) at each entry, for log probabilities x and probabilities t: Kullback-Leibler, KL(t ‖ eˣ).

    Shapes broadcast -> (), or that shape with "none"; with log_target the target is ln t. "batchmean", the mathematical
    one, is the sum over the length of axis 0; "mean" is over all entries.
    Differs from PyTorch: "mean" does not warn; the gradient of t at t = 0 is -x; no size_average and reduce.

    >>> KLDivLoss(reduction="batchmean")(Tensor([[-1.0, -1.0]]), Tensor([[1.0, 0.0]]))
    Tensor float32 (): 1.
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        if reduction not in ("batchmean", "mean", "sum", "none"):
            raise ValueError(f"KLDivLoss: reduction is 'batchmean', 'mean', 'sum' or 'none'; got {reduction!r}")
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the divergence."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"reduction={self.reduction!r}" + (", log_target=True" if self.log_target else "")


class PoissonNLLLoss(Loss):
    """L = eˣ - t x for counts t of a Poisson distribution with mean eˣ; without log_input, L = x - t ln(x + eps).

    Shapes broadcast -> (), or that shape with "none". `full` adds Stirling's t ln t - t + ln(2πt) / 2 where t > 1.
    Differs from PyTorch: no size_average and reduce.

    >>> PoissonNLLLoss()(Tensor([0.0]), Tensor([2.0]))
    Tensor float32 (): 1.
    """

    shown = ("log_input", "full", "eps")

    def __init__(
        self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        number(self, 0, eps=eps)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Return the negative log likelihood of the counts."""
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """L = (ln v + (x - t)² / v) / 2 for targets t of a normal distribution with mean x and variance v = max(var, eps).

    input and target broadcast; var has the input's shape, or 1 as its last length, or lacks its last axis. `full` adds
    ln(2π) / 2. Raises ValueError for another shape of var or a negative entry. Reference: Nix & Weigend 1994.

    >>> GaussianNLLLoss()(Tensor([0.0]), Tensor([2.0]), Tensor([1.0]))
    Tensor float32 (): 2.
    """

    shown = ("full", "eps")

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        number(self, 0, eps=eps)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        """Return the negative log likelihood of the targets."""
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)
