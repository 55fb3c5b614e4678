"""Losses of yes or no: one number for each question."""

from __future__ import annotations

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.elementwise import clip, where
from minitensor.ops.elementwise.selection import select
from minitensor.ops.loss.reduction import check_same_shape, reduced
from minitensor.ops.nn.activation import logsigmoid

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "hinge_embedding_loss", "multilabel_soft_margin_loss",
    "soft_margin_loss",
]  # fmt: skip


@op("floating")
def log_likelihood(input: Array, target: Array) -> Array:
    """y = t ln x + (1 - t) ln(1 - x), where both logarithms are at least -100

    The gradient in x is (t - x) / max(x (1 - x), 1e-12), the one in t is the difference of the two logarithms.
    """
    xp = namespace(input, target)
    yes = select(input > 0, xp.maximum(xp.log(select(input > 0, input, 1)), -100), -100)
    no = select(input < 1, xp.maximum(xp.log1p(-select(input < 1, input, 0)), -100), -100)
    return target * yes + (1 - target) * no


@op("floating")
def likelihood_slope(input: Array, target: Array) -> Array:
    """y = (t - x) / max(x (1 - x), 1e-12), the slope of the log likelihood"""
    return (target - input) / namespace(input, target).maximum(input * (1 - input), 1e-12)


def _curvature(g: Array, input: Array, target: Array) -> Array:
    """The second derivative, finite at x = 0 and x = 1 by a small number beside each factor."""
    both = (input + 1e-12) * (1 - input + 1e-12)
    return -g * (input * input - 2 * input * target + target) / (both * both)


log_likelihood.vjp(
    input=lambda g, input, target: g * likelihood_slope(input, target),
    target=lambda g, input: g * (log_likelihood(input, 1 + 0 * input) - log_likelihood(input, 0 * input)),
)
likelihood_slope.vjp(
    input=_curvature,
    target=lambda g, input: g / clip(input * (1 - input), min=1e-12),
)


@composite
def binary_cross_entropy(input: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Array:
    """L = -w (t ln x + (1 - t) ln(1 - x)) for probabilities x, with both logarithms at least -100.

    Two equal shapes -> () or, with "none", that shape; weight broadcasts. So L is finite at x = 0 and 1, and its
    gradient is at most 1e12. Raises ValueError for shapes that differ and for x that is not in [0, 1], NaN included.
    Differs from PyTorch: the gradient of the target is cut at ±100 too; weight has a gradient.

    >>> import minitensor as mt
    >>> mt.nn.functional.binary_cross_entropy(mt.Tensor([0.5, 0.0]), mt.Tensor([1.0, 1.0]), reduction="none")
    Tensor float32 (2,): [ 0.6931 100. ]
    """
    check_same_shape("binary_cross_entropy", input, target)
    x = input.data if isinstance(input, Variable) else input
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(
            "binary_cross_entropy: input is probabilities, all in [0, 1]; this one holds others "
            "(for logits, use binary_cross_entropy_with_logits)"
        )
    loss = -log_likelihood(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


@composite
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """L = -w (p t ln σ(x) + (1 - t) ln(1 - σ(x))) for logits x, with p = pos_weight; it overflows for no x.

    Two equal shapes -> () or, with "none", that shape; weight and pos_weight broadcast. Raises ValueError for shapes
    that differ.

    >>> import minitensor as mt
    >>> mt.nn.functional.binary_cross_entropy_with_logits(mt.Tensor([0.0, 1000.0]), mt.Tensor([1.0, 1.0]))
    Tensor float32 (): 0.3466
    """
    check_same_shape("binary_cross_entropy_with_logits", input, target)
    log_weight = 1.0 if pos_weight is None else (pos_weight - 1) * target + 1
    loss = (1 - target) * input - log_weight * logsigmoid(input)
    return reduced(loss if weight is None else loss * weight, reduction)


@composite
def soft_margin_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    """L = ln(1 + e^(-t x)) for a target t of -1 or 1.

    Two equal shapes -> () or, with "none", that shape. Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not overflow where -t x is large, and does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.soft_margin_loss(mt.Tensor([0.0, 3.0]), mt.Tensor([1.0, -1.0]), reduction="none")
    Tensor float32 (2,): [0.6931 3.0486]
    """
    check_same_shape("soft_margin_loss", input, target)
    return reduced(-logsigmoid(target * input), reduction)


@composite
def multilabel_soft_margin_loss(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """L = -Σ_c w_c (t_c ln σ(x_c) + (1 - t_c) ln(1 - σ(x_c))) / classes, for as many yes or no as there are classes.

    Two shapes (..., classes) -> () or, with "none", (...); weight broadcasts. Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.multilabel_soft_margin_loss(mt.Tensor([[0.0, 0.0]]), mt.Tensor([[1.0, 0.0]]))
    Tensor float32 (): 0.6931
    """
    check_same_shape("multilabel_soft_margin_loss", input, target)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(loss.mean(axis=-1), reduction)


@composite
def hinge_embedding_loss(input: Array, target: Array, margin: float = 1.0, reduction: str = "mean") -> Array:
    """L = x where the target is 1, max(0, margin - x) where it is -1: x is a distance that should be small, or large.

    Two equal shapes -> () or, with "none", that shape; the gradient at the margin is the hinge's, -1. Raises ValueError
    for shapes that differ.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.hinge_embedding_loss(mt.Tensor([0.3, 0.3]), mt.Tensor([1, -1]), reduction="none")
    Tensor float32 (2,): [0.3 0.7]
    """
    check_same_shape("hinge_embedding_loss", input, target)
    apart = where(target != 1, clip(margin - input, min=0), 0.0)
    return reduced(apart + where(target != -1, input, 0.0), reduction)
