"""What a transform is, and how several make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError

__all__ = ["Compose", "Each", "Images", "Transform", "as_transform", "check_probability"]

Images = NDArray[np.float32]


class Transform:
    """A change of images. A subclass overrides `apply`, and `draw` if there is anything random about it.

    >>> class Darker(Transform):
    ...     def apply(self, x, draws):
    ...         return x / 2
    >>> Darker()(np.ones((1, 1, 2), np.float32), None)
    array([[[0.5, 0.5]]], dtype=float32)
    """

    def draw(self, generator: np.random.Generator | None) -> Any:
        """Draw everything random about the change of one image; None if nothing is."""
        return None

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Change images (N, C, H, W) in [0, 1], each by its own draw, and leave `x` as it is."""
        raise NotImplementedError

    def __call__(self, x: Images, generator: np.random.Generator | None) -> Images:
        """Change one example, such as an image (C, H, W)."""
        y: Images = self.apply(x[None], [self.draw(generator)])[0]
        return y


class Compose(Transform):
    """Several changes, one after the other.

    >>> from jepa.transforms import Normalize, Resize
    >>> Compose([Resize(2), Normalize(0.5, 0.5)])
    Compose([Resize(size=2), Normalize(mean=(0.5,), std=(0.5,))])
    """

    def __init__(self, transforms: Sequence[Transform | Callable[..., Any]]) -> None:
        self.transforms = [as_transform(t) for t in transforms]

    def draw(self, generator: np.random.Generator | None) -> list[Any]:
        """Return the draw of each change."""
        return [t.draw(generator) for t in self.transforms]

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Apply the changes in their order."""
        for k, transform in enumerate(self.transforms):
            x = transform.apply(x, [draw[k] for draw in draws])
        return x

    def __repr__(self) -> str:
        return f"Compose({self.transforms})"


class Each(Transform):
    """A plain function f(x, generator) on one image (C, H, W), for each image of a stack.

    The function gets a generator of its own, so that it may draw when it is applied.

    >>> halve = Each(lambda x, generator: x / 2)
    >>> halve.apply(np.ones((2, 1, 1, 1), np.float32), [None, None]).ravel()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, function: Callable[[Images, np.random.Generator | None], Images]) -> None:
        self.function = function

    def draw(self, generator: np.random.Generator | None) -> np.random.Generator | None:
        """Return the function's own generator."""
        return None if generator is None else np.random.default_rng(generator.integers(2**63))

    def apply(self, x: Images, draws: Sequence[Any]) -> Images:
        """Apply the function to one image after the other."""
        return np.stack([self.function(image, draw) for image, draw in zip(x, draws, strict=True)]).astype(
            np.float32, copy=False
        )

    def __repr__(self) -> str:
        return f"Each({getattr(self.function, '__name__', self.function)})"


def as_transform(transform: Transform | Callable[..., Any] | None) -> Transform:
    """Return a Transform: itself, a plain function wrapped in `Each`, or, for None, one that changes nothing."""
    if transform is None:
        return Compose([])
    return transform if isinstance(transform, Transform) else Each(transform)


def check_probability(owner: object, p: float) -> None:
    """Raise DataError unless p is a probability."""
    if not 0 <= p <= 1:
        raise DataError(f"{type(owner).__name__}: p={p} must be a probability, 0 to 1")
