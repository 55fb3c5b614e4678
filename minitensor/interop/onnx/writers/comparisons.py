"""Comparisons, logic, and questions about each entry."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writing import writes
from minitensor.ops import elementwise as el

__all__ = ["as_bool"]


@writes(el.not_equal)
def _not_equal(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Not", [t.step("Equal", t.names(xs, y))], y)


def as_bool(t: Trace, name: str, x: Array) -> str:
    """Add whether a value is not 0, NaN being none."""
    dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    if dtype.kind == "b":
        return name
    return str(t.step("Not", [t.step("Equal", [name, t.name(0, dtype)])]))


@writes(el.logical_and, el.logical_or, el.logical_xor)
def _connect(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    kind = {el.logical_and: "And", el.logical_or: "Or", el.logical_xor: "Xor"}[t.op]
    t.emit(kind, [as_bool(t, t.name(x), x) for x in xs], y)


@writes(el.logical_not)
def _not(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Not", [as_bool(t, t.name(xs[0]), xs[0])], y)


@writes(el.isnan, el.isinf, el.isposinf, el.isneginf, el.isfinite)
def _ask(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    if x.dtype.kind != "f":
        return  # of integers the answer is known: a constant
    if x.dtype == np.float64:
        _ask_double(t, x, y)
    elif t.op is el.isnan:
        t.emit("IsNaN", [t.name(x)], y)
    elif t.op is el.isfinite:
        t.emit("Not", [t.step("Or", [t.step("IsInf", [t.name(x)]), t.step("IsNaN", [t.name(x)])])], y)
    else:
        sides = {"detect_positive": int(t.op is not el.isneginf), "detect_negative": int(t.op is not el.isposinf)}
        t.emit("IsInf", [t.name(x)], y, **sides)


def _ask_double(t: Trace, x: Array, y: Array) -> None:
    if t.op is el.isnan:
        t.emit("IsNaN", [t.name(x)], y)
    elif t.op is el.isfinite:
        t.emit("Less", [t.step("Abs", [t.name(x)]), t.name(np.inf, x.dtype)], y)
    else:
        end = t.name(-np.inf if t.op is el.isneginf else np.inf, x.dtype)
        t.emit("Equal", [t.step("Abs", [t.name(x)]) if t.op is el.isinf else t.name(x), end], y)


@writes(el.signbit)
def _signbit(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x = xs[0]
    if x.dtype.kind == "f":
        t.emit("Identity", [negative(t, t.name(x), x.dtype)], y)
    elif x.dtype.kind == "i":
        t.emit("Less", [t.name(x), t.name(0, x.dtype)], y)


def negative(t: Trace, name: str, dtype: DTypeLike) -> str:
    """Add whether a float has a minus, -0 too."""
    zero = t.name(0, dtype)
    return str(t.step("Or", [t.step("Less", [name, zero]), t.step("Less", [t.step("Reciprocal", [name]), zero])]))


@writes(el.isclose)
def _isclose(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    dtype = next(x.dtype for x in xs if hasattr(x, "dtype"))
    names = t.names(xs, y)
    if dtype.kind != "f":
        names, dtype = [t.cast(n, np.float32) for n in names], np.dtype(np.float32)
    a, b = names
    apart = t.step("Abs", [t.step("Sub", [a, b])])
    room = t.step("Mul", [t.step("Abs", [b]), t.name(s["rtol"], dtype)])
    near = t.step("LessOrEqual", [apart, t.step("Add", [room, t.name(s["atol"], dtype)])])
    ends = t.step("Less", [t.step("Abs", [b]), t.name(np.inf, dtype)])
    found = t.step("Or", [t.step("And", [near, ends]), t.step("Equal", [a, b])])
    if s["equal_nan"]:
        found = t.step("Or", [found, t.step("And", [t.step("IsNaN", [a]), t.step("IsNaN", [b])])])
    t.emit("Identity", [found], y)
