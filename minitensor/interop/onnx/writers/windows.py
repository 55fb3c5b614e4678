"""Windows that slide over the last axes: convolution, its adjoint, pooling, unfold and fold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.shapes import reshaped
from minitensor.interop.onnx.writing import Written, writes
from minitensor.ops.windows.average_pooling import avg_pool1d, avg_pool2d, avg_pool3d
from minitensor.ops.windows.convolution import conv1d, conv2d, conv3d
from minitensor.ops.windows.max_pooling import max_pool1d, max_pool2d, max_pool3d, window_argmax
from minitensor.ops.windows.sliding import fold, unfold
from minitensor.ops.windows.transposed_convolution import conv_transpose1d, conv_transpose2d, conv_transpose3d

__all__: list[str] = []


def _each(value: Any, n: int) -> list[int]:
    values = [int(v) for v in (value if isinstance(value, (tuple, list)) else (value,))]
    return values * n if len(values) == 1 else values


def _nodes_take(xs: Operands, y: Array, n: int) -> bool:
    """Whether runtimes have the node: a batch of float32."""
    return all(x is None or x.dtype == np.float32 for x in xs) and y.ndim == xs[0].ndim == n + 2


@writes(conv1d, conv2d, conv3d)
def _convolution(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    n = int(t.op.name[4])
    if isinstance(s["padding"], str) or not _nodes_take(xs, y, n):
        return NotImplemented
    t.emit(
        "Conv", [t.name(x) for x in xs if x is not None], y,
        strides=_each(s["stride"], n), dilations=_each(s["dilation"], n), pads=_each(s["padding"], n) * 2,
        group=s["groups"], kernel_shape=list(xs[1].shape[2:]),
    )  # fmt: skip
    return None


@writes(conv_transpose1d, conv_transpose2d, conv_transpose3d)
def _transposed(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    n = int(t.op.name[-2])
    more, stride = _each(s["output_padding"], n), _each(s["stride"], n)
    if not _nodes_take(xs, y, n) or any(a >= b for a, b in zip(more, stride, strict=True)):
        return NotImplemented
    t.emit(
        "ConvTranspose", [t.name(x) for x in xs if x is not None], y,
        strides=_each(s["stride"], n), dilations=_each(s["dilation"], n), pads=_each(s["padding"], n) * 2,
        output_padding=_each(s["output_padding"], n), group=s["groups"], kernel_shape=list(xs[1].shape[2:]),
    )  # fmt: skip
    return None


@writes(max_pool1d, max_pool2d, max_pool3d, avg_pool1d, avg_pool2d, avg_pool3d)
def _pool(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    n, largest = int(t.op.name[-2]), t.op.name.startswith("max")
    if s.get("return_indices") or s["ceil_mode"] or s.get("divisor_override") or not _nodes_take(xs, y, n):
        return NotImplemented
    kernel = _each(s["kernel_size"], n)
    more: dict[str, Any] = {"dilations": _each(s["dilation"], n)} if largest else {}
    if not largest:
        more["count_include_pad"] = int(s["count_include_pad"])
    t.emit(
        "MaxPool" if largest else "AveragePool", [t.name(xs[0])], y, kernel_shape=kernel,
        strides=_each(s["stride"], n) if s["stride"] else kernel, pads=_each(s["padding"], n) * 2, **more,
    )  # fmt: skip
    return None


def _windows(lengths: Sequence[int], size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """Return where the entry k of window i stands, counted row by row over the axes: (*size, *counts)."""
    places: Array = np.zeros((), np.int64)
    n = len(size)
    for axis, (m, k, s, d) in enumerate(zip(lengths, size, stride, dilation, strict=True)):
        count = (m - d * (k - 1) - 1) // s + 1
        at = np.arange(k)[:, None] * d + np.arange(count) * s
        shape = [1] * (2 * n)
        shape[axis], shape[n + axis] = k, count
        places = places * m + at.reshape(shape)
    return places


@writes(unfold)
def _unfold(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,), n = xs, len(s["size"])
    at = x.ndim - n
    places = _windows(x.shape[at:], s["size"], s["stride"], s["dilation"])
    rows = reshaped(t, t.name(x), [*x.shape[:at], math.prod(x.shape[at:])])
    t.emit("Gather", [rows, t.name(places)], y, axis=at)


@writes(fold)
def _fold(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """Add the windows up in a table that has a row for each place."""
    (x,), n = xs, len(s["lengths"])
    at = x.ndim - 2 * n
    size = x.shape[at : at + n]
    places = _windows(s["lengths"], size, s["stride"], s["dilation"]).reshape(-1, 1)
    lead, length = math.prod(x.shape[:at]), math.prod(s["lengths"])
    columns = t.step("Transpose", [reshaped(t, t.name(x), [lead, places.size])], perm=[1, 0])
    blank = t.step("Expand", [t.name(np.zeros((), y.dtype)), t.ints([length, lead])])
    table = t.step("ScatterND", [blank, t.name(places), columns], reduction="add")
    reshaped(t, t.step("Transpose", [table], perm=[1, 0]), y.shape, y)


@writes(window_argmax)
def _window_argmax(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """The entries of each window along an axis of their own: the first of the largest, and where it stands."""
    (x,), tables = xs, s["places"]
    n = len(tables)
    at = x.ndim - n
    lengths = x.shape[at:]
    places: Array = np.zeros((), np.int64)
    for axis, (m, table) in enumerate(zip(lengths, tables, strict=True)):
        rows = np.asarray(table)
        shape = [1] * (2 * n)
        shape[axis], shape[n + axis] = rows.shape
        places = places * m + rows.reshape(shape)
    places = places.reshape(-1, *places.shape[n:])
    rows_of = reshaped(t, t.name(x), [*x.shape[:at], math.prod(lengths)])
    entries = t.step("Gather", [rows_of, t.name(places)], axis=at)
    best = t.step("ArgMax", [entries], axis=at, keepdims=1)
    wide = t.step("Expand", [t.name(places), t.step("Shape", [entries])])
    t.emit("Squeeze", [t.step("GatherElements", [wide, best], axis=at), t.ints([at])], y)
