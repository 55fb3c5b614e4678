"""The exponential moving average of a layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from minitensor.backend import Array, namespace, writable
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.optim import loops
from minitensor.optim.flat import blocks, join
from minitensor.optim.one_pass import by_loops
from minitensor.tensor import Tensor
from minitensor.threads import shared

__all__ = ["EMA"]


class EMA:
    """A target layer that follows a source layer: target ← m · target + (1 - m) · source.

    For all parameters and float buffers (running statistics); integer buffers are copied. The target, a layer of the
    same structure (`copy.deepcopy(source)`), is frozen: no gradient is taken with respect to it.
    Raises ValueError where the two differ in structure or shape, or share a parameter.
    Differs from PyTorch: there it is swa_utils.AveragedModel, which makes the copy itself.

    >>> from minitensor.nn import Linear
    >>> source = Linear(1, 1); target = copy.deepcopy(source)
    >>> _ = source.load_state_dict({"weight": [[1.0]], "bias": [1.0]})
    >>> _ = target.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    >>> EMA(target, source).update(0.9)
    >>> target.weight
    Tensor float32 (1, 1): [[0.1]]
    """

    def __init__(self, target: Layer, source: Layer) -> None:
        mine, theirs = dict(target.named_parameters()), dict(source.named_parameters())
        mine_too, theirs_too = dict(target.named_buffers()), dict(source.named_buffers())
        if (odd := sorted(mine.keys() ^ theirs.keys() | mine_too.keys() ^ theirs_too.keys())) != []:
            raise ValueError(f"EMA: target and source differ in structure: only one of them has {', '.join(odd)}")
        for name, t, s in (*_pairs(mine, theirs), *_pairs(mine_too, theirs_too)):
            if t is s:
                raise ValueError(f"EMA: target and source are the same at {name}: make the target with copy.deepcopy")
            if t.shape != s.shape:
                raise ValueError(f"EMA: {name} is {t.shape} in the target, {s.shape} in the source")
        self.target, self.source = target.requires_grad_(False), source
        self._parameters = [(p, theirs[name]) for name, p in mine.items()]
        self._arrays: list[tuple[Array, Array]] = []  # of the parameters, when the runs were found
        self._runs: list[tuple[Array, Array]] = []  # stretches of flat memory (target, source)

    def update(self, momentum: float) -> None:
        """Move the target: 1 leaves it as it is, 0 copies the source."""
        if not 0 <= momentum <= 1:
            raise ValueError(f"EMA: momentum lies in [0, 1]; got {momentum}")
        if [id(a) for pair in self._arrays for a in pair] != [id(p.data) for pair in self._parameters for p in pair]:
            self._gather()
        for target, source in self._runs:
            _lerp(target, source, momentum)
        for p, _ in self._parameters:
            p.changed()
        sources = dict(self.source.named_buffers())
        for name, buffer in self.target.named_buffers():
            other = sources[name].data
            buffer.data = writable(buffer.data)
            if buffer.dtype.kind in "fVc":
                _lerp(buffer.data, other, momentum)
            else:
                buffer.data[...] = other
            buffer.changed()

    def _gather(self) -> None:
        """Lay the target's parameters out as an optimizer has laid out the source's, and find the common stretches."""
        for t, s in self._parameters:
            if t.device != s.device:
                raise ValueError(f"EMA: the target is on {t.device}, the source on {s.device}: move one with .to()")
        self._runs = []
        homes: dict[int, list[tuple[int, Parameter, Parameter]]] = {}
        for t, s in self._parameters:
            if s.home is None or t.dtype != s.dtype:
                if (data := writable(t.data)) is not t.data:
                    t.replace(data)
                self._runs.append((t.data, s.data))
            else:
                homes.setdefault(id(s.home[0]), []).append((s.home[1], t, s))
        for entries in homes.values():
            entries.sort(key=lambda e: e[0])
            assert entries[0][2].home is not None
            theirs = entries[0][2].home[0].data
            for a, b in join((start, start + t.size) for start, t, _ in entries):
                mine = namespace(theirs).empty(b - a, theirs.dtype)
                for start, t, _ in entries:
                    if a <= start < b:
                        view = mine[start - a : start - a + t.size].reshape(t.shape)
                        view[...] = t.data
                        t.replace(view)
                self._runs.append((mine, theirs[a:b]))
        self._arrays = [(t.data, s.data) for t, s in self._parameters]

    def __deepcopy__(self, memo: dict[int, object]) -> EMA:
        """Return the average of the copied layers: the flat buffers are found anew."""
        return EMA(copy.deepcopy(self.target, memo), copy.deepcopy(self.source, memo))


def _pairs(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, Tensor, Tensor]]:
    return ((name, a[name], b[name]) for name in a)


def _lerp(target: Array, source: Array, momentum: float) -> None:
    """Target ← m target + (1 - m) source, in place whatever the layout; with m = 0 exactly the source."""
    xp = namespace(target)
    if not target.flags.c_contiguous:  # a buffer's: no line, which would be a copy
        target *= momentum
        target += xp.multiply(source, 1 - momentum).astype(target.dtype, copy=False)
        return
    target, source = target.reshape(-1), source.reshape(-1)
    looped = by_loops(target) and by_loops(source) and target.dtype == source.dtype

    def work(pieces: Sequence[slice]) -> None:
        for b in pieces:
            if looped:
                loops.lerp(target[b], source[b], float(momentum), 1 - float(momentum))
                continue
            step = xp.multiply(source[b], 1 - momentum)
            target[b] *= momentum
            target[b] += step.astype(target.dtype, copy=False)

    shared(work, list(blocks(0, len(target), target)), len(target))
