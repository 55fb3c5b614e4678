"""Levels of a grid of places: groups of 1, 2, 4, 8 of them along each axis, and which groups are hidden."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.contracts import Flags, Grid


class Level(NamedTuple):
    """The groups of one level."""

    grid: Grid
    """groups along each axis"""
    members: NDArray[np.float32]
    """(G, N): 1 where a place belongs to a group"""
    centers: NDArray[np.float64]
    """(G, axes): the mean of a group's places along each axis"""

    def pool(self) -> NDArray[np.float32]:
        """Return the matrix (G, N) that takes the mean over each group's places."""
        mean: NDArray[np.float32] = self.members / self.members.sum(axis=1, keepdims=True)
        return mean

    def hidden(self, mask: Flags) -> Flags:
        """Return which groups are targets: those with at least half of their places hidden; (n, N) -> (n, G)."""
        count = mask.astype(np.float32) @ self.members.T  # (n, G)
        targets: Flags = (2 * count >= self.members.sum(axis=1)) & (count > 0)
        return targets

    def hidden_mean(self, mask: Flags) -> NDArray[np.float32]:
        """Return the weights (n, G, N) of the mean over each group's hidden places; 0 for groups without any."""
        weights = mask[:, None, :] * self.members  # (n, G, N)
        mean: NDArray[np.float32] = (weights / np.maximum(weights.sum(axis=2, keepdims=True), 1)).astype(np.float32)
        return mean


@functools.lru_cache(maxsize=32)
def groups(grid: Grid, level: int) -> Level:
    """Return the groups of 2^level places along each axis of a grid; those at the border may be smaller.

    >>> level = groups((6, 5), 2)
    >>> level.grid, level.members.sum(axis=1).astype(int).tolist(), level.centers[1].tolist()
    ((2, 2), [16, 4, 8, 2], [1.5, 4.0])
    """
    size = 2**level
    across = tuple(-(-length // size) for length in grid)
    places = np.indices(grid).reshape(len(grid), -1)  # (axes, N)
    own = np.ravel_multi_index(tuple(places // size), across)  # (N,): the group of each place
    members = (own == np.arange(np.prod(across))[:, None]).astype(np.float32)
    centers = members @ places.T.astype(np.float64) / members.sum(axis=1, keepdims=True)
    for array in (members, centers):  # they are shared
        array.flags.writeable = False
    return Level(across, members, centers)
