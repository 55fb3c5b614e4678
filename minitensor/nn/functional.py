"""The functions behind the layers, with PyTorch's names, argument order and defaults (`dim` is NumPy's axis)."""

from __future__ import annotations

import math

import numpy as np

from minitensor.backend import default_generator
from minitensor.graph import describe
from minitensor.ops import (
    activation,
    attention,
    convolution,
    elementwise,
    index,
    linalg,
    loss,
    normalisation,
    pooling,
    reduce,
)
from minitensor.ops.convolution import pair
from minitensor.tensor import Tensor

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "conv2d", "cosine_similarity", "cross_entropy", "dropout",
    "gelu", "layer_norm", "linear", "log_softmax", "max_pool2d", "mse_loss", "normalize", "one_hot", "relu",
    "scaled_dot_product_attention", "smooth_l1_loss", "softmax",
]  # fmt: skip

Size = int | tuple[int, int]


def _images(name: str, x: Tensor) -> None:
    if len(x.shape) != 4:
        raise ValueError(f"{name} takes images (n, c, h, w); got {describe(x)}")


def relu(input: Tensor) -> Tensor:
    """Return max(x, 0)."""
    return elementwise.relu(input)  # type: ignore[no-any-return]


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x); approximate="tanh" is the closed form."""
    return activation.gelu(input, approximate=approximate)  # type: ignore[no-any-return]


def softmax(input: Tensor, dim: int) -> Tensor:
    """Return e^x / Σ e^x along `dim`."""
    return reduce.softmax(input, axis=dim)  # type: ignore[no-any-return]


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Return x - ln Σ e^x along `dim`."""
    return reduce.log_softmax(input, axis=dim)  # type: ignore[no-any-return]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: (..., in) with weight (out, in), bias (out,) -> (..., out)."""
    return linalg.linear(input, weight, bias)  # type: ignore[no-any-return]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Return the 2-D cross-correlation: (n, c, h, w) with weight (o, c / groups, kh, kw) -> (n, o, h', w')."""
    _images("conv2d", input)
    return convolution.conv2d(  # type: ignore[no-any-return]
        input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def max_pool2d(input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the largest entry of each window: (n, c, h, w) -> (n, c, h', w')."""
    _images("max_pool2d", input)
    return pooling.max_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)  # type: ignore[no-any-return]


def avg_pool2d(input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """Return the mean of each window, padding zeros counted: (n, c, h, w) -> (n, c, h', w')."""
    _images("avg_pool2d", input)
    return pooling.avg_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)  # type: ignore[no-any-return]


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Return the mean over each of h' by w' parts: (n, c, h, w) -> (n, c, h', w'); None keeps an axis."""
    _images("adaptive_avg_pool2d", input)
    wanted = pair(output_size)  # type: ignore[arg-type]
    size = tuple(n if m is None else m for n, m in zip(input.shape[2:], wanted, strict=True))
    return pooling.adaptive_avg_pool2d(input, output_size=size)  # type: ignore[no-any-return]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias for each channel: (n, c, ...), the same out.

    In training, mean and (biased) variance are the batch's, and running statistics that were passed are moved in place:
    running = (1 - momentum) running + momentum · batch, with the unbiased variance. Else the running ones are used.
    """
    if training:
        count = math.prod(input.shape) // max(1, input.shape[1])
        if count < 2:
            raise ValueError(
                f"batch_norm in training needs more than one value per channel; got "
                f"{describe(input)}: use a larger batch, or eval()"
            )
        y, mean, var = normalisation.batch_norm(input, weight, bias, eps=eps)
        for running, batch in ((running_mean, mean.data), (running_var, var.data * (count / (count - 1)))):
            if running is not None:
                running.data *= 1 - momentum
                running.data += batch * momentum
                running.changed()
        return y  # type: ignore[no-any-return]
    if running_mean is None or running_var is None:
        raise ValueError("batch_norm outside training needs running_mean and running_var")
    # two vectors (c,) first, so that the images are read once: y = x a + b
    a = 1 / elementwise.sqrt(running_var + eps)
    a = a if weight is None else weight * a
    b = -running_mean * a if bias is None else bias - running_mean * a
    shape = (-1, *(1,) * (len(input.shape) - 2))
    return input * a.reshape(shape) + b.reshape(shape)  # type: ignore[no-any-return]


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / √(var + eps) · weight + bias over the last axes, whose lengths are `normalized_shape`."""
    axes = len(normalized_shape)
    if input.shape[-axes:] != tuple(normalized_shape):
        raise ValueError(f"layer_norm over {tuple(normalized_shape)}: the last axes differ in {describe(input)}")
    return normalisation.layer_norm(input, weight, bias, axes=axes, eps=eps)  # type: ignore[no-any-return]


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Return x m / (1 - p) with m = 0 at a share p of the entries, else 1; x itself outside training.

    The mask is drawn on the host by `generator`, or the default one, so that all devices drop the same entries.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a share between 0 and 1; got {p}")
    if not training or p == 0:
        return input
    kept = (generator or default_generator()).random(input.shape, dtype=np.float32) >= p
    mask = kept.astype(np.float32) * np.float32(1 / (1 - p) if p < 1 else 0)  # the shape of x
    return input * Tensor(mask.astype(input.dtype), device=input.device)  # type: ignore[no-any-return]


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return x / max(‖x‖_p, eps) along `dim`."""
    powers = elementwise.square(input) if p == 2 else elementwise.abs(input) ** p
    # the sum is clipped, not its root, which has no finite gradient at 0
    total = elementwise.clip(reduce.sum(powers, axis=dim, keepdims=True), min=eps**p)
    return input / (elementwise.sqrt(total) if p == 2 else total ** (1 / p))  # type: ignore[no-any-return]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return 1 at position x of a new last axis, 0 elsewhere, as int64; -1 counts the classes from the largest x."""
    classes = int(tensor.max()) + 1 if num_classes == -1 else num_classes
    return index.one_hot(tensor, classes=classes, dtype="int64")  # type: ignore[no-any-return]


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


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return softmax(q kᵀ · scale + mask) v, scale 1/√d: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e).

    A bool mask (..., n, m) says where to look; `is_causal` lets row i look at columns up to i.
    """
    n, m = query.shape[-2], key.shape[-2]
    if is_causal:
        if attn_mask is not None:
            raise ValueError("scaled_dot_product_attention takes attn_mask or is_causal, not both")
        attn_mask = Tensor(np.tri(n, m, dtype=bool), device=query.device)
    attend = attention.scaled_dot_product_attention
    if dropout_p == 0:
        return attend(query, key, value, attn_mask, scale=scale)  # type: ignore[no-any-return]
    unit = Tensor(np.eye(m), dtype=query.dtype, device=query.device)
    weights = attend(query, key, unit, attn_mask, scale=scale)  # (..., n, m): attention to a unit matrix is its weights
    return dropout(weights, dropout_p) @ value  # type: ignore[no-any-return]
