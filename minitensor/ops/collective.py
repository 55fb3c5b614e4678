"""What the parts of a batch have to know of each other: the sum over all of them."""

from __future__ import annotations

from typing import Any

from minitensor.op import op
from minitensor.threads import member

__all__ = ["all_sum"]

Array = Any


@op
def all_sum(x: Array) -> Array:
    """y = Σ x over the members of the team that works on a batch (see `data_parallel`); x itself outside of one.

    Each member gets y, and a loss that depends on all of them passes its gradient to each: the rule is the same sum.
    """
    return x * 1 if member.team is None else member.team.total(member.rank, x)


all_sum.vjp(x=lambda g: all_sum(g))
