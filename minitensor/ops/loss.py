"""Losses and similarities, with PyTorch's names, reductions and conventions."""

from __future__ import annotations

from typing import Any

from minitensor.composite import composite
from minitensor.ops.elementwise import abs, astype, clip, less, not_equal, sqrt, square, where
from minitensor.ops.index import one_hot
from minitensor.ops.reduce import log_softmax, mean, sum

__all__ = ["cosine_similarity", "cross_entropy", "mse_loss", "smooth_l1_loss"]

Array = Any


def _reduced(loss: Array, reduction: str) -> Array:
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none'; got {reduction!r}")
    return mean(loss) if reduction == "mean" else sum(loss)


@composite
def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """(input - target)², averaged over all entries"""
    return _reduced(square(input - target), reduction)


@composite
def smooth_l1_loss(input: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean") -> Array:
    """d²/(2 beta) where |d| < beta, else |d| - beta/2, for d = input - target (Girshick 2015), averaged"""
    d = abs(input - target)
    if beta == 0:
        return _reduced(d, reduction)
    return _reduced(where(less(d, beta), square(d) * (0.5 / beta), d - 0.5 * beta), reduction)


@composite
def cosine_similarity(x1: Array, x2: Array, *, axis: int = -1, eps: float = 1e-8) -> Array:
    """x1 · x2 / (max(|x1|, eps) max(|x2|, eps)) along an axis"""
    # the squares are clipped, not the norms: √ has no finite gradient at 0
    n1 = sqrt(clip(sum(square(x1), axis=axis), min=eps * eps))
    n2 = sqrt(clip(sum(square(x2), axis=axis), min=eps * eps))
    return sum(x1 * x2, axis=axis) / (n1 * n2)


@composite
def cross_entropy(
    input: Array, target: Array, *, ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Array:
    """-Σ_c q_c log softmax(input)_c, with q the target's class (smoothed) or the target itself

    input (n, classes, ...) are logits; target is integers (n, ...) or probabilities (n, classes, ...). Places whose
    class is `ignore_index` count neither in the sum nor in the mean.
    """
    classes = input.shape[1]
    logp = log_softmax(input, axis=1)
    if target.dtype.kind == "f":
        q = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -sum(q * logp, axis=1)
        return _reduced(loss, reduction)
    kept = not_equal(target, ignore_index)  # (n, ...)
    q = one_hot(where(kept, target, 0), classes=classes, dtype=input.dtype)  # (n, ..., classes)
    order = (0, len(q.shape) - 1, *range(1, len(q.shape) - 1))
    q = q.transpose(order) * (1 - label_smoothing) + label_smoothing / classes
    weight = astype(kept, dtype=input.dtype)
    loss = -sum(q * logp, axis=1) * weight
    return sum(loss) / sum(weight) if reduction == "mean" else _reduced(loss, reduction)
