"""`detect_anomaly`: the op, and the line of your code, that made the first NaN."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from minitensor.backend import Array, is_array
from minitensor.errors import AnomalyError
from minitensor.graph import Gradient, Node, Observer, Operands, Settings, Variable, describe
from minitensor.modes import switch

T = TypeVar("T")
__all__ = ["detect_anomaly"]

PACKAGE = str(Path(__file__).parent)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Context in which the first op whose result, or whose gradient, has a NaN that its operands had not, raises.

    AnomalyError names the op, the operands, and the line that called it, in backward too. Every result is searched and
    every line noted, so it costs several times the run: for looking for a mistake, not for training.
    Differs from PyTorch (torch.autograd.detect_anomaly): the forward is searched too.

    >>> import minitensor as mt
    >>> with mt.detect_anomaly():
    ...     mt.log(mt.Tensor([1.0, 2.0]))
    Tensor float32 (2,): [0. 0.6931]
    """
    with switch(observer=_Search()):
        yield


class _Search(Observer):
    """The observer that looks for NaN."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}  # serial of a node -> where it was made

    def forward(self, op: Any, args: Operands, arrays: Sequence[Array], settings: Settings, run: Callable[[], T]) -> T:
        """Run a call; raise if it made a NaN."""
        y = run()
        value = y[0] if isinstance(y, tuple) and callable(y[-1]) else y  # a kernel returns (value, pullback)
        if _has_nan(value) and not _has_nan(arrays):
            operands = ", ".join(_extent(a) for a in arrays if is_array(a))
            raise AnomalyError(f"{op.name} made the first NaN, at {_here()}: its operands are {operands}")
        return y

    def recorded(self, node: Node) -> None:
        """Note the line at which a Node was made."""
        self.lines[node.serial] = _here()

    def backward(self, node: Node, g: Gradient, run: Callable[[], Sequence[Gradient]]) -> Sequence[Gradient]:
        """Run a call's rules; raise if they made a NaN."""
        grads = run()
        if _has_nan(grads) and not _has_nan(g):
            place = self.lines.get(node.serial, "a line outside of detect_anomaly()")
            bad = [i for i, v in enumerate(grads) if _has_nan(v)]
            raise AnomalyError(
                f"the gradient of {node.op.name} with respect to argument {bad[0]} made the first NaN; "
                f"the call was made at {place}"
            )
        return grads


def _has_nan(x: Array) -> bool:
    if isinstance(x, (tuple, list)):
        return any(_has_nan(v) for v in x)
    x = x.data if isinstance(x, Variable) else x
    return is_array(x) and x.dtype.kind in "fc" and bool((x != x).any())


def _extent(x: Array) -> str:
    empty = not x.size or x.dtype.kind not in "fiu"
    return describe(x) + ("" if empty else f" between {float(x.min()):.3g} and {float(x.max()):.3g}")


def _here() -> str:
    """Return the nearest line outside the engine: file, line number, text."""
    for frame in reversed(traceback.extract_stack()[:-1]):
        if not frame.filename.startswith(PACKAGE) and "contextlib" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return "an unknown line"
