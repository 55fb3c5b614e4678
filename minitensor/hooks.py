"""Hooks on Tensors: functions that see a gradient when it is complete, and may put another in its place.

They are kept by the place in the graph (a leaf, or a node, for each of its results), and freed with it. They run once
per backward, newest node first, leaves last, and get Tensors. A partial backward (inside `checkpoint` or
`data_parallel`) does not run the hooks of the places where it ends: the whole one does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from minitensor.backend import device_of
from minitensor.errors import GradientError
from minitensor.graph import Gradient, Place, Variable, describe, outward, wrap

__all__ = ["Handle", "at", "register", "run"]

Hook = Callable[[Gradient], Gradient]
_number = itertools.count()
used = False  # has any hook been registered since the start? Until then backward does not look for them


class Handle:
    """What `register_hook` returns: `remove()` takes the hook away; as a context, at the end of the block."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self._hooks, self._number = hooks, number

    def remove(self) -> None:
        """Take the hook away; once is enough."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def at(place: Place) -> dict[int, Hook]:
    """Return the hooks of a place in the graph."""
    hooks = getattr(place.origin, "hooks", None)
    return {} if hooks is None else hooks.get(place.index, {})


def register(x: Variable, hook: Hook) -> Handle:
    """Put a hook where x's gradient arrives; see `Tensor.register_hook`."""
    global used
    if not x.requires_grad:
        raise GradientError(f"a hook on {describe(x)} would never run: it does not require grad")
    used = True
    target = x.origin
    if not hasattr(target, "hooks"):
        target.hooks = {}
    hooks = target.hooks.setdefault(x.index, {})
    number = next(_number)
    hooks[number] = hook
    return Handle(hooks, number)


def run(hooks: dict[int, Hook], g: Gradient) -> Gradient:
    """Pass a gradient (array or Tensor) through hooks, in the order of their registration."""
    traced = isinstance(g, Variable)
    for hook in list(hooks.values()):
        before = outward(g if traced else wrap(g))
        after = hook(before)
        if after is None:
            continue
        if not isinstance(after, Variable) or after.shape != before.shape:
            raise GradientError(f"a hook must return a Tensor of shape {before.shape} or None; got {describe(after)}")
        if after.dtype != before.dtype or device_of(after.data) != device_of(before.data):
            raise GradientError(f"a hook was given a {describe(before)}; it must not return a {describe(after)}")
        g = outward(after if traced else after.data)
    return g
