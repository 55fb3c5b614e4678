"""Functions of each entry: exponentials, logarithms, angles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.arithmetic import where
from minitensor.interop.onnx.writers.comparisons import negative
from minitensor.interop.onnx.writing import writes
from minitensor.ops import elementwise as el
from minitensor.ops.loss.binary import log_likelihood

__all__ = ["log1p"]


@writes(el.exp2)
def _exp2(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Pow", [t.name(2, y.dtype), t.name(xs[0])], y)


@writes(el.log2, el.log10)
def _log_of_base(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    base = 2 if t.op is el.log2 else 10
    t.emit("Div", [t.step("Log", [t.name(xs[0])]), t.name(math.log(base), y.dtype)], y)


def log1p(t: Trace, x: str, dtype: DTypeLike) -> str:
    """ln(1 + x) = x ln(u) / (u - 1) with u = 1 + x as it is rounded (Kahan): exact for small x too."""
    one = t.name(1, dtype)
    u = t.step("Add", [x, one])
    flat, endless = t.step("Equal", [u, one]), t.step("Equal", [u, t.name(np.inf, dtype)])
    d = where(t, t.step("Or", [flat, endless]), one, t.step("Sub", [u, one]))
    log = t.step("Log", [u])
    found = where(t, endless, log, t.step("Mul", [log, t.step("Div", [x, d])]))
    return where(t, flat, x, found)


@writes(el.log1p)
def _log1p(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Identity", [log1p(t, t.name(xs[0]), y.dtype)], y)


@writes(el.expm1)
def _expm1(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """eˣ - 1 = tanh(x / 2) (eˣ + 1) near 0, where the difference would lose its digits."""
    x, one = t.name(xs[0]), t.name(1, y.dtype)
    e = t.step("Exp", [x])
    half = t.step("Tanh", [t.step("Mul", [x, t.name(0.5, y.dtype)])])
    near = t.step("Less", [t.step("Abs", [x]), one])
    where(t, near, t.step("Mul", [half, t.step("Add", [e, one])]), t.step("Sub", [e, one]), y)


@writes(el.rsqrt)
def _rsqrt(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Reciprocal", [t.step("Sqrt", [t.name(xs[0])])], y)


@writes(el.logaddexp, el.logaddexp2)
def _logaddexp(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """max + ln(1 + e^-|a - b|); where a = b (both may be infinite) it is a + ln 2."""
    unit = math.log(2) if t.op is el.logaddexp2 else 1.0
    a, b = (t.step("Mul", [n, t.name(unit, y.dtype)]) if unit != 1 else n for n in t.names(xs, y))
    apart = t.step("Neg", [t.step("Abs", [t.step("Sub", [a, b])])])
    apart = where(t, t.step("Equal", [a, b]), t.name(0, y.dtype), apart)
    found = t.step("Add", [t.step("Max", [a, b]), log1p(t, t.step("Exp", [apart]), y.dtype)])
    t.emit("Div", [found, t.name(unit, y.dtype)], y)


@writes(el.logit)
def _logit(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, one = t.name(xs[0]), t.name(1, y.dtype)
    if s["eps"] is not None:
        x = t.step("Clip", [x, t.name(s["eps"], y.dtype), t.name(1 - s["eps"], y.dtype)])
    t.emit("Log", [t.step("Div", [x, t.step("Sub", [one, x])])], y)


@writes(el.xlogy)
def _xlogy(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """0 where a is 0, unless b is NaN."""
    a, b = t.names(xs, y)
    zero = t.name(0, y.dtype)
    none = t.step("And", [t.step("Equal", [a, zero]), t.step("Not", [t.step("IsNaN", [b])])])
    where(t, none, zero, t.step("Mul", [a, t.step("Log", [b])]), y)


@writes(el.hypot)
def _hypot(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """m √(1 + (n / m)²), m the larger: nothing overflows on the way."""
    a, b = (t.step("Abs", [n]) for n in t.names(xs, y))
    large, small, zero = t.step("Max", [a, b]), t.step("Min", [a, b]), t.name(0, y.dtype)
    flat, one = t.step("Equal", [large, zero]), t.name(1, y.dtype)
    share = t.step("Div", [small, where(t, flat, one, large)])
    root = t.step("Sqrt", [t.step("Add", [t.step("Mul", [share, share]), one])])
    endless = t.step("Equal", [large, t.name(np.inf, y.dtype)])
    where(t, endless, large, t.step("Mul", [large, root]), y)


@writes(el.copysign)
def _copysign(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    a, b = t.names(xs, y)
    size = t.step("Abs", [a])
    where(t, negative(t, b, y.dtype), t.step("Neg", [size]), size, y)


@writes(el.heaviside)
def _heaviside(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, values = t.names(xs, y)
    zero = t.name(0, y.dtype)
    step = t.step("Cast", [t.step("Greater", [x, zero])], to=y.dtype)
    if y.dtype.kind == "f":
        step = where(t, t.step("IsNaN", [x]), x, step)
    where(t, t.step("Equal", [x, zero]), values, step, y)


@writes(el.lerp)
def _lerp(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    a, b, w = t.names(xs, y)
    d, one = t.step("Sub", [b, a]), t.name(1, y.dtype)
    near = t.step("Add", [a, t.step("Mul", [w, d])])
    far = t.step("Sub", [b, t.step("Mul", [d, t.step("Sub", [one, w])])])
    where(t, t.step("Less", [t.step("Abs", [w]), t.name(0.5, y.dtype)]), near, far, y)


@writes(el.nan_to_num)
def _nan_to_num(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, dtype = t.name(xs[0]), y.dtype
    if dtype.kind != "f":
        t.emit("Identity", [x], y)
        return
    top = float(np.finfo(dtype).max)
    ends = {np.inf: top if s["posinf"] is None else s["posinf"], -np.inf: -top if s["neginf"] is None else s["neginf"]}
    found = where(t, t.step("IsNaN", [x]), t.name(s["nan"], dtype), x)
    for end, value in ends.items():
        found = where(t, t.step("Equal", [x, t.name(end, dtype)]), t.name(value, dtype), found)
    t.emit("Identity", [found], y)


@writes(el.angle)
def _angle(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, zero = t.name(xs[0]), t.name(0, y.dtype)
    found = where(t, t.step("Less", [x, zero]), t.name(math.pi, y.dtype), zero)
    where(t, t.step("IsNaN", [x]), x, found, y)


@writes(el.real)
def _real(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Identity", [t.name(xs[0])], y)


@writes(el.imag)
def _imag(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """Zeros, a constant."""


@writes(el.atan2)
def _atan2(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """The angle of the point (b, a): atan(a / b) on the right, turned by ±π on the left."""
    a, b = t.names(xs, y)
    pi, zero = t.name(math.pi, y.dtype), t.name(0, y.dtype)
    left, minus = negative(t, b, y.dtype), negative(t, a, y.dtype)
    both = t.step("And", [t.step("Equal", [a, zero]), t.step("Equal", [b, zero])])
    slope = t.step("Div", [t.step("Abs", [a]), t.step("Abs", [b])])
    ends = [t.step("Equal", [t.step("Abs", [n]), t.name(np.inf, y.dtype)]) for n in (a, b)]
    slope = where(t, t.step("And", ends), t.name(1, y.dtype), slope)
    first = t.step("Atan", [where(t, both, zero, slope)])
    up = where(t, left, t.step("Sub", [pi, first]), first)
    where(t, minus, t.step("Neg", [up]), up, y)


@writes(log_likelihood)
def _log_likelihood(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, target = t.names(xs, y)
    one, least = t.name(1, y.dtype), t.name(-100, y.dtype)
    yes = t.step("Max", [t.step("Log", [x]), least])
    no = t.step("Max", [t.step("Log", [t.step("Sub", [one, x])]), least])
    rest = t.step("Mul", [t.step("Sub", [one, target]), no])
    t.emit("Add", [t.step("Mul", [target, yes]), rest], y)
