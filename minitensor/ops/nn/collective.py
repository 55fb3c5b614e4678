"""What the parts of a batch have to know of each other: the sum over all of them, what each has, what the first has."""

from __future__ import annotations

from collections.abc import Callable

from minitensor.backend import Array
from minitensor.op import op
from minitensor.team import member

__all__ = ["all_sum", "from_all", "from_first"]


@op(onnx="Identity Identity")
def all_sum(x: Array, what: str = "a sum") -> Array:
    """y = Σ x over the members of the team that works on a batch (see `data_parallel`); x itself outside of one.

    Each member gets y, and a loss that depends on all of them passes its gradient to each: the rule is the same sum.
    `what` says what it is the sum of: members that meet for different things raise ParallelError.
    """
    if member.team is None:
        return x * 1
    return member.team.total(x, what)


all_sum.vjp(x=lambda g, what: all_sum(g, what=f"the gradient of {what}"))


def from_all(what: str, value: Array) -> list[Array]:
    """Return the values that all members have, in their order; outside of a team the one that there is."""
    return [value] if member.team is None else list(member.team.gather(value, what))


def from_first(what: str, make: Callable[[], Array]) -> Array:
    """Return what make() returns to the first of those that share memory, which alone calls it; outside of a team too.

    What it changes in place is changed once in each process.
    """
    return make() if member.team is None else member.team.once(what, make)
