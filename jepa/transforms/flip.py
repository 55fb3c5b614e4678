"""Mirroring an image at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jepa.transforms.base import Examples, Transform


@dataclass(frozen=True)
class _Flip(Transform):
    p: float = 0.5
    axis: ClassVar[int]

    def draw(self, generator: np.random.Generator | None) -> bool:
        assert generator is not None, f"{type(self).__name__} needs a generator"
        return bool(generator.random() < self.p)

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        chosen = np.flatnonzero(draws)
        if not len(chosen):
            return x
        y = x.copy()
        y[chosen] = np.flip(x[chosen], axis=self.axis)
        return y


class RandomHorizontalFlip(_Flip):
    """Exchange left and right with probability p.

    >>> RandomHorizontalFlip(p=1.0)(np.float32([[[1, 2], [3, 4]]]), np.random.default_rng(0))
    array([[[2., 1.],
            [4., 3.]]], dtype=float32)
    """

    axis = 3


class RandomVerticalFlip(_Flip):
    """Exchange top and bottom with probability p.

    >>> RandomVerticalFlip(p=1.0)(np.float32([[[1, 2], [3, 4]]]), np.random.default_rng(0))
    array([[[3., 4.],
            [1., 2.]]], dtype=float32)
    """

    axis = 2
