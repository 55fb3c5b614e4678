"""What the losses share: how one number is made of many, and what their arguments must be."""

from __future__ import annotations

from minitensor.backend import Array
from minitensor.graph import Variable, describe
from minitensor.ops.reductions.reduce import mean, sum

__all__ = ["check_classes", "check_reduction", "check_same_shape", "reduced"]


def check_reduction(reduction: str) -> None:
    """Raise ValueError for a reduction that is not known."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none'; got {reduction!r}")


def reduced(loss: Array, reduction: str) -> Array:
    """Return the mean or the sum of all entries, or the entries."""
    check_reduction(reduction)
    return loss if reduction == "none" else mean(loss) if reduction == "mean" else sum(loss)


def check_same_shape(name: str, input: Array, target: Array) -> None:
    """Raise ValueError if the shapes differ: to broadcast is a mistake, (n, 1) against (n,) would compare all pairs."""
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} differ in shape: reshape one of them"
        )


def check_classes(name: str, target: Array, classes: int, ignored: int | None = None) -> None:
    """Raise TypeError for classes that are not integers, IndexError for one that is not in [0, classes)."""
    t = target.data if isinstance(target, Variable) else target
    if t.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target's classes are integers; got {describe(target)}")
    wrong = (t < 0) | (t >= classes)
    if ignored is not None:
        wrong = wrong & (t != ignored)
    if wrong.any():
        but = "" if ignored is None else f" (or ignore_index, {ignored})"
        raise IndexError(f"{name}: a class is 0 to {classes - 1}{but}; the target holds {t[wrong][0].item()}")
