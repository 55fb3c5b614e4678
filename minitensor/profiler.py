"""`profile`: which ops a piece of code runs, how often, how long, and how many bytes they make."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from minitensor.backend import Array, is_array, synchronize
from minitensor.graph import Gradient, Node, Observer, Operands, Settings, Variable
from minitensor.modes import switch

T = TypeVar("T")
__all__ = ["profile"]


class profile(Observer):  # noqa: N801
    """Context that counts, for each op: calls, seconds forward, seconds backward, and bytes of the results.

    Composites show as the ops that they are made of, or as one line where a kernel ran. On a GPU each op is waited for,
    so that the times are its own. `rows()` gives the figures, printing it a table, the slowest op first.
    Differs from PyTorch (torch.profiler): no trace of single calls, no stacks.

    >>> import minitensor as mt
    >>> x = mt.ones((100, 100))
    >>> with mt.profile() as p:
    ...     y = mt.tanh(x @ x)
    >>> rows = p.rows()
    >>> [(name, rows[name]["calls"], rows[name]["bytes"]) for name in sorted(rows)]
    [('bmm', 1, 40000), ('tanh', 1, 40000)]
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> profile:
        self._switch = switch(observer=self)
        self._switch.__enter__()
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._start
        self._switch.__exit__()

    def _row(self, name: str) -> dict[str, Any]:
        return self._rows.setdefault(name, {"calls": 0, "forward": 0.0, "backward": 0.0, "bytes": 0})

    def forward(self, op: Any, args: Operands, arrays: Sequence[Array], settings: Settings, run: Callable[[], T]) -> T:
        """Run a call and take its time."""
        start = time.perf_counter()
        y = run()
        if y is NotImplemented:  # a kernel that leaves the call to the plain Python
            return y
        value = y[0] if isinstance(y, tuple) and callable(y[-1]) else y
        _wait(value)
        row = self._row(op.name)
        row["forward"] += time.perf_counter() - start
        row["calls"] += 1
        row["bytes"] += _bytes(value)
        return y

    def backward(self, node: Node, g: Gradient, run: Callable[[], Sequence[Gradient]]) -> Sequence[Gradient]:
        """Run a call's rules and take their time."""
        start = time.perf_counter()
        grads = run()
        _wait(grads)
        self._row(node.op.name)["backward"] += time.perf_counter() - start
        return grads

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the figures by op, the slowest first: calls, forward and backward in seconds, bytes."""
        return dict(sorted(self._rows.items(), key=lambda item: -item[1]["forward"] - item[1]["backward"]))

    def __str__(self) -> str:
        rows = [(name, r["calls"], r["forward"], r["backward"], r["bytes"]) for name, r in self.rows().items()]
        width = max([len(name) for name, *_ in rows], default=2)
        lines = [f"{'op':<{width}}  {'calls':>7}  {'forward ms':>10}  {'backward ms':>11}  {'result MB':>9}"]
        lines += [
            f"{n:<{width}}  {c:>7}  {1e3 * f:>10.3f}  {1e3 * b:>11.3f}  {m / 1e6:>9.2f}" for n, c, f, b, m in rows
        ]
        inside = sum(r[2] + r[3] for r in rows)
        return "\n".join([*lines, f"in ops {1e3 * inside:.1f} ms of {1e3 * getattr(self, 'seconds', 0.0):.1f} ms"])


def _wait(x: Array) -> None:
    for v in x if isinstance(x, (tuple, list)) else (x,):
        synchronize(v.data if isinstance(v, Variable) else v)


def _bytes(x: Array) -> int:
    if isinstance(x, (tuple, list)):
        return sum(map(_bytes, x))
    x = x.data if isinstance(x, Variable) else x
    return int(x.nbytes) if is_array(x) else 0
