"""Lookups, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from minitensor.ops import index
from minitensor.tensor import Tensor

__all__ = ["one_hot"]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return 1 at position x of a new last axis, 0 elsewhere, as int64; -1 counts the classes from the largest x."""
    classes = int(tensor.max()) + 1 if num_classes == -1 else num_classes
    return index.one_hot(tensor, classes=classes, dtype="int64")  # type: ignore[no-any-return]
