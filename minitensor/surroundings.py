"""The states of a thread in which a computation runs, so that a second run, or another thread, runs in the same."""

from __future__ import annotations

from typing import Any

from minitensor.graph import state

__all__ = ["adopted", "surroundings"]


def surroundings() -> dict[str, Any]:
    """Return the states of this thread that change what a call does."""
    return {name: getattr(state, name) for name in ("recording", "fused", "autocast", "replaying")}


class adopted:  # noqa: N801
    """Set several states of this thread for a while: a context."""

    def __init__(self, states: dict[str, Any]) -> None:
        self._states = states

    def __enter__(self) -> None:
        self._before = {name: getattr(state, name) for name in self._states}
        self._set(self._states)

    def __exit__(self, *_: object) -> None:
        self._set(self._before)

    @staticmethod
    def _set(states: dict[str, Any]) -> None:
        for name, value in states.items():
            setattr(state, name, value)
