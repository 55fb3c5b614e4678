"""Many parameters in one array: a step is then a few passes over one stretch of memory, and few calls on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from minitensor.backend import device_of, namespace
from minitensor.nn.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Flat", "block_length", "blocks", "gradient_runs", "join"]

Array = Any
BLOCK = 1 << 16  # entries that are worked on at a time on the CPU: what the operands take fits in its cache


class Flat:
    """One array of values for parameters of one dtype on one device, and one for their gradients.

    Each parameter's `data` becomes a view of the first, and backward writes its gradient into its `slot`, a view of the
    second. It knows the views, not the parameters: no reference cycle.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        first = parameters[0].data
        xp = namespace(first)
        ends = [0]
        for p in parameters:
            ends.append(ends[-1] + math.prod(p.shape))
        self.bounds = list(zip(ends[:-1], ends[1:], strict=True))
        self.data = xp.empty(ends[-1], first.dtype)
        self.grad = xp.empty(ends[-1], first.dtype)
        self.views = self.cut(self.data, [p.shape for p in parameters])
        self.slots = self.cut(self.grad, [p.shape for p in parameters])
        for p, (start, _), view, slot in zip(parameters, self.bounds, self.views, self.slots, strict=True):
            view[...] = p.data
            if p.grad is not None:
                slot[...] = p.grad.data
                p.grad = Tensor(slot)
            p.data = view
            if isinstance(p, Parameter):
                p.slot, p.home = slot, (self, start)

    def cut(self, flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
        """Return a flat array's views, one for each parameter."""
        return [flat[a:b].reshape(shape) for (a, b), shape in zip(self.bounds, shapes, strict=True)]

    def holds(self, parameters: Sequence[Tensor]) -> bool:
        """Whether the parameters still are these views, and nobody gave them other arrays."""
        return all(p.data is view for p, view in zip(parameters, self.views, strict=True))

    def collect(self, parameters: Sequence[Tensor]) -> None:
        """Copy the gradients that backward did not write here: of plain Tensors, or assigned by hand."""
        for p, slot in zip(parameters, self.slots, strict=True):
            if p.grad is not None and p.grad.data is not slot:
                if p.grad.shape != p.shape:
                    raise ValueError(f"a gradient of shape {p.grad.shape} belongs to a parameter of shape {p.shape}")
                slot[...] = p.grad.data


def block_length(array: Array) -> int:
    """Return how many entries of a flat array to work on at a time: on a GPU all, as each block would be a call."""
    size = int(array.size)
    return max(1, min(BLOCK, size) if device_of(array) == "cpu" else size)


def blocks(start: int, stop: int, array: Array) -> Iterator[slice]:
    """Cut a stretch of a flat array into blocks."""
    size = block_length(array)
    return (slice(a, min(a + size, stop)) for a in range(start, stop, size))


def join(bounds: Iterable[tuple[int, int]], may_join: Callable[[int], bool] = lambda i: True) -> list[tuple[int, int]]:
    """Join neighbouring stretches (start, stop); `may_join(i)` says whether the i-th may join the one before.

    >>> join([(0, 3), (3, 5), (7, 9)])
    [(0, 5), (7, 9)]
    """
    runs: list[tuple[int, int]] = []
    for i, (start, stop) in enumerate(bounds):
        if runs and runs[-1][1] == start and may_join(i):
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


def gradient_runs(parameters: Iterable[Tensor]) -> list[Array]:
    """Return the gradients of the parameters that have one as 1-D arrays: one for each stretch of a flat buffer."""
    flats: dict[int, tuple[Flat, list[tuple[int, int]]]] = {}
    runs = []
    for p in {id(p): p for p in parameters if p.grad is not None}.values():
        home = getattr(p, "home", None)
        if home is not None and p.grad.data is p.slot:
            flat, start = home
            flats.setdefault(id(flat), (flat, []))[1].append((start, start + p.size))
        else:
            runs.append(p.grad.data.reshape(-1))
    for flat, bounds in flats.values():
        runs += [flat.grad[a:b] for a, b in join(sorted(bounds))]
    return runs
