"""What a transform is, how several make one, and changes that a part of the examples undergoes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Examples = NDArray[np.float32]
Random = np.random.Generator | None


class Transform:
    """A change of examples. A subclass overrides `apply`, and `draw` if there is anything random about it.

    >>> class Darker(Transform):
    ...     def apply(self, x, draws):
    ...         return x / 2
    >>> Darker()(np.ones((1, 1, 2), np.float32), None)
    array([[[0.5, 0.5]]], dtype=float32)
    """

    def draw(self, generator: Random) -> Any:
        """Draw everything random about the change of one example; None if nothing is."""
        return None

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        """Change examples (n, *shape), each by its own draw, and leave `x` as it is."""
        raise NotImplementedError

    def __call__(self, x: Examples, generator: Random) -> Examples:
        """Change one example, such as an image (C, H, W)."""
        y: Examples = self.apply(x[None], [self.draw(generator)])[0]
        return y


class Compose(Transform):
    """Several changes, one after the other.

    >>> from jepa.transforms import RandomHorizontalFlip, RandomInvert
    >>> Compose([RandomInvert(p=0.2), RandomHorizontalFlip()])
    Compose([RandomInvert(p=0.2), RandomHorizontalFlip(p=0.5)])
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def draw(self, generator: Random) -> list[Any]:
        return [t.draw(generator) for t in self.transforms]

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        for k, transform in enumerate(self.transforms):
            x = transform.apply(x, [draw[k] for draw in draws])
        return x

    def __repr__(self) -> str:
        return f"Compose({self.transforms})"


@dataclass(frozen=True)
class Sometimes(Transform):
    """Base of changes that an example undergoes with probability p: a subclass says in `change` what they are."""

    p: float = 0.5

    def draw(self, generator: Random) -> bool:
        assert generator is not None, f"{type(self).__name__} needs a generator"
        return bool(generator.random() < self.p)

    def apply(self, x: Examples, draws: Sequence[Any]) -> Examples:
        chosen = np.flatnonzero(draws)
        if len(chosen):
            x = x.copy()
            x[chosen] = self.change(x[chosen])
        return x

    def change(self, x: Examples) -> Examples:
        """Return the examples (n, *shape) of which each is to be changed, so."""
        raise NotImplementedError
