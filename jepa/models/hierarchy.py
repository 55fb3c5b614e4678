"""Levels of a grid of patches: groups of 1, 2 x 2, 4 x 4, 8 x 8 of them, and which groups are hidden."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Groups", "groups"]


class Groups(NamedTuple):
    """The groups of one level."""

    grid: tuple[int, int]
    """rows and columns of groups"""
    members: NDArray[np.float32]
    """(G, N): 1 where a patch belongs to a group"""
    centres: NDArray[np.float64]
    """(G, 2): mean row and column of a group's patches"""

    def pool(self) -> NDArray[np.float32]:
        """Return the matrix (G, N) that takes the mean over each group's patches."""
        mean: NDArray[np.float32] = self.members / self.members.sum(axis=1, keepdims=True)
        return mean

    def hidden(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which groups are targets: those with at least half of their patches hidden; (n, N) -> (n, G)."""
        count = mask.astype(np.float32) @ self.members.T  # (n, G)
        targets: NDArray[np.bool_] = (2 * count >= self.members.sum(axis=1)) & (count > 0)
        return targets

    def hidden_mean(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the weights (n, G, N) of the mean over each group's hidden patches; 0 for groups without any."""
        weights = mask[:, None, :] * self.members  # (n, G, N)
        mean: NDArray[np.float32] = (weights / np.maximum(weights.sum(axis=2, keepdims=True), 1)).astype(np.float32)
        return mean


def groups(grid: tuple[int, int], level: int) -> Groups:
    """Return the groups of 2^level x 2^level patches of a grid; those at the border may be smaller.

    >>> level = groups((6, 5), 2)
    >>> level.grid, level.members.sum(axis=1).astype(int).tolist(), level.centres[1].tolist()
    ((2, 2), [16, 4, 8, 2], [1.5, 4.0])
    """
    size = 2**level
    across = -(-grid[0] // size), -(-grid[1] // size)
    rows, columns = (axis.reshape(-1) for axis in np.indices(grid))
    own = rows // size * across[1] + columns // size  # (N,): the group of each patch
    members = (own == np.arange(across[0] * across[1])[:, None]).astype(np.float32)
    places = np.stack([rows, columns], axis=1).astype(np.float64)
    return Groups(across, members, members @ places / members.sum(axis=1, keepdims=True))
