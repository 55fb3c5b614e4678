"""Many parameters in one array: a step is then a few passes over one stretch of memory, and few calls on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from minitensor.backend import Array, device_of, namespace, references, stretches, writable
from minitensor.nn.base.parameter import Parameter
from minitensor.tensor import Tensor

__all__ = ["Flat", "block_length", "blocks", "gradients", "join"]

BLOCK = 1 << 16  # entries that are worked on at a time on the CPU: what the operands take fits in its cache


class Flat:
    """One array of values for parameters of one dtype on one device, and one for their gradients.

    Each parameter's `data` becomes a view of the first, and backward writes its gradient into its `slot`, a view of the
    second. It knows the views, not the parameters: no reference cycle.

    A gradient that somebody keeps, as a Tensor or through any view of it, stays what it was: its slot is not free
    (`backend.references`), so backward gives the next gradient memory of its own, and `collect` then takes a new second
    array. Who keeps none pays nothing.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        first = parameters[0].data
        ends = [0]
        for p in parameters:
            ends.append(ends[-1] + math.prod(p.shape))
        self.bounds = list(zip(ends[:-1], ends[1:], strict=True))
        self.data = namespace(first).empty(ends[-1], first.dtype)
        self.views = self.cut(self.data, [p.shape for p in parameters])
        for p, (start, _), view in zip(parameters, self.bounds, self.views, strict=True):
            view[...] = p.data
            p.data, p.version = view, None  # what shared the old memory is changed by no step
            if isinstance(p, Parameter):
                p.home = self, start
        self._new_slots(parameters)

    def _new_slots(self, parameters: Sequence[Tensor]) -> None:
        """Take another array for the gradients; those that are in the old one stay there."""
        self.grad = namespace(self.data).empty(self.data.shape, self.data.dtype)
        lines = stretches(self.grad, self.bounds)
        self.slots = [line.reshape(p.shape) for line, p in zip(lines, parameters, strict=True)]
        del lines
        homed = [(i, p) for i, p in enumerate(parameters) if isinstance(p, Parameter)]
        for i, p in homed:
            p.slot = self.slots[i]
        for _, p in homed:
            p.slot_free = references(p.slot)

    def cut(self, flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
        """Return a flat array's views, one for each parameter."""
        return [flat[a:b].reshape(shape) for (a, b), shape in zip(self.bounds, shapes, strict=True)]

    def holds(self, parameters: Sequence[Tensor]) -> bool:
        """Whether the parameters still are these views, and nobody gave them other arrays."""
        return all(p.data is view for p, view in zip(parameters, self.views, strict=True))

    def collect(self, parameters: Sequence[Tensor]) -> None:
        """Copy the gradients that backward did not write here: of plain Tensors, kept ones', assigned by hand."""
        places = zip(parameters, self.slots, strict=True)
        outside = [i for i, (p, slot) in enumerate(places) if p._grad is not None and p._grad.data is not slot]
        if not outside:
            return
        if any(isinstance(p := parameters[i], Parameter) and references(p.slot) > p.slot_free for i in outside):
            self._new_slots(parameters)
            outside = [i for i, p in enumerate(parameters) if p.grad is not None]
        for i in outside:
            p, g = parameters[i], parameters[i].grad
            if g.shape != p.shape:  # somebody put other data into the parameter
                raise ValueError(f"a gradient of shape {g.shape} belongs to a parameter of shape {p.shape}")
            self.slots[i][...] = g.data


def block_length(array: Array) -> int:
    """Return how many entries of a flat array to work on at a time: on a GPU all, as each block would be a call."""
    size = int(array.size)
    return max(1, min(BLOCK, size) if device_of(array) == "cpu" else size)


def blocks(start: int, stop: int, array: Array) -> Iterator[slice]:
    """Cut a stretch of a flat array into blocks."""
    size = block_length(array)
    return (slice(a, min(a + size, stop)) for a in range(start, stop, size))


def join(bounds: Iterable[tuple[int, int]], may_join: Callable[[int], bool] = lambda i: True) -> list[tuple[int, int]]:
    """Join neighboring stretches (start, stop); `may_join(i)` says whether the i-th may join the one before.

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


def gradients(parameters: Iterable[Tensor]) -> list[Array]:
    """Return arrays to read and to change in place, which are the gradients of the parameters that have one.

    A stretch of a flat buffer is one of them, 1-D; others have their parameter's shape, whatever their layout. A
    gradient that cannot be written to, or whose entries share memory (`broadcast_to`), is copied first.
    """
    flats: dict[int, tuple[Flat, list[tuple[int, int]]]] = {}
    found = []
    for p in {id(p): p for p in parameters if p.grad is not None}.values():
        home = getattr(p, "home", None)
        if home is not None and p.grad.data is p.slot:
            flat, start = home
            flats.setdefault(id(flat), (flat, []))[1].append((start, start + p.size))
            continue
        p.grad.data = writable(p.grad.data)
        found.append(p.grad.data)
    for flat, bounds in flats.values():
        found += [flat.grad[a:b] for a, b in join(sorted(bounds))]
    return found
