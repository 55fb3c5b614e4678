"""Writing at places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from minitensor.backend import Array, is_array
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.indexing import read
from minitensor.interop.onnx.writers.shapes import END, flat, reshaped
from minitensor.interop.onnx.writing import Written, writes
from minitensor.ops.indexing.gather import add_along, add_rows
from minitensor.ops.indexing.index import add_at, plain_index
from minitensor.ops.indexing.scatter import (
    index_add,
    index_put,
    put,
    put_along_axis,
    scatter,
    scatter_add,
    untouched,
    write_at,
)
from minitensor.ops.indexing.scatter_reduce import scatter_reduce
from minitensor.ops.indexing.sorting import kthvalue, topk
from minitensor.ops.windows.unpooling import put_along

__all__: list[str] = []


def _int64(t: Trace, x: Array) -> str:
    name = t.name(x)
    return str(name if x.dtype == np.int64 else t.cast(name, np.int64))


def _zeros(t: Trace, shape: Sequence[int], dtype: DTypeLike) -> str:
    return str(t.step("Expand", [t.name(np.zeros((), dtype)), t.ints(shape)]))


def _lanes(t: Trace, x: Array, index: Array, src: Array, axis: int, reduction: str, y: Array) -> None:
    """x with src put (or added, ...) where an index as long as src says, in its lanes along an axis."""
    if not index.size:
        t.emit("Identity", [t.name(x)], y)
        return
    values, place, name = t.name(src, y.dtype), _int64(t, index), t.name(x)
    if hasattr(src, "shape") and src.shape != index.shape and src.ndim:
        n = src.ndim
        values = t.step("Slice", [values, t.ints([0] * n), t.ints(index.shape), t.ints(range(n))])
    elif not hasattr(src, "shape") or src.shape != index.shape:
        values = t.step("Expand", [values, t.ints(index.shape)])
    if not y.ndim:
        name, place, values = (reshaped(t, n, [1]) for n in (name, place, values))
    settings = {} if reduction == "none" else {"reduction": reduction}
    found = t.step("ScatterElements", [name, place, values], axis=axis, **settings)
    reshaped(t, found, y.shape, y) if not y.ndim else t.emit("Identity", [found], y)


@writes(scatter, scatter_add)
def _scatter(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    adds = t.op is scatter_add
    if adds and y.dtype == bool:
        return NotImplemented
    x, index, src = xs
    _lanes(t, x, index, src, s["dim"], "add" if adds else "none", y)


@writes(scatter_reduce)
def _scatter_reduce(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    kind = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min", "mean": "mean"}[s["reduce"]]
    if y.dtype.name not in ("float32", "float64", "int64", "int32"):
        return NotImplemented
    x, index, src = xs
    if not s["include_self"]:
        if not index.size:
            return NotImplemented
        neutral = {"add": 0, "mean": 0, "mul": 1, "max": -np.inf, "min": np.inf}[kind]
        if y.dtype.kind == "i" and kind in ("max", "min"):
            return NotImplemented
        blank = np.broadcast_to(np.asarray(neutral, y.dtype), index.shape)
        started = t.step("ScatterElements", [t.name(x), _int64(t, index), t.name(np.array(blank))], axis=s["dim"])
        known = np.empty_like(y)
        t.know(known, started)
        x = known
    if kind != "mean":
        _lanes(t, x, index, src, s["dim"], kind, y)
        return None
    if y.dtype.kind != "f":
        return NotImplemented
    total, count = np.empty_like(y), np.empty_like(y)
    _lanes(t, x, index, src, s["dim"], "add", total)
    start = t.step("Expand", [t.name(float(s["include_self"]), y.dtype), t.step("Shape", [t.name(x)])])
    t.know(first := np.empty_like(y), start)
    _lanes(t, first, index, np.ones((), y.dtype), s["dim"], "add", count)
    t.emit("Div", [t.name(total), t.step("Max", [t.name(count), t.name(1, y.dtype)])], y)
    return None


@writes(put_along_axis)
def _put_along_axis(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    x, index, values = xs
    axis = s["axis"]
    if axis is None:
        count = [t.ints([index.size])]
        _put_at(t, x, _int64(t, index), t.step("Expand", [t.name(values, y.dtype), *count]), False, y)
        return None
    if not y.ndim or x.ndim != index.ndim:
        return NotImplemented
    axis %= x.ndim
    shape = [m if i == axis else n for i, (n, m) in enumerate(zip(x.shape, index.shape, strict=True))]
    place = t.step("Expand", [_int64(t, index), t.ints(shape)])
    src = t.step("Expand", [t.name(values, y.dtype), t.ints(shape)])
    t.emit("ScatterElements", [t.name(x), place, src], y, axis=axis)


@writes(index_add)
def _index_add(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    x, index, source = xs
    if not y.ndim or not index.ndim or not index.size or source.dtype != y.dtype:
        return NotImplemented
    axis = s["dim"] % y.ndim
    values = t.name(source)
    if s["alpha"] != 1:
        values = t.step("Mul", [values, t.name(s["alpha"], y.dtype)])
    _rows(t, t.name(x), _int64(t, index), values, source.shape, axis, y)


def _rows(t: Trace, x: str, index: str, values: str, shape: Sequence[int], axis: int, y: Array) -> None:
    """x with slices added at the places of a vector along an axis."""
    column = t.step("Unsqueeze", [index, t.ints([i for i in range(y.ndim) if i != axis])]) if y.ndim > 1 else index
    wide = t.step("Expand", [column, t.ints(shape)])
    t.emit("ScatterElements", [x, wide, values], y, axis=axis, reduction="add")


@writes(add_rows)
def _add_rows(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, index = xs
    if x.size:
        _rows(t, _zeros(t, y.shape, y.dtype), _int64(t, index), t.name(x), x.shape, s["axis"] % y.ndim, y)


@writes(add_along, put_along)
def _add_along(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, index = xs
    if not index.size:
        return
    settings = {"axis": 1} if t.op is put_along else {"axis": s["axis"], "reduction": "add"}
    names = [_zeros(t, y.shape or (1,), y.dtype), _int64(t, index), t.name(x)]
    names[1:] = [n if index.ndim else reshaped(t, n, [1]) for n in names[1:]]
    reshaped(t, t.step("ScatterElements", names, **settings), y.shape, y)


@writes(write_at)
def _write_at(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    x, values, at = xs
    if not at.size:
        t.emit("Identity", [t.name(x)], y)
        return
    found = t.step("ScatterElements", [flat(t, t.name(x)), _int64(t, at), t.name(values, y.dtype)], axis=0)
    reshaped(t, found, y.shape, y)


@writes(untouched)
def _untouched(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (at,) = xs
    ones, zeros = (t.name(np.full(n, v)) for n, v in ((y.size, True), (at.size, False)))
    reshaped(t, t.step("ScatterElements", [ones, _int64(t, at), zeros], axis=0), y.shape, y)


@writes(add_at)
def _add_at(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    places = t.name(np.arange(y.size).reshape(y.shape))
    at = flat(t, read(t, places, y.ndim, s["index"]))
    found = t.step("ScatterElements", [_zeros(t, [y.size], y.dtype), at, flat(t, t.name(x))], axis=0, reduction="add")
    reshaped(t, found, y.shape, y)


def _put_at(t: Trace, x: Array, at: str, values: str, adds: bool, y: Array) -> None:
    """x with values at places that are counted row by row."""
    settings = {"reduction": "add"} if adds else {}
    found = t.step("ScatterElements", [flat(t, t.name(x)), flat(t, at), flat(t, values)], axis=0, **settings)
    reshaped(t, found, y.shape, y)


@writes(index_put)
def _index_put(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    """A table of all places is read as x would be: that says where the values go."""
    (x, values), index = xs, plain_index(s["indices"], xs[0])
    if not y.size or (s["accumulate"] and y.dtype == bool):
        return NotImplemented
    table, src = np.arange(y.size).reshape(y.shape), t.name(values, y.dtype)
    if is_array(index) and index.dtype == bool and t.traced(index):
        return _masked_put(t, x, index, src, np.ndim(values), s["accumulate"], y)
    places = table[index]
    if not places.size:
        t.emit("Identity", [t.name(x)], y)
        return None
    at = read(t, t.name(table), y.ndim, index)
    _put_at(t, x, at, t.step("Expand", [src, t.ints(places.shape)]), s["accumulate"], y)
    return None


def _masked_put(t: Trace, x: Array, mask: Array, src: str, ndim: int, adds: bool, y: Array) -> Written:
    """One value for all that a mask of the input names."""
    if ndim:
        t.refuse("puts several values where a mask that is an input says, which has no counterpart in ONNX here")
    wide = t.step("Unsqueeze", [t.name(mask), t.ints(range(mask.ndim, y.ndim))]) if y.ndim > mask.ndim else t.name(mask)
    value = t.step("Add", [t.name(x), src]) if adds else src
    t.emit("Where", [wide, value, t.name(x)], y)


@writes(put)
def _put(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    x, index, values = xs
    index = np.asarray(index) if not hasattr(index, "dtype") else index
    count, given = index.size, int(np.size(values))
    if not count or not y.size or not given:
        return NotImplemented
    src = flat(t, t.name(values, y.dtype))
    if given < count:
        src = t.step("Gather", [src, t.name(np.arange(count) % given)], axis=0)
    src = t.step("Slice", [src, t.ints([0]), t.ints([count])]) if given > count else src
    _put_at(t, x, t.step("Mod", [flat(t, _int64(t, index)), t.name(np.asarray(y.size))]), src, False, y)
    return None


@writes(kthvalue, topk)
def _topk(t: Trace, xs: Operands, s: Settings, y: tuple[Array, Array]) -> Written:
    """The k first in order; of the k-th alone the last of them."""
    (x,), kth = xs, t.op is kthvalue
    if not x.ndim or not s["k"]:
        return NotImplemented
    axis, narrow = s["axis"] % x.ndim, x.dtype.name not in ("float32", "float64", "int64", "int32")
    name = t.cast(t.name(x), np.int64) if narrow else t.name(x)
    found = t.steps_of("TopK", [name, t.ints([s["k"]])], 2, axis=axis, largest=int(not kth and s["largest"]))
    for v, n, out in zip(found, y, (x.dtype, np.int64), strict=True):
        if kth:
            v = t.step("Slice", [v, t.ints([-1]), t.ints([END]), t.ints([axis])])
            v = v if s["keepdims"] else t.step("Squeeze", [v, t.ints([axis])])
        t.emit("Cast", [v], n, to=np.dtype(out))
