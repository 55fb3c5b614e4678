"""Shapes: the same entries in another order or arrangement, joined, cut, repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writing import writes
from minitensor.ops.nn.recurrent import separate
from minitensor.ops.shaping.diagonal import diagonal, put_diagonal, tril, triu
from minitensor.ops.shaping.join import concatenate
from minitensor.ops.shaping.order import flip, roll
from minitensor.ops.shaping.padding import frame
from minitensor.ops.shaping.shape import broadcast_to, reshape, transpose
from minitensor.ops.shaping.tiling import repeat_each, tile

__all__ = ["END", "flat", "reshaped"]

END = 2**63 - 1  # beyond every axis


def reshaped(t: Trace, name: str, shape: Sequence[int], y: Array | None = None) -> str:
    """Add the entries in another shape; one length that follows the batch becomes -1 in the file."""
    settings = {"allowzero": 1} if 0 in shape else {}
    inputs = [name, t.ints(shape)]
    return str(t.step("Reshape", inputs, **settings) if y is None else t.emit("Reshape", inputs, y, **settings))


def flat(t: Trace, name: str) -> str:
    """Add all entries in one axis."""
    return reshaped(t, name, [-1])


@writes(reshape)
def _reshape(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    given = s["shape"] if isinstance(s["shape"], (tuple, list)) else [s["shape"]]
    shape = [int(n) for n in given]
    reshaped(t, t.name(xs[0]), y.shape if 0 in y.shape or -1 not in shape else shape, y)


@writes(transpose)
def _transpose(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    axes = range(y.ndim)[::-1] if s["axes"] is None else [int(a) % y.ndim for a in s["axes"]]
    if not y.ndim:
        t.emit("Identity", [t.name(xs[0])], y)
        return
    t.emit("Transpose", [t.name(xs[0])], y, perm=list(axes))


@writes(broadcast_to)
def _broadcast_to(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Expand", [t.name(xs[0]), t.ints(y.shape)], y)


@writes(concatenate)
def _concatenate(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    names, axis = t.names(xs, y), s["axis"]
    if axis is None:
        names, axis = [flat(t, n) for n in names], 0
    t.emit("Concat", names, y, axis=int(axis))


@writes(separate)
def _separate(t: Trace, xs: Operands, s: Settings, ys: Sequence[Array]) -> None:
    x = t.name(xs[0])
    for i, y in enumerate(ys):
        t.emit("Gather", [x, t.name(np.asarray(i))], y, axis=s["axis"])


@writes(frame)
def _frame(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    if not x.ndim:
        t.emit("Identity", [t.name(x)], y)
        return
    before, after = zip(*s["width"], strict=True)
    value = t.name(np.asarray(s["value"]).astype(x.dtype))
    t.emit("Pad", [t.name(x), t.ints([*before, *after]), value], y)


@writes(flip)
def _flip(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    axis = s["axis"]
    axes = list(range(y.ndim)) if axis is None else [axis] if hasattr(axis, "__index__") else list(axis)
    if not axes:
        t.emit("Identity", [t.name(xs[0])], y)
        return
    n = len(axes)
    t.emit("Slice", [t.name(xs[0]), t.ints([-1] * n), t.ints([-END] * n), t.ints(axes), t.ints([-1] * n)], y)


@writes(roll)
def _roll(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """What is cut off at one end is joined on at the other."""
    shift, axis = s["shift"], s["axis"]
    shifts = [shift] if hasattr(shift, "__index__") else list(shift)
    name = t.name(xs[0])
    if axis is None:
        name, axes, lengths = flat(t, name), [0], [y.size]
        shifts = [sum(shifts)]
    else:
        axes = [axis] if hasattr(axis, "__index__") else list(axis)
        count = max(len(axes), len(shifts))
        axes, shifts = axes * (count // len(axes)), shifts * (count // len(shifts))
        lengths = [y.shape[a] for a in axes]
    for n, a, length in zip(shifts, axes, lengths, strict=True):
        at = -(n % max(length, 1))
        if at:
            tail = t.step("Slice", [name, t.ints([at]), t.ints([END]), t.ints([a])])
            head = t.step("Slice", [name, t.ints([0]), t.ints([at]), t.ints([a])])
            name = t.step("Concat", [tail, head], axis=int(a))
    reshaped(t, name, y.shape, y)


@writes(tile)
def _tile(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    reps = [s["reps"]] if hasattr(s["reps"], "__index__") else list(s["reps"])
    shape = [1] * (y.ndim - xs[0].ndim) + list(xs[0].shape)
    name = reshaped(t, t.name(xs[0]), shape) if len(shape) > xs[0].ndim else t.name(xs[0])
    if not y.ndim:
        t.emit("Identity", [name], y)
        return
    t.emit("Tile", [name, t.ints([1] * (y.ndim - len(reps)) + reps)], y)


@writes(repeat_each)
def _repeat_each(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,), axis = xs, s["axis"] % max(y.ndim, 1)
    apart = t.step("Unsqueeze", [t.name(x), t.ints([axis + 1])])
    tiles = [s["count"] if i == axis + 1 else 1 for i in range(x.ndim + 1)]
    reshaped(t, t.step("Tile", [apart, t.ints(tiles)]), y.shape, y)


@writes(tril, triu)
def _triangle(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, narrow = t.name(xs[0]), y.dtype.name not in ("float32", "float64", "int64", "bool")
    inputs = [t.cast(x, np.int64) if narrow else x, t.name(np.asarray(s["k"]))]
    found = t.step("Trilu", inputs, upper=int(t.op is triu))
    t.emit("Cast", [found], y, to=y.dtype)


@writes(diagonal)
def _diagonal(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    a, b = s["axis1"] % x.ndim, s["axis2"] % x.ndim
    rest = [i for i in range(x.ndim) if i not in (a, b)]
    lead = [x.shape[i] for i in rest]
    rows = t.step("Transpose", [t.name(x)], perm=[*rest, a, b])
    rows = reshaped(t, rows, [*lead, x.shape[a] * x.shape[b]])
    places = np.arange(x.shape[a] * x.shape[b]).reshape(x.shape[a], x.shape[b]).diagonal(s["offset"])
    t.emit("Gather", [rows, t.ints(places.tolist())], y, axis=len(lead))


@writes(put_diagonal)
def _put_diagonal(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """Each diagonal beside a column of zeros, which all other places read."""
    (x,) = xs
    a, b = s["axis1"] % y.ndim, s["axis2"] % y.ndim
    rest = [i for i in range(y.ndim) if i not in (a, b)]
    places = np.full((y.shape[a], y.shape[b]), x.shape[-1])
    i = np.arange(x.shape[-1])
    places[i + max(-s["offset"], 0), i + max(s["offset"], 0)] = i
    pads = t.ints([0] * x.ndim + [0] * (x.ndim - 1) + [1])
    padded = t.step("Pad", [t.name(x), pads, t.name(np.zeros((), x.dtype))])
    found = t.step("Gather", [padded, t.name(places)], axis=x.ndim - 1)
    t.emit("Transpose", [found], y, perm=list(np.argsort([*rest, a, b])))
