"""The states of a thread in which a computation runs, so that a second run, or another thread, runs in the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from minitensor.graph import state, switch

__all__ = ["adopted", "surroundings"]


def surroundings() -> dict[str, Any]:
    """Return the states of this thread that change what a call does."""
    return {name: getattr(state, name) for name in ("recording", "fused", "autocast", "replaying")}


@contextmanager
def adopted(states: dict[str, Any]) -> Iterator[None]:
    """Set several states of this thread for a while."""
    with ExitStack() as stack:
        for name, value in states.items():
            stack.enter_context(switch(name, value))
        yield
