"""Masks as sets: from indices of patches to a bool for each patch, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


def to_binary(indices: NDArray[Any], count: int, valid: Flags | None = None) -> Flags:
    """Return which of `count` patches each row of indices (B, K) names, (B, count); padding, not `valid`, names none.

    Raises IndexError for a patch beyond `count`.

    >>> to_binary(np.array([[1, 3]]), 4).tolist()
    [[False, True, False, True]]
    """
    named = np.zeros((len(indices), count), bool)
    rows, columns = np.nonzero(np.ones(indices.shape, bool) if valid is None else valid)
    named[rows, indices[rows, columns]] = True
    return named


def from_binary(mask: NDArray[Any]) -> tuple[Indices, Flags]:
    """Return the indices (B, K) of the patches that each row of a mask (B, N) names, and which of them are no padding.

    K is the size of the largest row; shorter ones are padded with 0 at the end.

    >>> indices, valid = from_binary(np.array([[0, 1, 1], [0, 0, 1]]))
    >>> indices.tolist(), valid.tolist()
    ([[1, 2], [2, 0]], [[True, True], [True, False]])
    """
    named = np.asarray(mask, bool)
    longest = int(named.sum(axis=1).max(initial=0))
    order = np.argsort(np.logical_not(named), axis=1, kind="stable")[:, :longest]
    valid = np.take_along_axis(named, order, axis=1)
    return np.where(valid, order, 0), valid
