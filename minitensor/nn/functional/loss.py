"""Losses, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.ops import loss
from minitensor.tensor import Tensor

__all__ = ["cosine_similarity", "cross_entropy", "mse_loss", "smooth_l1_loss"]


def _same_shape(name: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:  # broadcasting here is a mistake: (n, 1) against (n,) would compare all pairs
        raise ValueError(f"{name}: input {input.shape} and target {target.shape} differ in shape: reshape one of them")


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return (input - target)², averaged over all entries (or "sum", "none")."""
    _same_shape("mse_loss", input, target)
    return loss.mse_loss(input, target, reduction=reduction)  # type: ignore[no-any-return]


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return d² / (2 beta) where |d| < beta, else |d| - beta / 2, for d = input - target, averaged."""
    _same_shape("smooth_l1_loss", input, target)
    return loss.smooth_l1_loss(input, target, beta=beta, reduction=reduction)  # type: ignore[no-any-return]


def cross_entropy(
    input: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return -Σ_c q_c log softmax(input)_c for logits (n, classes, ...), averaged.

    target: classes (n, ...), of which `ignore_index` counts for nothing, or probabilities (n, classes, ...).
    """
    return loss.cross_entropy(  # type: ignore[no-any-return]
        input, target, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction=reduction
    )


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`."""
    return loss.cosine_similarity(x1, x2, axis=dim, eps=eps)  # type: ignore[no-any-return]
