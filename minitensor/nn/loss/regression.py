"""Losses of numbers, as layers."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number
from minitensor.nn.loss.reduction import Loss
from minitensor.tensor import Tensor

__all__ = ["HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss"]


class L1Loss(Loss):
    """L = |input - target|, averaged over all entries (or "sum", "none").

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast; no size_average and reduce.

    >>> L1Loss()(Tensor([1.0, 5.0]), Tensor([2.0, 2.0]))
    Tensor float32 (): 2.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the mean absolute error."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """L = (input - target)², averaged over all entries (or "sum", "none").

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast; no size_average and reduce.

    >>> MSELoss()(Tensor([1.0, 5.0]), Tensor([2.0, 2.0]))
    Tensor float32 (): 5.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the mean squared error."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """L = d² / (2 beta) where |d| < beta, else |d| - beta / 2, for d = input - target, averaged (or "sum", "none").

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ and for a negative beta.
    Reference: Girshick 2015. Differs from PyTorch: it does not broadcast; no size_average and reduce.

    >>> SmoothL1Loss(beta=0.5)(Tensor([1.0]), Tensor([3.0]))
    Tensor float32 (): 1.75
    """

    shown = ("beta",)

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        number(self, 0, beta=beta)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the smooth mean absolute error."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """L = d² / 2 where |d| < delta, else delta (|d| - delta / 2), for d = input - target, averaged (or "sum", "none").

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ and for delta <= 0.
    Reference: Huber 1964. Differs from PyTorch: it does not broadcast.

    >>> HuberLoss(delta=2.0)(Tensor([1.0]), Tensor([4.0]))
    Tensor float32 (): 4.
    """

    shown = ("delta",)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        number(self, 0, above=True, delta=delta)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the Huber loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)
