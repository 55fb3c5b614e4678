"""The tables of what can be written: each op's and composite's name, and the function that adds its nodes to a trace.

A writer takes (trace, operands as arrays or numbers, settings, result). A composite's may return NotImplemented: then
it is taken apart into its ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["COMPOSITES", "OPS", "Array", "Write", "op", "composite"]

Array = Any
Write = Callable[[Any, Sequence[Any], dict[str, Any], Any], Any]
OPS: dict[str, Write] = {}
COMPOSITES: dict[str, Write] = {}


def op(*names: str) -> Callable[[Write], Write]:
    """Say which ops a function writes."""
    return _in(OPS, names)


def composite(*names: str) -> Callable[[Write], Write]:
    """Say which composites a function writes."""
    return _in(COMPOSITES, names)


def _in(table: dict[str, Write], names: Sequence[str]) -> Callable[[Write], Write]:
    def enter(write: Write) -> Write:
        table.update(dict.fromkeys(names, write))
        return write

    return enter
