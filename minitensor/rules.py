"""Gradient rules of an op, and for each set of arguments that want a gradient a plan: what to keep, what to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Plan", "Rule", "plan"]


class Rule(NamedTuple):
    """A vector-Jacobian product: for one argument, or jointly for several."""

    arguments: tuple[int, ...]
    joint: bool
    function: Callable[..., Any]
    needs: tuple[str, ...]  # its parameters: g, y, an argument, `<argument>_shape`, a setting


class Plan(NamedTuple):
    """What a recorded call keeps until backward, and which rules run on it."""

    slots: tuple[int, ...]  # positions among (*arguments, y) of the arrays to keep
    inputs: tuple[int, ...]  # which of these slots hold arguments
    shapes: tuple[int, ...]  # arguments of which only the shape is kept
    settings: tuple[str, ...]
    # (argument or arguments, rule, positions in (g, *saved): None for all of it)
    rules: tuple[tuple[Any, Any, tuple[int, ...] | None], ...]
    kept: bool  # is there anything to keep?


def plan(rules: Sequence[Rule], mask: int, arguments: tuple[str, ...], defaults: Mapping[str, Any]) -> Plan:
    """Work out what the rules of the wanted arguments need, so that only that is kept alive.

    mask: the sum of 2ⁿ⁻ⁱ over the arguments i of n that want a gradient.
    """
    n = len(arguments)
    wanted = [r for r in rules if any(mask >> (n - i) & 1 for i in r.arguments)]
    names = dict.fromkeys(name for r in wanted for name in r.needs if name != "g")
    slots = [name for name in names if name == "y" or name in arguments]
    shapes = [name for name in names if name.endswith("_shape") and name[:-6] in arguments]
    settings = [name for name in names if name in defaults]
    order = ["g", *slots, *shapes, *settings]
    runs = []
    for r in wanted:
        positions = tuple(order.index(name) for name in r.needs)
        whole = positions == tuple(range(len(order)))
        runs.append((r.arguments if r.joint else r.arguments[0], r.function, None if whole else positions))
    return Plan(
        tuple(n if name == "y" else arguments.index(name) for name in slots),
        tuple(k for k, name in enumerate(slots) if name != "y"),
        tuple(arguments.index(name[:-6]) for name in shapes),
        tuple(settings),
        tuple(runs),
        bool(slots or shapes or settings),
    )
