"""A stretch of an optimizer's work: parameters of one group, dtype and device, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import Array, is_half, move, namespace
from minitensor.optim.flat import Flat, block_length, blocks, join
from minitensor.optim.settings import Group
from minitensor.tensor import Tensor
from minitensor.threads import shared

__all__ = ["Memory", "Section"]


class Memory(NamedTuple):
    """What an optimizer remembers of one parameter."""

    parameter: Tensor
    clock: Any
    """how far it has come: see `Optimizer.tick`"""
    moments: Mapping[str, Array]


class Section:
    """Parameters of one group, dtype and device: their flat buffers, moments and clocks."""

    def __init__(self, parameters: Sequence[Tensor], group: Group, state: Mapping[int, Memory], start: Any) -> None:
        self.parameters, self.group = parameters, group
        self.flat = Flat(parameters)
        data = self.flat.data
        self.half = is_half(data.dtype)
        self.dtype = np.dtype(np.float32) if self.half else data.dtype  # of the computation, and of the moments
        self.clocks = [state[id(p)].clock if id(p) in state else start for p in parameters]
        self.moments: dict[str, Array] = {}
        self.views: dict[str, list[Array]] = {}
        self.state = state  # of the parameters, where they came from
        for name in dict.fromkeys(name for p in parameters if id(p) in state for name in state[id(p)].moments):
            self.moment(name)
        self.state = {}

    def widened(self, x: Array) -> Array:
        """Return values in the dtype of the computation: half precision is storage."""
        return x.astype(self.dtype) if self.half else x

    def moment(self, name: str) -> Array:
        """Return a flat array of one moment, made of zeros or of the state when it is first asked for."""
        if name not in self.moments:
            data = self.flat.data
            flat = self.moments[name] = namespace(data).zeros(data.shape, self.dtype)
            self.views[name] = self.flat.cut(flat, [p.shape for p in self.parameters])
            for p, view in zip(self.parameters, self.views[name], strict=True):
                if id(p) in self.state and (value := self.state[id(p)].moments.get(name)) is not None:
                    view[...] = move(value.astype(self.dtype), p.device)
        return self.moments[name]

    def advance(self, reached: Sequence[int], tick: Callable[[Any, dict[str, Any]], Any]) -> None:
        """Note that the parameters which backward reached change now, and move their clocks; mostly all are at one."""
        before = after = None
        for i in reached:
            if before is None or self.clocks[i] != before:
                before, after = self.clocks[i], tick(self.clocks[i], self.group)
            self.clocks[i] = after
            self.parameters[i].changed()

    def update_each(self, reached: Sequence[int], names: Sequence[str], update: Callable[..., None]) -> None:
        """Update parameter by parameter, each in its own shape."""
        for name in names:
            self.moment(name)
        for i in reached:
            p, g = self.widened(self.flat.views[i]), self.widened(self.flat.slots[i])
            update(p, g, [self.views[name][i] for name in names], self.group, self.clocks[i], ())
            if self.half:
                self.flat.views[i][...] = p.astype(self.flat.data.dtype)

    def update_stretches(self, reached: Sequence[int], names: Sequence[str], update: Callable[..., None]) -> None:
        """Update blocks of neighbors with one clock: of all parameters, where backward always reaches all."""
        flat, moments = self.flat, [self.moment(name) for name in names]
        steps = {flat.bounds[i][0]: self.clocks[i] for i in reached}
        clocks = [self.clocks[i] for i in reached]
        runs = join([flat.bounds[i] for i in reached], lambda k: clocks[k] == clocks[k - 1])
        pieces = [(b, steps[start]) for start, stop in runs for b in blocks(start, stop, flat.data)]
        xp, length = namespace(flat.data), block_length(flat.data)

        def work(pieces: Sequence[tuple[slice, Any]]) -> None:
            scratch = [xp.empty(length, self.dtype) for _ in range(2)]
            for b, step in pieces:
                p, g, n = self.widened(flat.data[b]), self.widened(flat.grad[b]), b.stop - b.start
                update(p, g, [m[b] for m in moments], self.group, step, [x[:n] for x in scratch])
                if self.half:
                    flat.data[b] = p.astype(flat.data.dtype)

        shared(work, pieces, sum(stop - start for start, stop in runs))
