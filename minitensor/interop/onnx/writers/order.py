"""Order and scans: sorting, places in a sorted row, what has come together along an axis so far."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.arithmetic import where
from minitensor.interop.onnx.writers.functions import log1p
from minitensor.interop.onnx.writers.shapes import END, flat, reshaped
from minitensor.interop.onnx.writing import writes
from minitensor.ops.indexing.sorting import argsort, searchsorted
from minitensor.ops.reductions.counting import unique
from minitensor.ops.reductions.scan import cumprod, cumsum, leader, logcumsumexp

__all__: list[str] = []


def _lanes(t: Trace, x: Array, axis: int | None, dtype: DTypeLike | None = None) -> tuple[str, int, int]:
    """Return x with one axis to go along, which axis, and how long it is."""
    name = t.name(x) if dtype is None or x.dtype == dtype else t.cast(t.name(x), dtype)
    if axis is None or not x.ndim:
        return flat(t, name), 0, x.size
    return name, axis % x.ndim, x.shape[axis]


@writes(argsort)
def _argsort(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """TopK of all entries: equal ones stay in their order."""
    (x,) = xs
    sortable = x.dtype.name in ("float32", "float64", "int64", "int32")
    name, axis, n = _lanes(t, x, s["axis"], None if sortable else np.int64)
    found = t.steps_of("TopK", [name, t.ints([n])], 2, axis=axis, largest=int(s["descending"]))[1]
    reshaped(t, found, y.shape, y) if not y.ndim else t.emit("Identity", [found], y)


@writes(searchsorted)
def _searchsorted(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """How many entries are smaller (or, on the right, not larger); NaN is the largest."""
    row, v = t.names(xs, y)
    left = s["side"] == "left"
    apart = t.step("Unsqueeze", [v, t.ints([y.ndim])])
    before = t.step("Less" if left else "LessOrEqual", [row, apart])
    if any(getattr(x, "dtype", np.dtype(float)).kind == "f" for x in xs):
        last = t.step("IsNaN", [apart])
        if left:
            last = t.step("And", [last, t.step("Not", [t.step("IsNaN", [row])])])
        before = t.step("Or", [before, last])
    t.emit("ReduceSum", [t.cast(before, np.int64), t.ints([y.ndim])], y, keepdims=0)


@writes(cumsum)
def _cumsum(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    name, axis, _ = _lanes(t, xs[0], s["axis"], y.dtype)
    found = t.step("CumSum", [name, t.name(np.asarray(axis))])
    reshaped(t, found, y.shape, y) if not y.ndim else t.emit("Identity", [found], y)


def _part(t: Trace, name: str, axis: int, start: int, stop: int) -> str:
    return str(t.step("Slice", [name, t.ints([start]), t.ints([stop]), t.ints([axis])]))


Pair = tuple[str, ...]


def _scan(t: Trace, names: Pair, axis: int, n: int, join: Callable[[Pair, Pair], Pair]) -> Pair:
    """Join what has come together over 1, 2, 4, ... entries with what came before it."""
    step = 1
    while step < n:
        late = tuple(_part(t, v, axis, step, END) for v in names)
        early = tuple(_part(t, v, axis, 0, -step) for v in names)
        both = join(late, early)
        heads = tuple(_part(t, v, axis, 0, step) for v in names)
        names = tuple(t.step("Concat", [a, b], axis=axis) for a, b in zip(heads, both, strict=True))
        step *= 2
    return names


@writes(cumprod)
def _cumprod(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    name, axis, n = _lanes(t, xs[0], s["axis"], y.dtype)
    (found,) = _scan(t, (name,), axis, n, lambda a, b: (t.step("Mul", [a[0], b[0]]),))
    reshaped(t, found, y.shape, y)


@writes(logcumsumexp)
def _logcumsumexp(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    name, axis, n = _lanes(t, xs[0], s["axis"])

    def join(late: Pair, early: Pair) -> Pair:
        a, b = late[0], early[0]
        same = t.step("Equal", [a, b])
        apart = t.step("Neg", [t.step("Abs", [t.step("Sub", [a, b])])])
        tail = log1p(t, t.step("Exp", [where(t, same, t.name(0, y.dtype), apart)]), y.dtype)
        return (t.step("Add", [t.step("Max", [a, b]), tail]),)

    (found,) = _scan(t, (name,), axis, n, join)
    reshaped(t, found, y.shape, y)


@writes(leader)
def _leader(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """The value that leads and its place, the later of equal ones; a NaN leads from where it is."""
    (x,), axis = xs, s["axis"] % max(xs[0].ndim, 1)
    n = x.shape[axis]
    line = np.arange(n).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    name = t.cast(t.name(x), np.int64) if x.dtype.kind in "bu" or x.dtype.itemsize < 4 else t.name(x)
    places = t.step("Expand", [t.name(line), t.ints(x.shape)])

    def join(late: Pair, early: Pair) -> Pair:
        kind = "LessOrEqual" if s["smallest"] else "GreaterOrEqual"
        leads = t.step(kind, [late[0], early[0]])
        if x.dtype.kind == "f":
            leads = t.step("Or", [leads, t.step("IsNaN", [late[0]])])
        return where(t, leads, late[0], early[0]), where(t, leads, late[1], early[1])

    found = _scan(t, (name, places), axis, n, join)
    t.emit("Identity", [found[1]], y)


@writes(unique)
def _unique(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    found = t.steps_of("Unique", [t.name(x)], 4, sorted=1)
    flags = [True, s["return_index"], s["return_inverse"], s["return_counts"]]
    if not any(flags[1:]):
        t.emit("Identity", [found[0]], y)
        return
    asked = [(k, v) for k, (v, flag) in enumerate(zip(found, flags, strict=True)) if flag]
    for (k, v), part in zip(asked, y, strict=True):
        reshaped(t, v, x.shape, part) if k == 2 else t.emit("Identity", [v], part)
