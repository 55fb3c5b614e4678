"""Dropout, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

import numpy as np

from minitensor.backend import default_generator
from minitensor.tensor import Tensor

__all__ = ["dropout"]


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
