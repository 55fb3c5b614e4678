"""Losses of comparisons: which of two should be larger, nearer, or alike."""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import clip, equal, minimum, sqrt, square, where
from minitensor.ops.linalg.distance import pairwise_distance
from minitensor.ops.loss.reduction import reduced
from minitensor.ops.reductions.reduce import sum

__all__ = ["cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss"]


@composite
def margin_ranking_loss(
    input1: Array, input2: Array, target: Array, margin: float = 0.0, reduction: str = "mean"
) -> Array:
    """L = max(0, -t (x1 - x2) + margin): x1 should be the larger where the target t is 1, the smaller where it is -1.

    Three equal shapes -> () or, with "none", that shape; the gradient at the hinge is that of its slope. Raises
    ValueError for another number of axes.

    >>> import minitensor as mt
    >>> x1, x2, t = mt.Tensor([1.0, 1.0]), mt.Tensor([3.0, 3.0]), mt.Tensor([1, -1])
    >>> mt.nn.functional.margin_ranking_loss(x1, x2, t, reduction="none")
    Tensor float32 (2,): [2. 0.]
    """
    if not len(input1.shape) == len(input2.shape) == len(target.shape):
        raise ValueError(
            "margin_ranking_loss: input1, input2 and target have one shape; "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    return reduced(clip(-target * (input1 - input2) + margin, min=0), reduction)


@composite
def cosine_embedding_loss(
    input1: Array, input2: Array, target: Array, margin: float = 0.0, reduction: str = "mean"
) -> Array:
    """L = 1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Two shapes (n, d) with target (n,), or (d,) with (), -> () or, with "none", the target's. The squared lengths have
    1e-12 added, so that a vector of zeros has the cosine 0 and a finite gradient. Raises ValueError for other shapes.

    >>> import minitensor as mt
    >>> x1, x2 = mt.Tensor([[1.0, 0.0]]), mt.Tensor([[0.0, 1.0]])
    >>> mt.nn.functional.cosine_embedding_loss(x1, x2, mt.Tensor([1]))
    Tensor float32 (): 1.
    """
    axes = len(target.shape)
    if axes > 1 or not len(input1.shape) == len(input2.shape) == axes + 1:
        raise ValueError(
            "cosine_embedding_loss: input1 and input2 are (n, d) with a target (n,), or (d,) with (); "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    lengths = (sum(square(input1), axis=-1) + 1e-12) * (sum(square(input2), axis=-1) + 1e-12)
    cosine = sum(input1 * input2, axis=-1) / sqrt(lengths)
    unlike = where(equal(target, -1), clip(cosine - margin, min=0), 0.0)
    return reduced(where(equal(target, 1), 1 - cosine, 0.0) + unlike, reduction)


@composite
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """L = max(0, d(a, p) - d(a, n) + margin), d(x, y) = ‖x - y + eps‖_p along the last axis.

    Three shapes (..., d) with as many axes -> () or, with "none", (...). With `swap` d(p, n) stands in for d(a, n)
    where it is smaller (Balntas et al. 2016). Raises ValueError for margin <= 0 or axes that differ.
    Reference: Schroff et al. 2015.

    >>> import minitensor as mt
    >>> a, p, n = mt.Tensor([[0.0]]), mt.Tensor([[2.0]]), mt.Tensor([[1.5]])
    >>> mt.nn.functional.triplet_margin_loss(a, p, n)
    Tensor float32 (): 1.5
    """
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin is above 0; got {margin}")
    if not len(anchor.shape) == len(positive.shape) == len(negative.shape):
        raise ValueError(
            "triplet_margin_loss: anchor, positive and negative have as many axes; "
            f"got {anchor.shape}, {positive.shape} and {negative.shape}"
        )
    near = pairwise_distance(anchor, positive, p=p, eps=eps)
    far = pairwise_distance(anchor, negative, p=p, eps=eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p=p, eps=eps))
    return reduced(clip(margin + near - far, min=0), reduction)
