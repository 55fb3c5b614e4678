"""What recurrent layers share: a state carried along a sequence, in layers, one way or both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minitensor.backend import Array
from minitensor.graph import describe
from minitensor.nn import functional as F
from minitensor.nn import initial
from minitensor.nn.base.checks import share, whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.base.parameter import Parameter
from minitensor.nn.sequences.packed import PackedSequence, checked_lengths, reached, reordered, repacked, unpacked
from minitensor.ops.elementwise import where
from minitensor.ops.linalg.matmul import bmm
from minitensor.ops.nn.recurrent import separate
from minitensor.ops.shaping.join import concatenate, stack
from minitensor.tensor import Tensor

__all__ = ["Recurrence", "State"]

State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM


class Recurrence(Layer):
    """What the layers share: parameters, shapes, directions, lengths, and the walk along time.

    The inputs of all steps are multiplied at once. Where every step counts for every sequence, the rest of a layer and
    direction is one composite; else a step multiplies the state, and does the rest in one op.
    """

    gates = 1
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        generator: np.random.Generator | None,
    ) -> None:
        whole(self, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        share(self, dropout=dropout)
        whole(self, None, proj_size=proj_size)
        if not 0 <= proj_size < hidden_size:
            raise ValueError(
                f"{type(self).__name__}: proj_size is less than hidden_size {hidden_size}; got {proj_size}"
            )
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.proj_size = proj_size
        self.suffixes = ("", "_reverse")[: 1 + bidirectional]
        rows, out = self.gates * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            entries = out * len(self.suffixes) if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, entries), "weight_hh": (rows, out)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
            for suffix in self.suffixes:
                for key, shape in shapes.items():
                    draw = initial.uniform(shape, 1 / math.sqrt(hidden_size), generator)
                    setattr(self, f"{key}_l{layer}{suffix}", Parameter(draw))

    def forward(self, input: Any, hx: Any = None, *, lengths: Array = None) -> tuple[Any, Any]:
        """Return the outputs of the last layer at all steps, and the last state of each layer and direction.

        lengths: how many steps of each sequence count; the outputs after them are 0, as after packing and padding.
        """
        packed = input if isinstance(input, PackedSequence) else None
        x, single = self._steps(input, lengths)
        counts: NDArray[np.int64] | None = None
        if packed is not None:
            x, counts = unpacked(packed)
        elif lengths is not None:
            counts = checked_lengths(type(self).__name__, lengths, x.shape[1], x.shape[0])
        state = self._initial(hx, x, single)
        if packed is not None:
            state = tuple(reordered(s, packed.sorted_indices, 1) for s in state)
        there = None if counts is None else reached(counts, x.shape[0])
        y, last = self._run(x, state, None if there is None or there.all() else there)
        if packed is not None:
            last = tuple(reordered(s, packed.unsorted_indices, 1) for s in last)
            return repacked(y, packed), last if self.states > 1 else last[0]
        if single:
            y, last = y[:, 0], tuple(s[:, 0] for s in last)
        elif self.batch_first:
            y = y.swapaxes(0, 1)
        return y, last if self.states > 1 else last[0]

    def _steps(self, input: Any, lengths: Array) -> tuple[Tensor, bool]:
        """Return the input as (steps, batch, features), and whether it came without a batch."""
        name = type(self).__name__
        packed = isinstance(input, PackedSequence)
        x: Tensor = input.data if packed else input
        if x.dtype.kind not in "fV":
            raise TypeError(f"{name} takes floats; got {describe(x)}")
        if packed:
            if lengths is not None:
                raise ValueError(f"{name}: a packed sequence knows its lengths; lengths= is for padded ones")
        elif x.ndim not in (2, 3) or (x.ndim == 2 and lengths is not None):
            axes = "(batch, steps, features)" if self.batch_first else "(steps, batch, features)"
            raise ValueError(f"{name} takes {axes}, or (steps, features) without lengths; got {describe(x)}")
        if x.shape[-1] != self.input_size:
            raise ValueError(f"{name} takes {self.input_size} features on the last axis; got {describe(x)}")
        single = not packed and x.ndim == 2
        if single:
            x = x.reshape(x.shape[0], 1, x.shape[1])
        elif self.batch_first and not packed:
            x = x.swapaxes(0, 1)
        if not x.shape[0]:
            raise ValueError(f"{name} takes at least one step; got {describe(input)}")
        return x, single

    def _initial(self, hx: Any, x: Tensor, single: bool) -> State:
        """Return the first states (layers · directions, batch, size), zeros for None."""
        name, parts = type(self).__name__, self.num_layers * len(self.suffixes)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[: self.states]
        if hx is None:
            weight = next(self.parameters())
            shapes = [(parts, x.shape[1], size) for size in sizes]
            return tuple(Tensor(np.zeros(s), dtype=weight.dtype, device=weight.device) for s in shapes)
        state = hx if self.states > 1 else (hx,)
        if not isinstance(state, (tuple, list)) or len(state) != self.states:
            raise ValueError(f"{name}: hx is (h, c); got {describe(hx)}")
        for s, size in zip(state, sizes, strict=True):
            shape = (parts, size) if single else (parts, x.shape[1], size)
            if not isinstance(s, Tensor) or s.shape != shape:
                raise ValueError(f"{name}: hx of this input has shape {shape}; got {describe(s)}")
        return tuple(s.reshape(parts, 1, s.shape[-1]) if single else s for s in state)

    def _run(self, x: Tensor, state: State, there: NDArray[np.bool_] | None) -> tuple[Tensor, State]:
        """Return the outputs (steps, batch, ...) and the last states; `there` (steps, batch) says what counts."""
        first = list(zip(*[separate(s) for s in state], strict=True))  # per layer and direction
        mask = None if there is None else Tensor(there[:, :, None], device=x.device)
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = F.dropout(x, self.dropout)
            if mask is not None:
                x = where(mask, x, 0.0)  # whatever stands in the padding, NaN too
            ys = []
            for suffix in self.suffixes:
                y, end = self._walk(x, first[len(last)], there, f"_l{layer}{suffix}", reverse=bool(suffix))
                ys.append(y)
                last.append(end)
            x = ys[0] if len(ys) == 1 else concatenate(*ys, axis=-1)
        y = x if mask is None else where(mask, x, 0.0)
        return y, tuple(stack(*s) for s in zip(*last, strict=True))

    def _walk(
        self, x: Tensor, state: State, there: NDArray[np.bool_] | None, suffix: str, reverse: bool
    ) -> tuple[Tensor, State]:
        """Carry the state along (steps, batch, ...); where a sequence has ended, or not begun, it stays as it is."""
        weight: Tensor = getattr(self, f"weight_ih{suffix}")
        b_ih, b_hh, projection = (getattr(self, key + suffix, None) for key in ("bias_ih", "bias_hh", "weight_hr"))
        joined = b_ih if self.gates == 3 or b_ih is None else b_ih + b_hh  # a GRU's b_hh is inside r hₙ
        x, recurrent = F.linear(x, weight, joined), getattr(self, f"weight_hh{suffix}")
        if there is None and projection is None:
            y, *end = self._whole(x, recurrent, b_hh, state, reverse)
            return y, tuple(end)
        inputs = separate(x)  # per step (batch, gates)
        w, p = recurrent.mT, None if projection is None else projection.mT
        hs: list[Any] = [None] * len(inputs)
        for t in reversed(range(len(inputs))) if reverse else range(len(inputs)):
            product = bmm(state[0], w)  # (batch, gates)
            new = self._step(inputs[t], product if self.gates != 3 or b_hh is None else product + b_hh, state)
            if p is not None:
                new = (bmm(new[0], p), *new[1:])
            if there is not None and not there[t].all():
                here = Tensor(there[t][:, None], device=x.device)
                new = tuple(where(here, a, b) for a, b in zip(new, state, strict=True))
            state, hs[t] = new, new[0]
        return concatenate(*hs, axis=0).reshape(len(hs), *hs[0].shape), state

    def _step(self, x: Tensor, hidden: Tensor, state: State) -> State:
        raise NotImplementedError

    def _whole(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state: State, reverse: bool
    ) -> tuple[Tensor, *State]:
        """Walk where every step counts for every sequence: the outputs, then the last state."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Return input -> state, and the settings that are not the defaults."""
        shown = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        shown |= {"proj_size": 0}
        text = [f"{k}={v}" for k, d in shown.items() if (v := getattr(self, k)) != d]
        return ", ".join([f"{self.input_size} -> {self.hidden_size}", *text])
