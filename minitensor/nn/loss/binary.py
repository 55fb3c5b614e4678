"""Losses of yes or no, as layers."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number
from minitensor.nn.loss.reduction import Loss, buffer
from minitensor.tensor import Tensor

__all__ = ["BCELoss", "BCEWithLogitsLoss", "HingeEmbeddingLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss"]


class BCELoss(Loss):
    """L = -w (t ln x + (1 - t) ln(1 - x)) for probabilities x, with both logarithms at least -100.

    Two equal shapes -> (), or that shape with "none"; weight, a buffer, broadcasts. Raises ValueError for shapes that
    differ and for x outside [0, 1]. Differs from PyTorch: no size_average and reduce.

    >>> BCELoss()(Tensor([0.5]), Tensor([1.0]))
    Tensor float32 (): 0.6931
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the binary cross entropy."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """L = -w (p t ln σ(x) + (1 - t) ln(1 - σ(x))) for logits x, with p = pos_weight; it overflows for no x.

    Two equal shapes -> (), or that shape with "none"; weight and pos_weight, both buffers, broadcast. Raises ValueError
    for shapes that differ. Differs from PyTorch: no size_average and reduce.

    >>> BCEWithLogitsLoss(pos_weight=[2.0])(Tensor([0.0]), Tensor([1.0]))
    Tensor float32 (): 1.3863
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        self.register_buffer("pos_weight", buffer(pos_weight))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the binary cross entropy of σ(input)."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class SoftMarginLoss(Loss):
    """L = ln(1 + e^(-t x)) for a target t of -1 or 1.

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not overflow where -t x is large; no size_average and reduce.

    >>> SoftMarginLoss()(Tensor([0.0]), Tensor([1.0]))
    Tensor float32 (): 0.6931
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the logistic loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(Loss):
    """L = -Σ_c w_c (t_c ln σ(x_c) + (1 - t_c) ln(1 - σ(x_c))) / classes, for as many yes or no as there are classes.

    Two shapes (..., classes) -> (), or (...) with "none"; weight, a buffer, broadcasts. Raises ValueError for shapes
    that differ. Differs from PyTorch: no size_average and reduce.

    >>> MultiLabelSoftMarginLoss()(Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.0]]))
    Tensor float32 (): 0.6931
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the mean of the binary cross entropies."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class HingeEmbeddingLoss(Loss):
    """L = x where the target is 1, max(0, margin - x) where it is -1: x is a distance that should be small, or large.

    Two equal shapes -> (), or that shape with "none". Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast; no size_average and reduce.

    >>> HingeEmbeddingLoss()(Tensor([0.25, 0.25]), Tensor([1, -1]))
    Tensor float32 (): 0.5
    """

    shown = ("margin",)

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        number(self, margin=margin)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the hinge loss of distances."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)
