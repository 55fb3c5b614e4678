"""Reductions: one entry for all along some axes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.arithmetic import where
from minitensor.interop.onnx.writers.comparisons import as_bool
from minitensor.interop.onnx.writing import SMALL, writes
from minitensor.ops.linalg.norm import present
from minitensor.ops.nn.softmax import logsumexp
from minitensor.ops.reductions import reduce as red
from minitensor.ops.reductions.axes import Axis
from minitensor.ops.reductions.statistics import nansum, std, var

__all__ = ["axes_of"]


def axes_of(x: Array, axis: Axis) -> list[int]:
    """Return the axes that are reduced, none of them negative."""
    axes = range(x.ndim) if axis is None else [axis] if hasattr(axis, "__index__") else axis
    return [int(a) % max(x.ndim, 1) for a in axes] if x.ndim else []


def _reduce(t: Trace, kind: str, name: str, x: Array, s: Settings, y: Array | None = None) -> str:
    axes = axes_of(x, s["axis"])
    inputs, settings = ([name], {}) if not axes else ([name, t.ints(axes)], {"keepdims": int(s["keepdims"])})
    kind = kind if axes else "Identity"
    return str(t.step(kind, inputs, **settings) if y is None else t.emit(kind, inputs, y, **settings))


def _cast(t: Trace, x: Array, dtype: DTypeLike) -> str:
    return str(t.name(x) if x.dtype == dtype else t.cast(t.name(x), dtype))


@writes(red.sum, red.prod, red.mean)
def _total(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    kind = {red.sum: "ReduceSum", red.prod: "ReduceProd", red.mean: "ReduceMean"}[t.op]
    if t.op is red.mean and not xs[0].size:
        t.refuse("is of no entries, which has no counterpart in ONNX here")
    _reduce(t, kind, _cast(t, xs[0], y.dtype), xs[0], s, y)


@writes(nansum)
def _nansum(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    name = t.name(x)
    if x.dtype.kind == "f":
        name = where(t, t.step("IsNaN", [name]), t.name(0, x.dtype), name)
    _reduce(t, "ReduceSum", name if x.dtype == y.dtype else t.cast(name, y.dtype), x, s, y)


@writes(red.max, red.min)
def _extreme(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,), kind = xs, "ReduceMax" if t.op is red.max else "ReduceMin"
    if x.dtype.name in SMALL or x.dtype == bool:
        t.emit("Cast", [_reduce(t, kind, t.cast(t.name(x), np.int64), x, s)], y, to=y.dtype)
    elif x.dtype.kind == "f":
        found, spoilt = _reduce(t, kind, t.name(x), x, s), t.step("IsNaN", [t.name(x)])
        any_nan = _reduce(t, "ReduceMax", t.cast(spoilt, np.int32), x, s)
        where(t, t.cast(any_nan, bool), t.name(np.nan, y.dtype), found, y)
    else:
        _reduce(t, kind, t.name(x), x, s, y)


@writes(red.any, red.all)
def _any(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    if not x.size:
        t.refuse("is of no entries, which has no counterpart in ONNX here")
    whole = t.cast(as_bool(t, t.name(x), x), np.int32)
    t.emit("Cast", [_reduce(t, "ReduceMax" if t.op is red.any else "ReduceMin", whole, x, s)], y, to=np.dtype(bool))


@writes(red.count_nonzero)
def _count(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    _reduce(t, "ReduceSum", t.cast(as_bool(t, t.name(x), x), y.dtype), x, s, y)


@writes(present)
def _present(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Cast", [as_bool(t, t.name(xs[0]), xs[0])], y, to=y.dtype)


@writes(logsumexp)
def _logsumexp(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """max + ln Σ e^(x - max); an infinite maximum is the result."""
    (x,) = xs
    axes = axes_of(x, s["axis"])
    if not x.size:
        t.refuse("is of no entries, which has no counterpart in ONNX here")
    if not axes:
        t.emit("Identity", [t.name(x)], y)
        return
    top = t.step("ReduceMax", [t.name(x), t.ints(axes)], keepdims=1)
    ends = t.step("Equal", [t.step("Abs", [top]), t.name(np.inf, x.dtype)])
    shift = where(t, ends, t.name(0, x.dtype), top)
    e = t.step("Exp", [t.step("Sub", [t.name(x), shift])])
    total = t.step("Log", [t.step("ReduceSum", [e, t.ints(axes)], keepdims=1)])
    found = where(t, ends, top, t.step("Add", [total, shift]))
    if s["keepdims"]:
        t.emit("Identity", [found], y)
    else:
        t.emit("Squeeze", [found, t.ints(axes)], y)


@writes(var, std)
def _var(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    axes = axes_of(x, s["axis"])
    count = math.prod(x.shape[a] for a in axes)
    if count <= s["correction"]:
        t.refuse(f"is of {count} entries with correction {s['correction']}, which has no counterpart in ONNX here")
    center = _reduce(t, "ReduceMean", t.name(x), x, {"axis": axes, "keepdims": True})
    d = t.step("Sub", [t.name(x), center])
    total = _reduce(t, "ReduceSum", t.step("Mul", [d, d]), x, s)
    found = t.step("Div", [total, t.name(count - s["correction"], y.dtype)])
    t.emit("Sqrt" if t.op is std else "Identity", [found], y)


@writes(red.argmax, red.argmin)
def _argument(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,), axis, kind = xs, s["axis"], "ArgMax" if t.op is red.argmax else "ArgMin"
    name = t.cast(t.name(x), np.int32) if x.dtype.name in (*SMALL, "bool") else t.name(x)
    whole = axis is None or not x.ndim
    name = t.step("Reshape", [name, t.ints([-1])]) if whole else name
    along = {"axis": 0 if whole else int(axis), "keepdims": 0 if whole else int(s["keepdims"])}
    found = t.step(kind, [name], **along)
    if x.dtype.kind == "f":  # the first NaN, if there is one
        spoilt = t.cast(t.step("IsNaN", [name]), np.int32)
        there = t.step("ReduceMax", [spoilt, t.ints([along["axis"]])], keepdims=along["keepdims"])
        found = where(t, t.cast(there, bool), t.step("ArgMax", [spoilt], **along), found)
    t.emit("Reshape", [found, t.ints(y.shape)], y) if whole else t.emit("Identity", [found], y)
