"""Activations and softmax."""

from __future__ import annotations

import math

from numpy.typing import DTypeLike

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.arithmetic import where
from minitensor.interop.onnx.writers.functions import log1p
from minitensor.interop.onnx.writing import writes
from minitensor.ops import elementwise as el
from minitensor.ops.nn.activation import exponential_linear, logsigmoid, softplus
from minitensor.ops.nn.attention import masked_softmax
from minitensor.ops.nn.piecewise import hardsigmoid, hardswish, hardtanh, softshrink
from minitensor.ops.nn.softmax import log_normalized_exp, normalized_exp

__all__: list[str] = []


@writes(el.relu)
def _relu(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    if y.dtype.kind == "f":
        t.emit("Relu", [t.name(xs[0])], y)
    else:
        t.emit("Max", [t.name(xs[0]), t.name(0, y.dtype)], y)


@writes(hardtanh)
def _hardtanh(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    low, high = (t.name(s[k] if y.dtype.kind == "f" else int(s[k]), y.dtype) for k in ("min_val", "max_val"))
    t.emit("Min", [t.step("Max", [t.name(xs[0]), low]), high], y)


def _sixth(t: Trace, x: str, dtype: DTypeLike) -> str:
    """min(max(x + 3, 0), 6)"""
    moved = t.step("Add", [x, t.name(3, dtype)])
    return str(t.step("Min", [t.step("Max", [moved, t.name(0, dtype)]), t.name(6, dtype)]))


@writes(hardsigmoid)
def _hardsigmoid(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Div", [_sixth(t, t.name(xs[0]), y.dtype), t.name(6, y.dtype)], y)


@writes(hardswish)
def _hardswish(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x = t.name(xs[0])
    t.emit("Div", [t.step("Mul", [x, _sixth(t, x, y.dtype)]), t.name(6, y.dtype)], y)


@writes(softshrink)
def _softshrink(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, width = t.name(xs[0]), t.name(s["lambd"], y.dtype)
    near = t.step("LessOrEqual", [t.step("Abs", [x]), width])
    moved = t.step("Sub", [x, t.step("Mul", [width, t.step("Sign", [x])])])
    where(t, near, t.name(0, y.dtype), moved, y)


def _log_exp(t: Trace, x: str, dtype: DTypeLike) -> str:
    """ln(1 + e^-|x|)"""
    return log1p(t, t.step("Exp", [t.step("Neg", [t.step("Abs", [x])])]), dtype)


@writes(softplus)
def _softplus(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, beta = t.name(xs[0]), t.name(s["beta"], y.dtype)
    z = t.step("Mul", [x, beta])
    smooth = t.step("Add", [t.step("Max", [z, t.name(0, y.dtype)]), _log_exp(t, z, y.dtype)])
    far = t.step("Greater", [z, t.name(s["threshold"], y.dtype)])
    where(t, far, x, t.step("Div", [smooth, beta]), y)


@writes(logsigmoid)
def _logsigmoid(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x = t.name(xs[0])
    t.emit("Sub", [t.step("Min", [x, t.name(0, y.dtype)]), _log_exp(t, x, y.dtype)], y)


@writes(exponential_linear)
def _exponential_linear(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, zero, one = t.name(xs[0]), t.name(0, y.dtype), t.name(1, y.dtype)
    below = t.step("Mul", [t.step("Min", [x, zero]), t.name(s["rate"], y.dtype)])
    curve = t.step("Mul", [t.step("Sub", [t.step("Exp", [below]), one]), t.name(s["alpha"], y.dtype)])
    line = t.step("Mul", [x, t.name(s["slope"], y.dtype)])
    where(t, t.step("Greater", [x, zero]), line, curve, y)


@writes(normalized_exp, log_normalized_exp)
def _softmax(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    axis, log = s["axis"], t.op is log_normalized_exp
    axes = tuple(range(y.ndim)) if axis is None else axis
    if isinstance(axes, tuple) and len(axes) == 1:
        axes = axes[0]
    x = t.name(xs[0])
    axes = () if not y.ndim else axes
    if not isinstance(axes, tuple):
        t.emit("LogSoftmax" if log else "Softmax", [x], y, axis=int(axes))
        return
    over = t.ints(axes)
    d = t.step("Sub", [x, t.step("ReduceMax", [x, over], keepdims=1) if axes else x])
    e = t.step("Exp", [d])
    total = t.step("ReduceSum", [e, over], keepdims=1) if axes else e
    t.emit("Sub" if log else "Div", [d, t.step("Log", [total])] if log else [e, total], y)


@writes(masked_softmax)
def _masked_softmax(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """A row without a place to look at is 0."""
    x = t.name(xs[0])
    if not y.shape[-1]:
        t.emit("Identity", [x], y)
        return
    top = t.step("ReduceMax", [x, t.ints([-1])], keepdims=1)
    dead = t.step("Equal", [top, t.name(-math.inf, y.dtype)])
    where(t, dead, t.name(0, y.dtype), t.step("Softmax", [x], axis=-1), y)
