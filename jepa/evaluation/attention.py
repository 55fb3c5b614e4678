"""Where a vision transformer looks, through all of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["rollout"]


def rollout(maps: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Attention from each token back to the input: A_L ... A_1 with A_l = (mean over heads + 1) / 2, rows summing to 1.

    The residual stream carries half of each token on as it is, the other half is what attention mixes in.

    Parameters
    ----------
    maps : sequence of float arrays (n, heads, N, N)
        One for each block, from first to last; row i is what token i looks at.

    Returns
    -------
    float64 array (n, N, N)
        Row i: the share of each input token in token i of the last block.

    References
    ----------
    Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3, eq. 1.

    Examples
    --------
    >>> rollout([np.full((1, 2, 2, 2), 0.5)]).tolist()
    [[[0.75, 0.25], [0.25, 0.75]]]
    """
    total: NDArray[np.float64] | None = None
    for attention in maps:
        mixed = (np.asarray(attention, np.float64).mean(axis=1) + np.eye(attention.shape[-1])) / 2  # (n, N, N)
        mixed /= mixed.sum(axis=-1, keepdims=True)
        total = mixed if total is None else mixed @ total
    if total is None:
        raise ValueError("rollout needs the attention of one block at least")
    return total
