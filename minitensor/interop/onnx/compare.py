"""Traces of one model beside one another: what differs was decided by the example, or by the size of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import to_numpy
from minitensor.interop.onnx.trace import Trace

__all__ = ["Affine", "Along", "Difference", "by_batch", "difference"]

Numbers = np.ndarray


class Difference(NamedTuple):
    """Where two traces part."""

    user: str  # the op and the layer
    what: str


class Affine(NamedTuple):
    """A constant that is slope · batch + start, entry by entry."""

    slope: Numbers
    start: Numbers


class Along(NamedTuple):
    """A constant that has a block for each sample along one axis: first, first + step, first + 2 step, ..."""

    axis: int  # of the blocks; their own length is the next axis
    first: Numbers
    step: Numbers
    shape: Affine  # of the whole, where blocks and their length are one axis


def difference(a: Trace, b: Trace) -> Difference | None:
    """Return where two traces of equal shapes part; None if they are one graph with the same constants."""
    if found := _structure(a, b):
        return found
    for name, constant in a.constants.items():
        x, y = constant.array, b.constants[name].array
        if x is not y and not _equal(to_numpy(x), to_numpy(y)):
            return Difference(constant.user, "takes another array or number")
    return None


def _structure(a: Trace, b: Trace) -> Difference | None:
    for s, t in zip(a.steps, b.steps, strict=False):
        if s[:-1] != t[:-1] or s.maker != t.maker:
            return Difference(s.maker, "does another thing")
    if len(a.steps) != len(b.steps):
        more = max(a.steps, b.steps, key=len)[min(len(a.steps), len(b.steps))]
        return Difference(more.maker, "is called or not")
    return None if list(a.constants) == list(b.constants) else Difference("the model", "takes another array or number")


def _equal(x: Numbers, y: Numbers) -> bool:
    same = x.shape == y.shape and x.dtype == y.dtype
    return same and bool(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))


def by_batch(traces: Sequence[Trace], sizes: Sequence[int]) -> dict[str, Affine | Along] | Difference:
    """Return which constants follow the size of the batch, and how; or where something else differs."""
    first = traces[0]
    for other in traces[1:]:
        if found := _structure(first, other):
            return found
    plan: dict[str, Affine | Along] = {}
    for name, constant in first.constants.items():
        arrays = [t.constants[name].array for t in traces]
        if all(x is arrays[0] for x in arrays):
            continue
        values = [to_numpy(x) for x in arrays]
        if all(_equal(values[0], v) for v in values[1:]):
            continue
        rule = affine(values, sizes) or _along(values, sizes)
        if rule is None:
            return Difference(constant.user, "takes another array or number")
        plan[name] = rule
    return plan


def affine(values: Sequence[Any], sizes: Sequence[int]) -> Affine | None:
    """Return values = slope · size + start, exactly and with whole slopes and starts; None if they are not so."""
    arrays = [np.asarray(v) for v in values]
    if len({a.shape for a in arrays}) > 1 or arrays[0].dtype.kind not in "iuf":
        return None
    wide = [a.astype(float) for a in arrays]
    slope = (wide[1] - wide[0]) / (sizes[1] - sizes[0])
    start = wide[0] - slope * sizes[0]
    whole = np.array_equal(slope, np.rint(slope)) and np.array_equal(start, np.rint(start))
    if not whole or not all(np.array_equal(slope * n + start, w) for n, w in zip(sizes, wide, strict=True)):
        return None
    return Affine(slope.astype(np.int64), start.astype(np.int64))


def _along(values: Sequence[Numbers], sizes: Sequence[int]) -> Along | None:
    if len({v.ndim for v in values}) > 1:
        return None
    shape = affine([np.array(v.shape) for v in values], sizes)
    if shape is None or np.count_nonzero(shape.slope) != 1:
        return None
    axis = int(np.flatnonzero(shape.slope)[0])
    parts = int(shape.slope[axis])
    if shape.start[axis]:
        return None
    blocks: list[Any] = []
    for v, n in zip(values, sizes, strict=True):
        blocks.append(v.reshape(*v.shape[:axis], n, parts, *v.shape[axis + 1 :]))
    longest = max(blocks, key=lambda v: v.shape[axis])
    first = longest.take([0], axis=axis)
    whole = first.dtype.kind in "iuf" and np.array_equal(longest, np.rint(longest))
    step = longest.take([1], axis=axis) - first if whole else np.zeros_like(first)
    for v in blocks:
        line = np.arange(v.shape[axis], dtype=np.int64).reshape([-1 if i == axis else 1 for i in range(v.ndim)])
        wanted = first + line * step if step.any() else np.broadcast_to(first, v.shape)
        if not _equal(np.asarray(wanted).astype(v.dtype), v):
            return None
    return Along(axis, first, step, shape)
