"""What writes an op or composite as ONNX nodes: the operator that its declaration names, or a function given here.

A writer takes (trace, operands as arrays or numbers, settings, result). A composite's may return NotImplemented: then
it is taken apart into its ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minitensor.backend import Array
from minitensor.declaration import Declaration
from minitensor.graph import Operands, Operation, Settings

if TYPE_CHECKING:
    from minitensor.interop.onnx.trace import Trace

__all__ = ["SMALL", "Array", "Write", "Written", "writer", "writes"]

Written: TypeAlias = Any  # NotImplemented where a composite is to be taken apart into its ops
Write = Callable[["Trace", Operands, Settings, Any], Written]

SMALL = ("int8", "int16", "uint8", "uint16", "uint32")  # runtimes compute in few integers


def writes(*declarations: Declaration[...]) -> Callable[[Write], Write]:
    """Say which ops and composites a function writes."""

    def enter(write: Write) -> Write:
        for declaration in declarations:
            declaration.onnx = write
        return write

    return enter


def writer(op: Operation) -> Write | None:
    """Return what writes an op or composite, None if nothing does."""
    onnx = op.onnx if isinstance(op, Declaration) else None  # a Function has none
    return _one_node(*onnx.split()) if onnx and isinstance(onnx, str) else onnx or None


def _one_node(kind: str, of_bools: str = "") -> Write:
    """Return a writer of an op with the same meaning: operands in, result out; bools may have a node of their own."""

    def write(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
        names, dtype = t.names(xs, y), next((x.dtype for x in xs if hasattr(x, "dtype")), y.dtype)
        if dtype.kind == "b" and of_bools:
            t.emit(of_bools, names, y)
        elif dtype.name in SMALL or dtype.kind == "b":
            t.emit("Cast", [t.step(kind, [t.cast(n, np.int64) for n in names])], y, to=y.dtype)
        else:
            t.emit(kind, names, y)

    return write
