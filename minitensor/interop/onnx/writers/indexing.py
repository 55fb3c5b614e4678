"""Reading at places: x[index] of every kind, rows, lanes, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.backend import Array, is_array, to_numpy
from minitensor.graph import Operands, Settings
from minitensor.interop.onnx.trace import Trace
from minitensor.interop.onnx.writers.shapes import END, flat, reshaped
from minitensor.interop.onnx.writing import Written, writes
from minitensor.ops.indexing.gather import read_along, read_rows
from minitensor.ops.indexing.index import argwhere, getitem, masked_select, one_hot
from minitensor.ops.reductions.counting import nonzero

__all__ = ["read"]

Index = list[Any]


def _spelled(index: Array, ndim: int) -> Index:
    """Return an index with a slice in place of ..., one item for each axis, None and True left in between."""
    items = list(index) if isinstance(index, tuple) else [index]
    used = sum(
        0 if i is None or i is Ellipsis or isinstance(i, bool) else i.ndim if is_array(i) and i.dtype == bool else 1
        for i in items
    )
    rest = [slice(None)] * (ndim - used)
    at = next((k for k, i in enumerate(items) if i is Ellipsis), None)
    return [*items, *rest] if at is None else [*items[:at], *rest, *items[at + 1 :]]


def _without_masks(t: Trace, items: Index) -> Index:
    """Put the places of its True entries in a constant mask's place."""
    found: Index = []
    for i in items:
        if is_array(i) and i.dtype == bool:
            if t.traced(i):
                t.refuse("reads by a mask beside other indices, which has no counterpart in ONNX here")
            found += list(to_numpy(i).nonzero()) if i.ndim else [bool(i)]
        else:
            found.append(i)
    return found


def _sliced(t: Trace, name: str, items: Index) -> str:
    """Add what the slices of an index read; the other axes stay whole."""
    axes, bounds = [], []
    axis = 0
    for i in items:
        if isinstance(i, slice) and i != slice(None):
            step = 1 if i.step is None else i.step
            start = i.start if i.start is not None else 0 if step > 0 else END
            stop = i.stop if i.stop is not None else END if step > 0 else -END
            axes.append(axis)
            bounds.append((start, stop, step))
        axis += i is not None and not isinstance(i, bool)
    if not axes:
        return name
    starts, stops, steps = (t.ints(v) for v in zip(*bounds, strict=True))
    return str(t.step("Slice", [name, starts, stops, t.ints(axes), steps]))


def _basic(t: Trace, name: str, items: Index) -> str:
    """Add what numbers read (their axes leave) and what None adds."""
    axes = [i for i in items if i is not None]
    for axis in reversed([k for k, i in enumerate(axes) if not isinstance(i, slice)]):
        name = t.step("Gather", [name, t.name(np.asarray(axes[axis], np.int64))], axis=axis)
    left = [i for i in items if i is None or isinstance(i, slice)]
    new = [k for k, i in enumerate(left) if i is None]
    return str(t.step("Unsqueeze", [name, t.ints(new)])) if new else name


def _place(t: Trace, i: Array) -> str:
    name = t.name(i if is_array(i) else np.asarray(i, np.int64))
    return str(name if not is_array(i) or i.dtype == np.int64 else t.cast(name, np.int64))


