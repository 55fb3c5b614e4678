"""Gradients that are replaced by their means over a team of processes, while backward still goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minitensor.arrivals import Arrivals
from minitensor.backend import Array
from minitensor.errors import GradientError
from minitensor.graph import Variable
from minitensor.modes import switch
from minitensor.nn.base.parameter import Parameter
from minitensor.optim.flat import gradients
from minitensor.tensor import Tensor

__all__ = ["averaged"]

BUCKET = 1 << 22  # bytes that travel together: fewer wait for the network more often, more of them wait for backward


class _Bucket:
    """A stretch of a flat buffer's gradients, of parameters that lie side by side."""

    def __init__(self, flat: Any, start: int) -> None:
        self.flat, self.start, self.stop = flat, start, start
        self.parameters: list[Tensor] = []
        self.missing = 0
        self.line: Array | None = None  # while it travels, and afterwards
        self.arrive: Callable[[], None] = lambda: None
        self.versions: list[Any] = []

    def add(self, p: Tensor) -> None:
        """Take the parameter that comes next in the buffer."""
        self.parameters.append(p)
        self.stop, self.missing = self.stop + p.size, self.missing + 1

    def note(self, team: Any) -> None:
        """Hear that one more gradient is complete; with the last of them the stretch begins to travel."""
        self.missing -= 1
        if self.missing == 0 and all(p._grad is not None and p._grad.data is p.slot for p in self.parameters):
            self.line, self.versions = self.flat.grad[self.start : self.stop], self.seen()
            self.arrive = team.begin_total(self.line)

    def close(self) -> None:
        """Wait until the sum is there; GradientError if backward has added to a member's part of it meanwhile."""
        self.arrive()
        if self.seen() != self.versions:
            raise GradientError("averaged: backward came to a weight again after its gradient had travelled")

    def seen(self) -> list[Any]:
        """Return which gradients the parameters have, and their versions."""
        return [
            (id(p._grad), None if p._grad is None else p._grad.version and p._grad.version[0]) for p in self.parameters
        ]


@contextmanager
def averaged(parameters: Iterable[Tensor], team: Any, bucket: int = BUCKET) -> Iterator[None]:
    """Run backward in this context: after it the gradients of the parameters are their means over the team.

        .grad = (1/size) Σ .grad of the members

    The sums travel in buckets of about so many bytes of an optimizer's flat buffer, each as soon as backward has
    completed it, the last layers' first. Parameters without an optimizer travel at the end. Gradients of several
    batches are averaged together: run the last backward alone in this context, and clip afterwards.

    team: `minitensor.teams.join`; None, or one of a single process: nothing is done. Every process has to reach the
    same parameters. Raises GradientError for a backward that reaches a weight again after it has travelled (a
    second backward in the same context).

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with averaged([x], None):
    ...     (x * 2).sum().backward()
    >>> x.grad
    Tensor float32 (1,): [2.]
    """
    if team is None or team.size == 1:
        yield
        return
    listed = list({id(p): p for p in parameters if p.requires_grad}.values())
    buckets = list(_buckets(listed, bucket))
    of = {id(p): b for b in buckets for p in b.parameters}

    def arrived(leaf: Variable) -> None:
        if id(leaf) in of:
            of[id(leaf)].note(team)

    with switch(arrivals=Arrivals(arrived)):
        yield
    sent = [b for b in buckets if b.line is not None]
    for b in sent:
        b.close()
    there = {id(p) for b in sent for p in b.parameters}
    rest = gradients(p for p in listed if id(p) not in there)
    for line in rest:
        line[...] = team.total(line)
    for line in [*(b.line for b in sent), *rest]:
        line /= team.size
    for p in listed:
        if p._grad is not None:
            p._grad.changed()


def _buckets(parameters: Iterable[Tensor], size: int) -> Iterator[_Bucket]:
    """Cut the flat buffers of the parameters into stretches of about `size` bytes, whole parameters in each."""
    at_home = [p for p in parameters if isinstance(p, Parameter) and p.slot is not None]
    homes = [(p.home, p) for p in at_home if p.home is not None]
    bucket: _Bucket | None = None
    for (flat, start), p in sorted(homes, key=lambda h: (id(h[0][0]), h[0][1])):
        if bucket is not None and (bucket.flat is not flat or bucket.stop != start):
            yield bucket
            bucket = None
        bucket = _Bucket(flat, start) if bucket is None else bucket
        bucket.add(p)
        if (bucket.stop - bucket.start) * p.dtype.itemsize >= size:
            yield bucket
            bucket = None
    if bucket is not None:
        yield bucket
