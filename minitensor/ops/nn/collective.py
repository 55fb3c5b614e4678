"""What the parts of a batch have to know of each other: the sum over all of them, what each has, what the first has."""

from __future__ import annotations

from collections.abc import Callable

from minitensor.backend import Array
from minitensor.op import op
from minitensor.threads import member

__all__ = ["all_sum", "from_all", "from_first"]


@op(onnx="Identity Identity")
def all_sum(x: Array, what: str = "a sum") -> Array:
    """y = Σ x over the members of the team that works on a batch (see `data_parallel`); x itself outside of one.

    Each member gets y, and a loss that depends on all of them passes its gradient to each: the rule is the same sum.
    `what` says what it is the sum of: members that meet for different things raise ParallelError.
    """
    if member.team is None:
        return x * 1
    total, *others = member.team.meet(member.rank, (what, x.shape), x)  # in their order: the same bits for each
    for part in others:
        total = total + part
    return total


all_sum.vjp(x=lambda g, what: all_sum(g, what=f"the gradient of {what}"))


def from_all(what: str, value: Array) -> list[Array]:
    """Return the values that all members have, in their order; outside of a team the one that there is."""
    return [value] if member.team is None else member.team.meet(member.rank, what, value)


def from_first(what: str, make: Callable[[], Array]) -> Array:
    """Return what make() returns to the first member, which alone calls it; outside of a team, what it returns."""
    return from_all(what, make() if member.rank == 0 else None)[0]
