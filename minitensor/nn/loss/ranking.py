"""Losses of comparisons, as layers; and the distances and cosines they are made of."""

from __future__ import annotations

from minitensor.nn import functional as F
from minitensor.nn.base.checks import number, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.loss.reduction import Loss
from minitensor.tensor import Tensor

__all__ = ["CosineEmbeddingLoss", "CosineSimilarity", "MarginRankingLoss", "PairwiseDistance", "TripletMarginLoss"]


class MarginRankingLoss(Loss):
    """L = max(0, -t (x1 - x2) + margin): x1 should be the larger where the target t is 1, the smaller where it is -1.

    Three equal shapes -> (), or that shape with "none". Differs from PyTorch: no size_average and reduce.

    >>> MarginRankingLoss()(Tensor([1.0]), Tensor([3.0]), Tensor([1]))
    Tensor float32 (): 2.
    """

    shown = ("margin",)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        number(self, margin=margin)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the ranking loss."""
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """L = 1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Two shapes (n, d) with target (n,), or (d,) with (), -> (), or the target's with "none". Raises ValueError for other
    shapes. Differs from PyTorch: no size_average and reduce.

    >>> CosineEmbeddingLoss()(Tensor([[1.0, 0.0]]), Tensor([[0.0, 1.0]]), Tensor([1]))
    Tensor float32 (): 1.
    """

    shown = ("margin",)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        number(self, margin=margin)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the cosines."""
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """L = max(0, d(a, p) - d(a, n) + margin), d(x, y) = ‖x - y + eps‖_p along the last axis.

    Three shapes (..., d) -> (), or (...) with "none". With `swap` d(p, n) stands in for d(a, n) where it is smaller.
    Raises ValueError for margin <= 0. Reference: Schroff et al. 2015.
    Differs from PyTorch: no size_average and reduce.

    >>> TripletMarginLoss()(Tensor([[0.0]]), Tensor([[2.0]]), Tensor([[1.5]]))
    Tensor float32 (): 1.5
    """

    shown = ("margin", "p", "eps", "swap")

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        number(self, margin=margin)
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin is above 0; got {margin}")
        number(self, infinite=True, p=p)
        number(self, 0, eps=eps)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the triplet loss."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class CosineSimilarity(Layer):
    """y = x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`.

    x1 and x2 broadcast to one shape, which loses the axis `dim`.

    >>> CosineSimilarity()(Tensor([[1.0, 0.0]]), Tensor([[1.0, 1.0]]))
    Tensor float32 (1,): [0.7071]
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        whole(self, None, dim=dim)
        number(self, 0, eps=eps)
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"dim={self.dim}, eps={self.eps}"


class PairwiseDistance(Layer):
    """y = ‖x1 - x2 + eps‖_p along the last axis.

    x1 and x2 broadcast to (..., d) -> (...), or (..., 1) with keepdim. Differs from PyTorch: a negative p is refused.

    >>> PairwiseDistance()(Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]]))
    Tensor float32 (1,): [5.]
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        number(self, infinite=True, p=p)
        number(self, 0, eps=eps)
        self.p, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}, eps={self.eps}" + (", keepdim=True" if self.keepdim else "")
