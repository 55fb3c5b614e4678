"""Losses of classes, as layers."""

from __future__ import annotations

from typing import Any

from minitensor.nn import functional as F
from minitensor.nn.loss.reduction import Loss, buffer
from minitensor.tensor import Tensor

__all__ = ["CrossEntropyLoss", "MultiMarginLoss", "NLLLoss"]


class CrossEntropyLoss(Loss):
    """L = -Σ_c w_c q_c log softmax(input)_c, with q the target's class or distribution, smoothed.

    input (n, classes, ...) or (classes,) are logits. target: integers (n, ...) or (), of which `ignore_index` counts
    for nothing, or floats of the input's shape. weight (classes,) is a buffer. The mean is Σ L / Σ w_t.
    Raises IndexError for a class out of range, ValueError for shapes that do not fit.
    Differs from PyTorch: no size_average and reduce.

    >>> CrossEntropyLoss(label_smoothing=0.1)(Tensor([[0.0, 0.0]]), Tensor([1]))
    Tensor float32 (): 0.6931
    """

    weight: Tensor | None
    shown = ("ignore_index", "label_smoothing")

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Loss):
    """L = -w_t x_t for log probabilities x and the target's class t; the mean is Σ L / Σ w_t.

    input (n, classes, ...) or (classes,), target integers (n, ...) or (), of which `ignore_index` counts for nothing.
    weight (classes,) is a buffer. Raises IndexError for a class out of range, ValueError for shapes that do not fit.
    Differs from PyTorch: no size_average and reduce.

    >>> NLLLoss()(Tensor([[-0.5, -1.0]]), Tensor([1]))
    Tensor float32 (): 1.
    """

    weight: Tensor | None
    shown = ("ignore_index",)

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the negative log likelihood."""
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MultiMarginLoss(Loss):
    """L = Σ_{i ≠ t} w_t max(0, margin - x_t + x_i)ᵖ / classes for the target's class t, p 1 or 2.

    input (n, classes) or (classes,), target integers (n,) or (). weight (classes,) is a buffer. Raises IndexError for a
    class out of range. Reference: Crammer & Singer 2001. Differs from PyTorch: no size_average and reduce.

    >>> MultiMarginLoss()(Tensor([[0.5, 1.0, -1.0]]), Tensor([0]))
    Tensor float32 (): 0.5
    """

    weight: Tensor | None
    shown = ("p", "margin")

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the multi-class hinge loss."""
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )
