"""The contract `Team`: members that compute a batch together, a part each, as if one of them computed the whole.

Threads of one process are a team (`threads.py`), processes that MPI started are one (`teams/mpi.py`), and so are those
that have a GPU each, through NCCL (`teams/nccl.py`). `data_parallel` is where a team computes a batch: what needs the
whole batch, a batch norm inside of it or a loss behind it, gets it from there.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from minitensor.backend import Array

__all__ = ["Team", "cut", "member"]


class Team(Protocol):
    """Members who each hold a part of a batch, all at the same place of the same program.

    Every member calls the same methods in the same order: each call waits for all of them. The results are the same
    bits in each.

    The gradients follow from one rule: what all of them together minimize is the mean of what each computes,
    L = (1/size) Σ L_r. Behind `data_parallel` each has the whole batch, so that the L_r are the same, and L is the
    batch's loss. Then, with ḡ_r the gradient that reaches the result in member r:

        y = Σ x_r     (total):  each x_r has the gradient Σ ḡ_s over the members s
        y = [x_0 ...] (gather): x_r has the gradient Σ ḡ_s[r] over the members s, the sum of their slices
        weights, which all hold alike: the mean of the members' gradients (`optim.averaged`)
    """

    size: int
    """how many they are"""
    rank: int
    """which of them this one is, from 0"""

    def total(self, x: Array, what: str = "a sum") -> Array:
        """Return Σ x over the members, of one shape and dtype; `what` is said where they do not meet for the same."""
        ...

    def gather(self, value: Any, what: str = "values") -> list[Any]:
        """Return the values of all, in their order: arrays that may differ in their first axis, or any objects."""
        ...

    def broadcast(self, value: Any, what: str = "a value") -> Any:
        """Return the value of the first."""
        ...


class _Member(threading.local):
    team: Any = None  # whom this thread computes a part with: `threads.Threads`


member = _Member()


def cut(n: int, size: int, rank: int) -> slice:
    """Return which of n samples a member has: neighbors, in the order of the members, as many as any other or one less.

    >>> [cut(5, 2, rank) for rank in range(2)]
    [slice(0, 2, None), slice(2, 5, None)]
    """
    return slice(n * rank // size, n * (rank + 1) // size)
