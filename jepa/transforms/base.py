"""What a transform is, and how several make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Examples = NDArray[np.float32]


class Transform:
    """A change of examples. A subclass overrides `apply`, and `draw` if there is anything random about it.

    >>> class Darker(Transform):
    ...     def apply(self, x, draws):
    ...         return x / 2
    >>> Darker()(np.ones((1, 1, 2), np.float32), None)
    array([[[0.5, 0.5]]], dtype=float32)
    """

    def draw(self, generator: np.random.Generator | None) -> Any:
        """Draw everything random about the change of one example; None if nothing is."""
        return None

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        """Change examples (n, *shape), each by its own draw, and leave `x` as it is."""
        raise NotImplementedError

    def __call__(self, x: Examples, generator: np.random.Generator | None) -> Examples:
        """Change one example, such as an image (C, H, W)."""
        y: Examples = self.apply(x[None], [self.draw(generator)])[0]
        return y


class Compose(Transform):
    """Several changes, one after the other.

    >>> from jepa.transforms import Normalize, RandomInvert
    >>> Compose([RandomInvert(p=0.2), Normalize(0.5, 0.5)])
    Compose([RandomInvert(p=0.2), Normalize(mean=(0.5,), std=(0.5,))])
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def draw(self, generator: np.random.Generator | None) -> list[Any]:
        return [t.draw(generator) for t in self.transforms]

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        for k, transform in enumerate(self.transforms):
            x = transform.apply(x, [draw[k] for draw in draws])
        return x

    def __repr__(self) -> str:
        return f"Compose({self.transforms})"