def _advanced(t: Trace, name: str, items: Index) -> str:
    """Add what arrays read, numbers among them: their axes leave, their common shape stands for the first of them."""
    new = [k for k, i in enumerate(items) if i is None]
    axes = [i for i in items if i is not None]
    places = [k for k, i in enumerate(axes) if not isinstance(i, slice)]
    arrays = [axes[k] for k in places]
    width = max(np.ndim(i) for i in arrays)
    at = [k for k, i in enumerate(items) if i is not None and not isinstance(i, slice)]
    together = at == list(range(at[0], at[-1] + 1))
    first = sum(1 for i in items[: at[0]] if i is None or isinstance(i, slice)) if together else 0
    rest = [k for k in range(len(axes)) if k not in places]
    if len(arrays) == 1:
        name = t.step("Gather", [name, _place(t, arrays[0])], axis=places[0])
        lead = places[0]
    else:
        name = t.step("Transpose", [name], perm=[*places, *rest]) if places != list(range(len(places))) else name
        shape = np.broadcast_shapes(*[np.shape(i) for i in arrays])
        wide = [
            t.step("Expand", [_place(t, i), t.ints(shape)]) if np.shape(i) != shape else _place(t, i) for i in arrays
        ]
        columns = [t.step("Unsqueeze", [w, t.ints([width])]) for w in wide]
        name = t.step("GatherND", [name, t.step("Concat", columns, axis=width)])
        lead = 0
    before = sum(1 for k in new if k < at[0]) if together else 0
    wanted = first - before  # how many slices stand before the arrays
    if lead != wanted:
        count = width + len(rest)
        block = list(range(lead, lead + width))
        others = [k for k in range(count) if k not in block]
        name = t.step("Transpose", [name], perm=[*others[:wanted], *block, *others[wanted:]])
    if new:
        spots = []
        for k in new:
            slices = sum(1 for i in items[:k] if i is None or isinstance(i, slice))
            spots.append(slices + (width if not together or k > at[-1] else 0))
        name = t.step("Unsqueeze", [name, t.ints(spots)])
    return str(name)


def read(t: Trace, name: str, ndim: int, index: Array) -> str:
    """Add x[index]."""
    items = _without_masks(t, _spelled(index, ndim))
    if any(isinstance(i, bool) for i in items):
        t.refuse("reads by True or False, which has no counterpart in ONNX here")
    name = _sliced(t, name, items)
    if any(is_array(i) for i in items):
        return _advanced(t, name, items)
    return _basic(t, name, items)


@writes(getitem)
def _getitem(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,), index = xs, s["index"]
    if is_array(index) and index.dtype == bool and t.traced(index):
        places = t.step("Transpose", [t.step("NonZero", [t.name(index)])], perm=[1, 0])
        t.emit("GatherND", [t.name(x), places], y)
        return
    t.emit("Identity", [read(t, t.name(x), x.ndim, index)], y)


@writes(read_rows)
def _read_rows(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    t.emit("Gather", [t.name(xs[0]), _place(t, xs[1])], y, axis=s["axis"])


@writes(read_along)
def _read_along(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    """GatherElements, which wants indices as long as the operand beside the axis, or shorter ones."""
    x, index = xs
    if not index.size:
        return  # nothing is read, whatever x is
    if not x.ndim or not index.ndim:
        name, place = (n if v.ndim else reshaped(t, n, [1]) for n, v in ((t.name(x), x), (_place(t, index), index)))
        reshaped(t, t.step("GatherElements", [name, place], axis=0), index.shape, y)
        return
    t.emit("GatherElements", [t.name(x), _place(t, index)], y, axis=s["axis"])


@writes(masked_select)
def _masked_select(t: Trace, xs: Operands, s: Settings, y: Array) -> Written:
    x, mask = xs
    shape = np.broadcast_shapes(x.shape, mask.shape)
    if not shape:
        return NotImplemented
    wide = [t.name(v) if v.shape == shape else t.step("Expand", [t.name(v), t.ints(shape)]) for v in (x, mask)]
    t.emit("Compress", [flat(t, wide[0]), flat(t, wide[1])], y, axis=0)
    return None


@writes(nonzero, argwhere)
def _nonzero(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    if not x.ndim:
        t.refuse("of a number has no counterpart in ONNX here")
    found = t.step("NonZero", [t.name(x)])
    if t.op is argwhere:
        t.emit("Transpose", [found], y, perm=[1, 0])
        return
    for k, part in enumerate(y):
        t.emit("Gather", [found, t.name(np.asarray(k))], part, axis=0)


@writes(one_hot)
def _one_hot(t: Trace, xs: Operands, s: Settings, y: Array) -> None:
    (x,) = xs
    apart = t.step("Unsqueeze", [t.cast(t.name(x), np.int64), t.ints([x.ndim])])
    t.emit("Cast", [t.step("Equal", [apart, t.name(np.arange(s["classes"]))])], y, to=y.dtype)
