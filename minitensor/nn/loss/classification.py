"""Losses of classes, as layers."""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, share, whole
from minitensor.nn.loss.reduction import Loss, buffer
from minitensor.tensor import Tensor

__all__ = ["CTCLoss", "CrossEntropyLoss", "MultiLabelMarginLoss", "MultiMarginLoss", "NLLLoss"]


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
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        whole(self, None, ignore_index=ignore_index)
        share(self, label_smoothing=label_smoothing)
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

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", buffer(weight))
        whole(self, None, ignore_index=ignore_index)
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

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        number(self, p=p)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p is 1 or 2; got {p}")
        self.register_buffer("weight", buffer(weight))
        number(self, margin=margin)
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the multi-class hinge loss."""
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(Loss):
    """L = Σ_{t in target} Σ_{i not in target} max(0, 1 - x_t + x_i) / classes for several classes t of each sample.

    input (n, classes) or (classes,), target integers of the same shape: the classes, and -1 behind the last one.
    Raises IndexError for a class out of range, ValueError for shapes that differ.
    Differs from PyTorch: no size_average and reduce.

    >>> MultiLabelMarginLoss()(Tensor([[0.5, 1.0, -1.0]]), Tensor([[0, -1, -1]]))
    Tensor float32 (): 0.5
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the hinge loss of several classes."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class CTCLoss(Loss):
    """L = -ln Σ Π_t p_t(a_t) over all alignments a of T steps with the target: repeats merged, then blanks left out

    log_probs (T, n, classes) or (T, classes); targets integers (n, longest), or all in a row; lengths n integers each.
    The mean is of L / target length. A target that no alignment gives has L = inf, or 0 with zero_infinity. Raises
    ValueError for lengths that do not fit, IndexError for a class out of range. Reference: Graves et al. 2006.
    Differs from PyTorch: the gradient of log_probs is the loss's own; see `functional.ctc_loss`.

    >>> CTCLoss()(Tensor([[[-0.6931, -0.6931]], [[-0.6931, -0.6931]]]), Tensor([[1]]), [2], [1])
    Tensor float32 (): 0.2876
    """

    shown = ("blank", "zero_infinity")

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        whole(self, blank=blank)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Array, target_lengths: Array) -> Tensor:
        """Return the loss of all alignments."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            zero_infinity=self.zero_infinity,
        )
