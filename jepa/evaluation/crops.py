"""Features of parts of an example: of one crop from its middle, and averaged over many."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.masks.box import drawn_box
from jepa.transforms.resize import crop_resize

Array = NDArray[np.float32]
Boxes = Sequence[tuple[int, ...]]


def center(lengths: Sequence[int], share: float) -> Boxes:
    """Return the box of a share of an example that lies in its middle.

    >>> center((32, 32), 0.25)
    [(8, 8, 16, 16)]
    """
    return [drawn_box(lengths, [0.0, 0.5] + [0.5] * len(lengths), scale=(share, share), aspect=(1.0, 1.0))]


def scattered(lengths: Sequence[int], share: float, count: int, seed: int = 0) -> Boxes:
    """Return boxes of a share of an example at random places, the same of every example."""
    places = np.random.default_rng(seed).random((count, 2 + len(lengths))).tolist()
    return [drawn_box(lengths, place, scale=(share, share), aspect=(1.0, 1.0)) for place in places]


def averaged(features: Callable[[Array], Array], boxes: Boxes) -> Callable[[Any], Array]:
    """Return what makes the mean feature of an example's boxes, each enlarged to its size: (n, *shape) -> (n, d).

    >>> f = averaged(lambda x: x.mean(axis=(1, 2))[:, None], [(0, 2), (2, 2)])
    >>> f(np.float32([[[0, 0, 4, 4]], [[1, 1, 2, 2]]])).tolist()
    [[2.0], [1.5]]
    """

    def made(x: Array) -> Array:
        total = sum(features(crop_resize(x, [box] * len(x), x.shape[2:])) for box in boxes)
        return np.asarray(total / len(boxes), np.float32)

    return made
