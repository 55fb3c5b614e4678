"""The table of what can be written: each op and composite, and the function that adds its nodes to a trace.

A writer takes (trace, operands as arrays or numbers, settings, result). A composite's may return NotImplemented: then
it is taken apart into its ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minitensor.declaration import Declaration

__all__ = ["WRITERS", "Array", "Write", "writes"]

Array = Any
Write = Callable[[Any, Sequence[Any], dict[str, Any], Any], Any]
WRITERS: dict[Declaration[...], Write] = {}


def writes(*declarations: Declaration[...]) -> Callable[[Write], Write]:
    """Say which ops and composites a function writes."""

    def enter(write: Write) -> Write:
        WRITERS.update(dict.fromkeys(declarations, write))
        return write

    return enter
