"""A stretch of an optimizer's work: parameters of one group, dtype and device, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import is_half, move, namespace
from minitensor.optim.flat import Flat
from minitensor.tensor import Tensor

__all__ = ["Memory", "Section"]

Array = Any


class Memory(NamedTuple):
    """What an optimizer remembers of one parameter."""

    parameter: Tensor
    clock: Any
    """how far it has come: see `Optimizer.tick`"""
    moments: Mapping[str, Array]


class Section:
    """Parameters of one group, dtype and device: their flat buffers, moments and clocks."""

    def __init__(
        self, parameters: Sequence[Tensor], group: dict[str, Any], state: Mapping[int, Memory], start: Any
    ) -> None:
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
