"""Examples of several arrays by name, such as an image and its caption: a function of each, and their joint grid."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Joint(tuple[int, ...]):
    """The grid of an encoder of several arrays: all their places, one array's behind the other's, (N,).

    >>> grid = joint({"image": (2, 2), "text": (3,)})
    >>> grid, grid.places
    ((7,), {'image': slice(0, 4, None), 'text': slice(4, 7, None)})
    """

    grids: dict[str, tuple[int, ...]]
    """places along each axis, of each array"""

    @property
    def places(self) -> dict[str, slice]:
        """Which of the places are an array's."""
        ends = np.cumsum([0, *(math.prod(grid) for grid in self.grids.values())]).tolist()
        return {name: slice(*ends[k : k + 2]) for k, name in enumerate(self.grids)}


def joint(grids: Mapping[str, tuple[int, ...]]) -> Joint:
    """Return the grid of several arrays, of which each has its own."""
    found = Joint((sum(math.prod(grid) for grid in grids.values()),))
    found.grids = dict(grids)
    return found


def each(f: Callable[[Any], Any], x: Any) -> Any:
    """Return f of an array; of examples of several arrays f of each, by name.

    >>> each(len, np.zeros((3, 2))), each(len, {"a": [1], "b": [2]})
    (3, {'a': 1, 'b': 1})
    """
    return {name: f(part) for name, part in x.items()} if isinstance(x, Mapping) else f(x)


def rows(x: Any, which: slice) -> Any:
    """Return rows of every array in a tree of tuples, lists and dictionaries.

    >>> rows(([np.arange(4)], {"a": np.zeros((4, 2))}, 7), slice(1, 3))[0]
    [array([1, 2])]
    """
    if isinstance(x, np.ndarray):
        return x[which]
    if isinstance(x, dict):
        return {name: rows(part, which) for name, part in x.items()}
    if isinstance(x, (tuple, list)):
        parts = [rows(part, which) for part in x]
        return type(x)(parts) if type(x) in (tuple, list) else type(x)(*parts)  # a NamedTuple takes them one by one
    return x


def size_of(x: Any) -> int:
    """Return how many examples there are, of one array or several by name."""
    return len(next(iter(x.values()))) if isinstance(x, Mapping) else len(x)
