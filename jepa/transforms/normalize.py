"""From [0, 1] to what a network likes to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepa.errors import DataError
from jepa.transforms.base import Examples, Transform


@dataclass(frozen=True, init=False)
class Normalize(Transform):
    """y = (x - mean) / std, for each channel.

    One number stands for all channels. mean 0, std 1 keeps [0, 1]; mean 0.5, std 0.5 gives [-1, 1].

    >>> Normalize(0.5, 0.5)(np.float32([[[0, 0.5, 1]]]), None)
    array([[[-1.,  0.,  1.]]], dtype=float32)
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        for name, value in (("mean", mean), ("std", std)):
            object.__setattr__(self, name, tuple(value) if isinstance(value, Sequence) else (value,))
        if min(self.std, default=0) <= 0:
            raise DataError(f"{self!r}: each std must be larger than 0")

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        if not {len(self.mean), len(self.std)} <= {1, x.shape[1]}:
            raise DataError(f"{self!r} needs one number, or one for each of the example's {x.shape[1]} channels")
        shape = -1, *[1] * (x.ndim - 2)  # the channels, or one number for all of them
        mean, std = (np.asarray(v, np.float64).reshape(shape) for v in (self.mean, self.std))
        y = x * (1 / std).astype(np.float32)
        y -= (mean / std).astype(np.float32)
        return y
