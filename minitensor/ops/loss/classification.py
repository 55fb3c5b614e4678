"""Losses of classes: one of several, by its number or by a distribution."""

from __future__ import annotations

from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.ops.elementwise import astype, clip, not_equal, relu, where
from minitensor.ops.indexing.index import one_hot, take, take_along_axis
from minitensor.ops.loss.reduction import check_classes, check_reduction, reduced
from minitensor.ops.nn.softmax import log_softmax
from minitensor.ops.reductions.reduce import sum

__all__ = ["cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "nll_loss"]


def _check(name: str, input: Array, target: Array, weight: Array | None) -> int:
    """Return which axis of the input holds the classes: 0 of one sample's (classes,), else 1."""
    if not input.shape:
        raise ValueError(f"{name}: input is (classes,) or (n, classes, ...); got a number")
    axis = 0 if len(input.shape) == 1 else 1
    wanted = (*input.shape[:axis], *input.shape[axis + 1 :])
    if target.shape != wanted:
        raise ValueError(f"{name}: input {input.shape} takes a target of shape {wanted}; got {target.shape}")
    _check_weight(name, input.shape[axis], weight)
    return axis


def _check_weight(name: str, classes: int, weight: Array | None) -> None:
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"{name}: weight has one entry for each of {classes} classes; got shape {weight.shape}")


def _pick(x: Array, index: Array, axis: int) -> Array:
    """Return x[..., index[...], ...], one entry of each lane along the axis."""
    shape = tuple(index.shape)
    lanes = index.reshape((*shape[:axis], 1, *shape[axis:]))
    return take_along_axis(x, lanes, axis=axis).reshape(shape)


def _weights(target: Array, index: Array, kept: Array, weight: Array | None, dtype: DTypeLike) -> Array:
    """Return the weight of each place: its class's, 0 where it is ignored."""
    places = astype(kept, dtype=dtype)
    return places if weight is None else take(weight, index, axis=0) * places


