"""Losses that are the negative log likelihood of a distribution, or a divergence between two."""

from __future__ import annotations

import math

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.ops.elementwise import equal, exp, log, square, where
from minitensor.ops.linalg.distance import raised
from minitensor.ops.loss.reduction import reduced
from minitensor.ops.reductions.reduce import sum

__all__ = ["gaussian_nll_loss", "kl_div", "poisson_nll_loss"]


@composite
def kl_div(input: Array, target: Array, reduction: str = "mean", log_target: bool = False) -> Array:
    """L = t (ln t - x) at each entry, for log probabilities x and probabilities t: Kullback-Leibler, KL(t ‖ eˣ).

    Shapes broadcast -> (), or that shape with "none"; with log_target the target is ln t. "mean" is over all entries,
    "batchmean", the mathematical one, is the sum over the length of axis 0. 0 ln 0 is 0.
    Differs from PyTorch: the gradient of t at t = 0 is -x, not NaN; "mean" does not warn.

    >>> import minitensor as mt
    >>> mt.nn.functional.kl_div(mt.Tensor([[-0.6931, -0.6931]]), mt.Tensor([[1.0, 0.0]]), reduction="batchmean")
    Tensor float32 (): 0.6931
    """
    if log_target:
        loss = exp(target) * (target - input)
    else:
        loss = target * log(where(equal(target, 0), 1.0, target)) - target * input
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.shape else sum(loss)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"kl_div: reduction is 'batchmean', 'mean', 'sum' or 'none'; got {reduction!r}")
    return reduced(loss, reduction)


@composite
def poisson_nll_loss(
    input: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    """L = eˣ - t x for counts t of a Poisson distribution with mean eˣ; without log_input, L = x - t ln(x + eps).

    Shapes broadcast -> (), or that shape with "none". `full` adds Stirling's t ln t - t + ln(2πt) / 2 where t > 1.

    >>> import minitensor as mt
    >>> mt.nn.functional.poisson_nll_loss(mt.Tensor([0.0, 1.0]), mt.Tensor([2.0, 2.0]), reduction="none")
    Tensor float32 (2,): [1. 0.7183]
    """
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        t = where(target > 1, target, 1.0)
        loss = loss + where(target > 1, t * log(t) - t + 0.5 * log(2 * math.pi * t), 0.0)
    return reduced(loss, reduction)


@composite
def gaussian_nll_loss(
    input: Array, target: Array, var: Array, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Array:
    """L = (ln v + (x - t)² / v) / 2 for targets t of a normal distribution with mean x and variance v = max(var, eps).

    input and target broadcast; var has the input's shape, or 1 in place of one length, or lacks its last axis, or is a
    number -> (), or the common shape with "none". `full` adds ln(2π) / 2. The floor eps leaves the gradient of var as
    it is. Raises ValueError for another shape of var, for a negative entry, or eps <= 0. Reference: Nix & Weigend 1994.

    >>> import minitensor as mt
    >>> mt.nn.functional.gaussian_nll_loss(mt.Tensor([0.0]), mt.Tensor([2.0]), mt.Tensor([1.0]))
    Tensor float32 (): 2.
    """
    if eps <= 0:
        raise ValueError(f"gaussian_nll_loss: eps is above 0; got {eps}")
    if isinstance(var, (int, float)):
        var = var + 0 * input
    if var.shape != input.shape:
        other = [v for n, v in zip(input.shape, var.shape, strict=False) if n != v]
        if var.shape == input.shape[:-1]:
            var = var.reshape((*var.shape, 1))
        elif len(var.shape) != len(input.shape) or other != [1]:
            raise ValueError(f"gaussian_nll_loss: var has the shape {input.shape} of input, or less; got {var.shape}")
    if ((var.data if isinstance(var, Variable) else var) < 0).any():
        raise ValueError("gaussian_nll_loss: var is a variance, at least 0; it has a negative entry")
    v = raised(var, least=eps)
    loss = 0.5 * (log(v) + square(input - target) / v)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
