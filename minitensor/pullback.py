"""What the Node of a kernel's call keeps: the function that returns the gradients, and how its arrays are watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import MethodType
from typing import Any, NamedTuple

from minitensor.backend import Array, is_array
from minitensor.errors import InPlaceError
from minitensor.graph import Gradient, Variable, watch
from minitensor.promotion import widen


class Guard(NamedTuple):
    """A Tensor that a pullback may keep: its version when the kernel ran, and whose memory it is."""

    counter: list[int]
    version: int
    owner: int


class Pullback(NamedTuple):
    """The function of a kernel that returns the gradients, and the Tensors whose change in place would spoil it."""

    function: Callable[[Gradient], Sequence[Gradient]]
    guards: tuple[Guard, ...]

    def run(self, name: str, g: Gradient) -> Sequence[Gradient]:
        """Return one gradient per argument, or None; InPlaceError if what the pullback keeps was changed."""
        for counter, version, owner in self.guards:
            if counter[0] != version and _keeps(self.function, owner):
                raise InPlaceError(
                    f"an operand or the result of {name}, which it keeps for its gradient, was changed in place since. "
                    "Change a copy, or call backward first"
                )
        return self.function(widen(g))


def guards(tensors: Any) -> tuple[Guard, ...]:
    """Note the versions and the memory of Tensors, one or several; other operands are left out."""
    several = tensors if isinstance(tensors, (tuple, list)) else (tensors,)
    chosen = [t for t in several if isinstance(t, Variable)]
    return tuple([Guard(*w, id(_owner(t.data))) for w, t in zip(watch(chosen), chosen, strict=True)])


def _owner(x: Array) -> Array:
    """Return the array whose memory this one is or shows."""
    return x if getattr(x, "base", None) is None else x.base


def _keeps(thing: Any, owner: int, depth: int = 4) -> bool:
    """Whether a pullback, or what it closes over, holds an array on the memory of an owner, known by its id."""
    if is_array(thing):
        return id(_owner(thing)) == owner
    if isinstance(thing, MethodType):
        thing = (thing.__self__, thing.__func__)
    if isinstance(thing, partial):
        thing = (thing.func, thing.args, thing.keywords)
    inside = thing if isinstance(thing, dict) else getattr(thing, "__dict__", {})
    held: list[Any] = [*thing] if isinstance(thing, (tuple, list)) else [*inside.values()]
    for cell in getattr(thing, "__closure__", None) or ():
        with suppress(ValueError):  # a name that has no value yet
            held.append(cell.cell_contents)
    return depth > 0 and any(_keeps(x, owner, depth - 1) for x in held)
