"""How each op is written in ONNX: functions of (trace, operands, settings, result) that add nodes to the trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import is_array

__all__ = ["COMPOSITES", "OPS"]

Array = Any
Write = Callable[[Any, Sequence[Any], dict[str, Any], Any], Any]


def _plain(kind: str) -> Write:
    """Return a writer of an op with the same meaning: operands in, result out."""

    def write(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
        dtype = next((x.dtype for x in xs if is_array(x)), None)
        t.emit(kind, [t.name(x, dtype) for x in xs], y)

    return write


def _reduction(kind: str) -> Write:
    def write(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
        (x,), axis = xs, s["axis"]
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        t.emit(kind, [t.name(x), t.ints(list(axes))], y, keepdims=int(s["keepdims"]), noop_with_empty_axes=1)

    return write


def _along(kind: str) -> Write:
    def write(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
        t.emit(kind, [t.name(xs[0])], y, axis=s["axis"])

    return write


def _argument(kind: str) -> Write:
    def write(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
        x, axis = t.name(xs[0]), s["axis"]
        if axis is None:
            x, axis = t.step("Reshape", [x, t.ints([-1])]), 0
            x = t.step(kind, [x], axis=axis, keepdims=0)
            t.emit("Reshape", [x, t.ints(y.shape)], y)
        else:
            t.emit(kind, [x], y, axis=axis, keepdims=int(s["keepdims"]))

    return write


def _reshape(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Reshape", [t.name(xs[0]), t.ints(y.shape)], y)


def _transpose(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    axes = range(y.ndim)[::-1] if s["axes"] is None else [a % y.ndim for a in s["axes"]]
    t.emit("Transpose", [t.name(xs[0])], y, perm=list(axes))


def _expand(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Expand", [t.name(xs[0]), t.ints(y.shape)], y)


def _concatenate(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Concat", [t.name(x) for x in xs], y, axis=s["axis"])


def _separate(t: Any, xs: Sequence[Any], s: dict[str, Any], ys: Sequence[Array]) -> None:
    x = t.name(xs[0])
    for i, y in enumerate(ys):
        t.emit("Gather", [x, t.name(np.asarray(i))], y, axis=s["axis"])


def _getitem(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    """Any index: which entries it takes is known, so they are gathered by their positions."""
    (x,) = xs
    index = s["index"]
    steps = index if isinstance(index, tuple) else (index,)
    if all(isinstance(i, slice) for i in steps):
        bounds = [i.indices(n) for i, n in zip(steps, x.shape, strict=False)]
        if all(step > 0 for _, _, step in bounds):
            starts, stops, strides = (t.ints(v) for v in zip(*bounds, strict=True))
            t.emit("Slice", [t.name(x), starts, stops, t.ints(range(len(bounds))), strides], y)
            return
    places = np.arange(x.size).reshape(x.shape)[index]
    flat = t.step("Reshape", [t.name(x), t.ints([-1])])
    t.emit("Gather", [flat, t.name(np.asarray(places, np.int64))], y, axis=0)


def _frame(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    (x,) = xs
    before, after = zip(*s["width"], strict=True)
    t.emit("Pad", [t.name(x), t.ints([*before, *after]), t.name(np.asarray(s["value"], x.dtype))], y)


def _clip(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    x = xs[0]
    low, high = xs[1:] if len(xs) == 3 else (s["min"], s["max"])
    t.emit("Clip", [t.name(x), *("" if v is None else t.name(np.asarray(v, x.dtype)) for v in (low, high))], y)


def _astype(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Cast", [t.name(xs[0])], y, to=t.onnx.helper.np_dtype_to_tensor_dtype(y.dtype))


def _masked_softmax(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    p = t.step("Softmax", [t.name(xs[0])], axis=-1)
    t.emit(
        "Where", [t.step("IsNaN", [p]), t.name(np.zeros((), y.dtype)), p], y
    )  # a row without a place to look at is 0


def _gates(t: Any, x: Array, count: int) -> list[str]:
    """Cut the last axis into equal parts."""
    n, name, axis = x.shape[-1] // count, t.name(x), t.ints([-1])
    return [t.step("Slice", [name, t.ints([i * n]), t.ints([(i + 1) * n]), axis]) for i in range(count)]


def _gru_step(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    (xr, xu, xn), (hr, hu, hn), h = _gates(t, xs[0], 3), _gates(t, xs[1], 3), t.name(xs[2])
    r, u = (t.step("Sigmoid", [t.step("Add", [a, b])]) for a, b in ((xr, hr), (xu, hu)))
    new = t.step("Tanh", [t.step("Add", [xn, t.step("Mul", [r, hn])])])
    t.emit("Add", [new, t.step("Mul", [u, t.step("Sub", [h, new])])], y)


def _lstm_step(t: Any, xs: Sequence[Any], s: dict[str, Any], ys: Sequence[Array]) -> None:
    i, f, z, o = _gates(t, xs[0], 4)
    i, f, o = (t.step("Sigmoid", [v]) for v in (i, f, o))
    kept, new = t.step("Mul", [f, t.name(xs[1])]), t.step("Mul", [i, t.step("Tanh", [z])])
    c = t.emit("Add", [kept, new], ys[1])
    t.emit("Mul", [o, t.step("Tanh", [c])], ys[0])


def _square(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Mul", [t.name(xs[0])] * 2, y)


def _take_rows(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("Gather", [t.name(xs[0]), t.name(xs[1])], y, axis=s["axis"])


def _take_along(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    t.emit("GatherElements", [t.name(xs[0]), t.name(xs[1])], y, axis=s["axis"])


def _not_equal(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> None:
    dtype = next(x.dtype for x in xs if is_array(x))
    t.emit("Not", [t.step("Equal", [t.name(x, dtype) for x in xs])], y)


OPS: dict[str, Write] = {
    **{
        name: _plain(kind)
        for name, kind in {
            "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "power": "Pow",
            "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tanh": "Tanh", "erf": "Erf",
            "sigmoid": "Sigmoid", "relu": "Relu", "abs": "Abs", "sign": "Sign", "maximum": "Max", "minimum": "Min",
            "where": "Where", "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
            "greater_equal": "GreaterOrEqual", "logical_and": "And", "logical_or": "Or", "logical_not": "Not",
            "bmm": "MatMul", "identity": "Identity", "floor": "Floor", "ceil": "Ceil", "reciprocal": "Reciprocal",
        }.items()
    },
    **{
        name: _reduction(kind)
        for name, kind in {
            "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd",
            "logsumexp": "ReduceLogSumExp",
        }.items()
    },
    "normalised_exp": _along("Softmax"), "log_normalised_exp": _along("LogSoftmax"),
    "argmax": _argument("ArgMax"), "argmin": _argument("ArgMin"),
    "reshape": _reshape, "transpose": _transpose, "broadcast_to": _expand, "concatenate": _concatenate,
    "getitem": _getitem, "frame": _frame, "clip": _clip, "astype": _astype, "square": _square,
    "gru_step": _gru_step, "lstm_step": _lstm_step, "masked_softmax": _masked_softmax,
    "read_along": _take_along, "read_rows": _take_rows, "not_equal": _not_equal, "separate": _separate,
}  # fmt: skip


# -- composites that ONNX has as one node ----------------------------------------------------------------------------


def _each(value: Any, n: int) -> list[int]:
    return [int(v) for v in (value if isinstance(value, (tuple, list)) else (value,) * n)]


def _convolution(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> Any:
    n = y.ndim - 2
    if isinstance(s["padding"], str) or xs[0].ndim != y.ndim:
        return NotImplemented
    padding = _each(s["padding"], n)
    t.emit(
        "Conv", [t.name(x) for x in xs if x is not None], y,
        strides=_each(s["stride"], n), dilations=_each(s["dilation"], n), pads=padding * 2, group=s["groups"],
        kernel_shape=list(xs[1].shape[2:]),
    )  # fmt: skip


def _pool(kind: str) -> Write:
    def write(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> Any:
        n = y.ndim - 2
        if s.get("return_indices") or s.get("ceil_mode") or s.get("divisor_override"):
            return NotImplemented
        kernel = _each(s["kernel_size"], n)
        more: dict[str, Any] = {}
        if kind == "AveragePool":
            more = {"count_include_pad": int(s.get("count_include_pad", True))}
        if kind == "MaxPool" and set(_each(s.get("dilation", 1), n)) != {1}:
            more = {"dilations": _each(s["dilation"], n)}
        t.emit(
            kind, [t.name(xs[0])], y, kernel_shape=kernel,
            strides=kernel if s["stride"] is None else _each(s["stride"], n), pads=_each(s["padding"], n) * 2, **more,
        )  # fmt: skip
        return None

    return write


def _take(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> Any:
    if s["axis"] is None:
        return NotImplemented
    t.emit("Gather", [t.name(xs[0]), t.name(xs[1])], y, axis=s["axis"])


def _layer_norm(t: Any, xs: Sequence[Any], s: dict[str, Any], y: Array) -> Any:
    axes = s["axes"]
    shape = xs[0].shape[-axes:]
    weight = np.ones(shape, y.dtype) if xs[1] is None else xs[1]
    names = [t.name(xs[0]), t.name(weight), *([t.name(xs[2])] if xs[2] is not None else [])]
    t.emit("LayerNormalization", names, y, axis=-axes, epsilon=s["eps"])


COMPOSITES: dict[str, Write] = {
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"max_pool{n}d": _pool("MaxPool") for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _pool("AveragePool") for n in (1, 2, 3)},
    "take": _take,
    "layer_norm": _layer_norm,
}