@composite
def nll_loss(
    input: Array, target: Array, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Array:
    """L = -w_t x_t for log probabilities x and the target's class t; the mean is Σ L / Σ w_t.

    input (n, classes, ...) or (classes,), target integers (n, ...) or (), weight (classes,) -> (), or the target's
    shape with "none". A place whose class is `ignore_index` counts neither in the sum nor in the mean; the mean of none
    is NaN. Raises IndexError for a class out of range, ValueError for shapes that do not fit, TypeError for a float
    target.
    Differs from PyTorch: a target may be of any integer dtype.

    >>> import minitensor as mt
    >>> logp = mt.nn.functional.log_softmax(mt.Tensor([[0.0, 0.0], [0.0, 1.0]]), 1)
    >>> mt.nn.functional.nll_loss(logp, mt.Tensor([0, 1]), reduction="none")
    Tensor float32 (2,): [0.6931 0.3133]
    """
    axis = _check("nll_loss", input, target, weight)
    check_classes("nll_loss", target, input.shape[axis], ignore_index)
    check_reduction(reduction)
    kept = not_equal(target, ignore_index)
    index = where(kept, target, 0)
    weights = _weights(target, index, kept, weight, input.dtype)
    # an ignored place is 0 even where its input is not finite
    loss = -where(kept, _pick(input, index, axis), 0.0) * weights
    return sum(loss) / sum(weights) if reduction == "mean" else reduced(loss, reduction)


@composite(autocast="float32")
def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """L = -Σ_c w_c q_c log softmax(input)_c, with q the target's class or distribution, smoothed.

    input (n, classes, ...) or (classes,) are logits. target: integers (n, ...) or (), of which `ignore_index` counts
    neither in the sum nor in the mean; or floats of the input's shape. q is mixed with the uniform distribution,
    (1 - s) q + s / classes for s = label_smoothing (Szegedy et al. 2016). The mean is Σ L / Σ w_t over the classes t
    that count (NaN if none does), and over all places for float targets. Raises IndexError for a class out of range,
    ValueError for shapes that do not fit, a smoothing beyond [0, 1], or ignore_index >= 0 with float targets.
    Differs from PyTorch: a target may be of any integer dtype.

    >>> import minitensor as mt
    >>> mt.nn.functional.cross_entropy(mt.Tensor([[0.0, 0.0], [0.0, 1.0]]), mt.Tensor([0, 1]), reduction="none")
    Tensor float32 (2,): [0.6931 0.3133]
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is between 0 and 1; got {label_smoothing}")
    if target.dtype.kind in "fV":
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    axis = _check("cross_entropy", input, target, weight)
    check_classes("cross_entropy", target, classes := input.shape[axis], ignore_index)
    kept = not_equal(target, ignore_index)
    index = where(kept, target, 0)
    weights = _weights(target, index, kept, weight, input.dtype)
    logp = log_softmax(input, axis=axis)
    loss = -where(kept, _pick(logp, index, axis), 0.0) * weights
    if label_smoothing:
        spread = sum(logp if weight is None else logp * _along(weight, logp, axis), axis=axis)
        loss = (1 - label_smoothing) * loss - (label_smoothing / classes) * where(kept, spread, 0.0)
    return sum(loss) / sum(weights) if reduction == "mean" else reduced(loss, reduction)


def _along(weight: Array, x: Array, axis: int) -> Array:
    """Return the weights of the classes as they broadcast against x."""
    return weight.reshape((-1, *(1,) * (len(x.shape) - axis - 1)))


def _soft_cross_entropy(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str, smoothing: float
) -> Array:
    if input.shape != target.shape or not input.shape:
        raise ValueError(
            f"cross_entropy: a float target is a distribution for each place, of the input's shape {input.shape}; "
            f"got {target.shape}"
        )
    if ignore_index >= 0:
        raise ValueError(f"cross_entropy: ignore_index is for integer targets; got {ignore_index} with a float target")
    axis = 0 if len(input.shape) == 1 else 1
    classes = input.shape[axis]
    _check_weight("cross_entropy", classes, weight)
    q = target * (1 - smoothing) + smoothing / classes if smoothing else target
    q = q if weight is None else q * _along(weight, q, axis)
    return reduced(-sum(q * log_softmax(input, axis=axis), axis=axis), reduction)


@composite
def multi_margin_loss(
    input: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """L = Σ_{i ≠ t} w_t max(0, margin - x_t + x_i)ᵖ / classes for the target's class t, p 1 or 2.

    input (n, classes) or (classes,), target integers (n,) or (), weight (classes,) -> (), or the target's shape with
    "none"; the mean is over n. The gradient at the margin is 0. Raises IndexError for a class out of range.
    Reference: Crammer & Singer 2001.

    >>> import minitensor as mt
    >>> mt.nn.functional.multi_margin_loss(mt.Tensor([[0.5, 1.0, -1.0]]), mt.Tensor([0]))
    Tensor float32 (): 0.5
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p is 1 or 2; got {p}")
    if len(input.shape) > 2:
        raise ValueError(f"multi_margin_loss: input is (classes,) or (n, classes); got {input.shape}")
    axis = _check("multi_margin_loss", input, target, weight)
    check_classes("multi_margin_loss", target, classes := input.shape[axis])
    others = 1 - one_hot(target, classes=classes, dtype=input.dtype)  # (n, classes)
    z = relu(margin - take_along_axis(input, target.reshape((*target.shape, 1)), axis=axis) + input)
    z = z if p == 1 else z * z
    loss = sum(z * others, axis=axis) / classes
    return reduced(loss if weight is None else loss * take(weight, target, axis=0), reduction)


@composite
def multilabel_margin_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    """L = Σ_{t in target} Σ_{i not in target} max(0, 1 - x_t + x_i) / classes for several classes t of each sample.

    input (n, classes) or (classes,), target integers of the same shape: the classes, and -1 behind the last one
    -> (), or (n,) or () with "none"; the mean is over n. The gradient at the margin is 0. Raises ValueError for other
    shapes, IndexError for a class out of range, TypeError for a float target.
    Differs from PyTorch: there is a second gradient.

    >>> import minitensor as mt
    >>> mt.nn.functional.multilabel_margin_loss(mt.Tensor([[0.5, 1.0, -1.0]]), mt.Tensor([[0, -1, -1]]))
    Tensor float32 (): 0.5
    """
    if len(input.shape) not in (1, 2) or not input.shape[-1] or input.shape != target.shape:
        raise ValueError(
            "multilabel_margin_loss: input is (classes,) or (n, classes), and target has its shape; "
            f"got {tuple(input.shape)} and {tuple(target.shape)}"
        )
    check_classes("multilabel_margin_loss", target, classes := input.shape[-1], -1)
    raw = target.data if isinstance(target, Variable) else target
    listed = raw >= 0
    for k in range(1, classes):  # what stands behind the first -1 is not looked at
        listed[..., k] &= listed[..., k - 1]
    index = where(listed, raw, 0)  # (..., classes)
    chosen = one_hot(index, classes=classes, dtype=input.dtype) * astype(listed, dtype=input.dtype)[..., None]
    others = 1 - clip(sum(chosen, axis=-2), max=1)  # (..., classes): 1 where the class is not in the target
    z = 1 - take_along_axis(input, index, axis=-1)[..., None] + input[..., None, :]  # (..., t, i)
    pairs = astype(listed, dtype=input.dtype)[..., None] * others[..., None, :]
    return reduced(sum(relu(z) * pairs, axis=(-2, -1)) / classes, reduction)
