"""Arithmetic of two operands, rounding, casts, choices."""

from __future__ import annotations

import numpy as np

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writing import SMALL, writes
from minitensor.ops import elementwise as el
from minitensor.ops.elementwise.rounding import nothing, trunc_divide
from minitensor.ops.linalg.distance import raised
from minitensor.ops.windows.grid_sample import lattice

__all__ = ["where"]


def where(t: Trace, condition: str, a: str, b: str, y: Array | None = None) -> str:
    """Add a = where(condition, a, b), of names."""
    name: str = t.step("Where", [condition, a, b]) if y is None else t.emit("Where", [condition, a, b], y)
    return name


@writes(el.where)
def _where(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    condition, a, b = t.names(xs, y)
    where(t, condition, a, b, y)


@writes(el.fmax, el.fmin)
def _fmax(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """A number wins over NaN."""
    a, b = t.names(xs, y)
    both = t.step("Max" if t.op is el.fmax else "Min", [a, b])
    if y.dtype.kind != "f":
        t.emit("Identity", [both], y)
        return
    inner = where(t, t.step("IsNaN", [b]), a, both)
    where(t, t.step("IsNaN", [a]), b, inner, y)


@writes(el.clip)
def _clip(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, low, high = xs
    name = t.name(x, y.dtype)
    for kind, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            name = t.step(kind, [name, t.name(bound, y.dtype)])
    t.emit("Identity", [name], y)


@writes(raised)
def _raised(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Max", [t.name(xs[0]), t.name(s["least"], y.dtype)], y)


@writes(el.astype)
def _astype(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Cast", [t.name(xs[0])], y, to=y.dtype)
    if id(xs[0]) in t.origins:  # half precision is widened between two layers: it is still made of the same
        t.origins[id(y)] = t.origins[id(xs[0])]


@writes(el.square)
def _square(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x = t.name(xs[0]) if xs[0].dtype == y.dtype else t.cast(t.name(xs[0]), y.dtype)
    t.emit("Mul", [x, x], y)


@writes(nothing)
def _nothing(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """Zeros: they depend on no value, so that there is nothing to write."""


# -- rounding ----------------------------------------------------------------------------------------------------------


@writes(el.floor, el.ceil, el.trunc)
def _floor(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x = t.name(xs[0])
    if y.dtype.kind != "f":
        t.emit("Identity", [x], y)
    elif t.op is el.trunc:
        low, high = t.step("Floor", [x]), t.step("Ceil", [x])
        where(t, t.step("Less", [x, t.name(0, y.dtype)]), high, low, y)
    else:
        t.emit("Floor" if t.op is el.floor else "Ceil", [x], y)


@writes(el.round)
def _round(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, decimals = t.name(xs[0]), s["decimals"]
    if y.dtype.kind != "f":
        if decimals < 0:
            t.refuse("rounds integers to tens, which has no counterpart in ONNX here")
        t.emit("Identity", [x], y)
    elif decimals:
        scale = t.name(10.0 ** abs(decimals), y.dtype)
        there, back = ("Mul", "Div") if decimals > 0 else ("Div", "Mul")
        t.emit(back, [t.step("Round", [t.step(there, [x, scale])]), scale], y)
    else:
        t.emit("Round", [x], y)


@writes(lattice)
def _lattice(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Round" if s["nearest"] else "Floor", [t.name(xs[0])], y)


def _wide(t: Trace, xs: Operands, y: Array) -> list[str]:
    names: list[str] = t.names(xs, y)
    return [t.cast(n, np.int64) for n in names] if y.dtype.name in SMALL else names


def _finish(t: Trace, name: str, y: Array) -> None:
    t.emit("Cast", [name], y, to=y.dtype)


def _remainder(t: Trace, a: str, b: str, dtype: np.dtype) -> str:
    """a mod b with the sign of b."""
    if dtype.kind in "iu":
        return str(t.step("Mod", [a, b]))
    rest, zero = t.step("Mod", [a, b], fmod=1), t.name(0, dtype)
    signs = t.step("Xor", [t.step("Less", [rest, zero]), t.step("Less", [b, zero])])
    apart = t.step("And", [signs, t.step("Not", [t.step("Equal", [rest, zero])])])
    return where(t, apart, t.step("Add", [rest, b]), rest)


@writes(el.remainder)
def _mod(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    a, b = _wide(t, xs, y)
    _finish(t, _remainder(t, a, b, y.dtype), y)


@writes(el.fmod)
def _fmod(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    _finish(t, t.step("Mod", _wide(t, xs, y), fmod=1), y)


@writes(el.floor_divide)
def _floor_divide(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    a, b = _wide(t, xs, y)
    exact = t.step("Div", [t.step("Sub", [a, _remainder(t, a, b, y.dtype)]), b])
    if y.dtype.kind != "f":
        _finish(t, exact, y)
        return
    endless = t.step("Equal", [b, t.name(0, y.dtype)])
    where(t, endless, t.step("Div", [a, b]), t.step("Round", [exact]), y)


@writes(trunc_divide)
def _trunc_divide(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    names: list[str] = t.names(xs, y)
    dtype = next(x.dtype for x in xs if hasattr(x, "dtype"))
    if dtype.kind != "f":
        names = [t.cast(n, y.dtype) for n in names]
    quotient = t.step("Div", names)
    low, high = t.step("Floor", [quotient]), t.step("Ceil", [quotient])
    where(t, t.step("Less", [quotient, t.name(0, y.dtype)]), high, low, y)


# -- bits --------------------------------------------------------------------------------------------------------------


@writes(el.bitwise_left_shift, el.bitwise_right_shift)
def _shift(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """Multiply by a power of two, or divide; by the width or more, nothing is left."""
    if y.dtype.kind == "u" and y.dtype.itemsize == 8:
        t.refuse("shifts uint64, which has no counterpart in ONNX here")
    a, b = (t.cast(n, np.int64) for n in t.names(xs, y))
    zero, width = t.name(0, np.int64), 8 * y.dtype.itemsize
    power = t.step("Pow", [t.name(2, np.int64), t.step("Min", [b, t.name(min(width, 62), np.int64)])])
    beyond = t.step("GreaterOrEqual", [b, t.name(min(width, 63), np.int64)])
    if t.op is el.bitwise_left_shift:
        _finish(t, where(t, beyond, zero, t.step("Mul", [a, power])), y)
        return
    floor = t.step("Div", [t.step("Sub", [a, t.step("Mod", [a, power])]), power])
    sign = where(t, t.step("Less", [a, zero]), t.name(-1, np.int64), zero)
    _finish(t, where(t, beyond, sign, floor), y)
