"""Recurrent layers: one node for a walk along time, single steps taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, to_numpy
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writing import Written, writes
from minitensor.ops.nn.recurrent import gru_step, gru_walk, lstm_step, lstm_walk, rnn_walk

__all__: list[str] = []

ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # ONNX's gates, by their number here


@writes(lstm_walk, gru_walk, rnn_walk)
def _walk(t: Trace, xs: Operands, s: Settings, ys: Sequence[Array]) -> Written:
    """One node, if what goes in is a `linear` of the sequence, with weights that no input decides."""
    kind = {lstm_walk: "LSTM", gru_walk: "GRU", rnn_walk: "RNN"}[t.op]
    projected, recurrent, *state = xs
    bias = state.pop() if kind == "GRU" else None
    origin = t.origins.get(id(projected))
    if origin is None or projected.dtype != np.float32 or projected.ndim != 3:
        return NotImplemented
    sequence, weight, first = origin
    if t.traced([weight, first, recurrent, bias]) or sequence.ndim != 3:
        return NotImplemented
    both = np.concatenate([_gates(v, kind, recurrent.shape[0]) for v in (first, bias)])
    inputs = [t.name(sequence), *(t.name(_gates(v, kind)[None]) for v in (weight, recurrent)), t.name(both[None]), ""]
    inputs += [t.step("Unsqueeze", [t.name(v), t.ints([0])]) for v in state]
    settings: dict[str, Any] = {"hidden_size": recurrent.shape[1]}
    settings |= {"direction": "reverse"} if s["reverse"] else {}
    settings |= {"linear_before_reset": 1} if kind == "GRU" else {}
    settings |= {"activations": [s["nonlinearity"].capitalize()]} if kind == "RNN" else {}
    found = t.steps_of(kind, inputs, len(ys), **settings)
    for name, y, axis in zip(found, ys, (1, 0, 0), strict=False):
        t.emit("Squeeze", [name, t.ints([axis])], y)
    return None


def _gates(x: Array, kind: str, rows: int = 0) -> Array:
    """Return a weight or bias with the gates in ONNX's order; zeros for None."""
    array = np.zeros(rows, np.float32) if x is None else to_numpy(x)
    parts = np.split(array, len(ORDER[kind]))
    return np.concatenate([parts[k] for k in ORDER[kind]])


def _parts(t: Trace, x: Array, count: int) -> list[str]:
    """Cut the last axis into equal parts."""
    n, name, axis = x.shape[-1] // count, t.name(x), t.ints([-1])
    return [t.step("Slice", [name, t.ints([i * n]), t.ints([(i + 1) * n]), axis]) for i in range(count)]


@writes(gru_step)
def _gru_step(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (xr, xu, xn), (hr, hu, hn), h = _parts(t, xs[0], 3), _parts(t, xs[1], 3), t.name(xs[2])
    r, u = (t.step("Sigmoid", [t.step("Add", [a, b])]) for a, b in ((xr, hr), (xu, hu)))
    new = t.step("Tanh", [t.step("Add", [xn, t.step("Mul", [r, hn])])])
    t.emit("Add", [new, t.step("Mul", [u, t.step("Sub", [h, new])])], y)


@writes(lstm_step)
def _lstm_step(t: Trace, xs: Operands, s: Settings, ys: Sequence[Array]) -> None:
    i, f, z, o = _parts(t, xs[0], 4)
    i, f, o = (t.step("Sigmoid", [v]) for v in (i, f, o))
    kept, new = t.step("Mul", [f, t.name(xs[1])]), t.step("Mul", [i, t.step("Tanh", [z])])
    c = t.emit("Add", [kept, new], ys[1])
    t.emit("Mul", [o, t.step("Tanh", [c])], ys[0])
