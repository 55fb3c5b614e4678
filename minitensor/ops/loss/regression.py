"""Losses of numbers: how far is the input from the target?"""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.ops.elementwise import abs, clip, square
from minitensor.ops.loss.reduction import check_reduction, check_same_shape, reduced
from minitensor.ops.reductions.reduce import sum

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


def _weighted(name: str, loss: Array, weight: Array | None, reduction: str, by_weight: bool = True) -> Array:
    """Reduce w · loss; the mean divides by Σ w or by the number of entries."""
    check_reduction(reduction)
    if weight is None:
        return reduced(loss, reduction)
    if weight.shape != loss.shape:
        raise ValueError(f"{name}: weight has the shape of input, {loss.shape}; got {weight.shape}")
    if reduction == "mean" and by_weight:
        return sum(loss * weight) / sum(weight)
    return reduced(loss * weight, reduction)


def _huber(d: Array, edge: float) -> Array:
    """Return d²/2 where |d| < edge, else edge (|d| - edge/2): with c = d brought into ±edge it is c (d - c/2)."""
    c = clip(d, -edge, edge)
    return c * (d - 0.5 * c)


@composite
def l1_loss(input: Array, target: Array, *, reduction: str = "mean", weight: Array | None = None) -> Array:
    """L = |input - target|, averaged over all entries; "sum" adds them up, "none" keeps them.

    Two equal shapes -> () or, with "none", that shape; the gradient at equality is 0. `weight`, of the same shape,
    multiplies the entries, and the mean is Σ w L / Σ w. Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.l1_loss(mt.Tensor([1.0, 5.0]), mt.Tensor([2.0, 2.0]))
    Tensor float32 (): 2.
    """
    check_same_shape("l1_loss", input, target)
    return _weighted("l1_loss", abs(input - target), weight, reduction)


@composite(autocast="float32")
def mse_loss(input: Array, target: Array, *, reduction: str = "mean", weight: Array | None = None) -> Array:
    """L = (input - target)², averaged over all entries; "sum" adds them up, "none" keeps them.

    Two equal shapes -> () or, with "none", that shape. `weight`, of the same shape, multiplies the entries, and the
    mean is Σ w L / Σ w. Raises ValueError for shapes that differ.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.mse_loss(mt.Tensor([1.0, 5.0]), mt.Tensor([2.0, 2.0]))
    Tensor float32 (): 5.
    """
    check_same_shape("mse_loss", input, target)
    return _weighted("mse_loss", square(input - target), weight, reduction)


@composite(autocast="float32")
def smooth_l1_loss(input: Array, target: Array, reduction: str = "mean", beta: float = 1.0) -> Array:
    """L = d² / (2 beta) where |d| < beta, else |d| - beta / 2, for d = input - target, averaged over all entries.

    Two equal shapes -> () or, with "none", that shape; beta = 0 is `l1_loss`. Raises ValueError for shapes that differ
    and for a negative beta. Reference: Girshick 2015.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.smooth_l1_loss(mt.Tensor([1.0, 5.0]), mt.Tensor([1.5, 2.0]), reduction="none")
    Tensor float32 (2,): [0.125 2.5 ]
    """
    check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is at least 0; got {beta}")
    d = input - target
    if beta == 0:
        return reduced(abs(d), reduction)
    return reduced(_huber(d, beta) / beta, reduction)


@composite
def huber_loss(
    input: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0, weight: Array | None = None
) -> Array:
    """L = d² / 2 where |d| < delta, else delta (|d| - delta / 2), for d = input - target, averaged over all entries.

    Two equal shapes -> () or, with "none", that shape. `weight`, of the same shape, multiplies the entries; the mean is
    over their number. Raises ValueError for shapes that differ and for delta <= 0. Reference: Huber 1964.
    Differs from PyTorch: it does not broadcast.

    >>> import minitensor as mt
    >>> mt.nn.functional.huber_loss(mt.Tensor([1.0, 5.0]), mt.Tensor([2.0, 2.0]), reduction="none", delta=2.0)
    Tensor float32 (2,): [0.5 4. ]
    """
    check_same_shape("huber_loss", input, target)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta is above 0; got {delta}")
    return _weighted("huber_loss", _huber(input - target, delta), weight, reduction, by_weight=False)
