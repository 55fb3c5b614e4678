"""Ops that move entries without changing them. Each rule is the op that moves them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.lib.array_utils import normalize_axis_index

from minitensor.backend import namespace
from minitensor.composite import composite
from minitensor.op import op

__all__ = [
    "broadcast_to", "concatenate", "expand_dims", "flip", "moveaxis", "pad", "reshape", "split", "squeeze", "stack",
    "swapaxes", "transpose",
]  # fmt: skip

Array = Any


@op(view=True)
def reshape(x: Array, *, shape: int | tuple[int, ...]) -> Array:
    """y = the same entries, row by row, in another shape (one length may be -1)"""
    return x.reshape(shape)


reshape.vjp(x=lambda g, x_shape: reshape(g, shape=x_shape))


@op(view=True)
def transpose(x: Array, *, axes: tuple[int, ...] | None = None) -> Array:
    """y = x with its axes in another order; None reverses them"""
    return x.transpose(axes)


def _untranspose(g: Any, axes: tuple[int, ...] | None) -> Any:
    return transpose(
        g, axes=None if axes is None else tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))
    )


transpose.vjp(x=_untranspose)


@composite
def swapaxes(x: Array, *, axis1: int, axis2: int) -> Array:
    """y = x with two axes exchanged"""
    axes = list(range(len(x.shape)))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return transpose(x, axes=tuple(axes))


@composite
def moveaxis(x: Array, *, source: int, destination: int) -> Array:
    """y = x with one axis moved to another place"""
    axes = list(range(len(x.shape)))
    axes.insert(normalize_axis_index(destination, len(axes)), axes.pop(source))
    return transpose(x, axes=tuple(axes))


@composite
def expand_dims(x: Array, *, axis: int) -> Array:
    """y = x with an axis of length 1 put in at `axis`"""
    at = normalize_axis_index(axis, len(x.shape) + 1)
    return reshape(x, shape=(*x.shape[:at], 1, *x.shape[at:]))


@composite
def squeeze(x: Array, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """y = x without axes of length 1 (all of them, or those named)"""
    axes = (
        range(len(x.shape))
        if axis is None
        else [normalize_axis_index(a, len(x.shape)) for a in ((axis,) if isinstance(axis, int) else axis)]
    )
    if axis is not None and any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: the axes {list(axes)} of shape {x.shape} are not all of length 1")
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in axes))


@op(view=True)
def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """y = x repeated along axes of length 1, and along new leading axes, to the shape"""
    return namespace(x).broadcast_to(x, shape)


def _unbroadcast(g: Any, x_shape: tuple[int, ...]) -> Any:
    extra = len(g.shape) - len(x_shape)
    axes = (*range(extra), *(i + extra for i, n in enumerate(x_shape) if n == 1 and g.shape[i + extra] != 1))
    return (g.sum(axis=axes) if axes else g).reshape(x_shape)


broadcast_to.vjp(x=_unbroadcast)


@op(view=True)
def flip(x: Array, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """y = x with the order along the axes reversed"""
    return namespace(x).flip(x, axis)


flip.vjp(x=lambda g, axis: flip(g, axis=axis))


@op
def concatenate(*xs: Array, axis: int = 0) -> Array:
    """y = the operands one after another along an axis"""
    return namespace(*xs).concatenate(xs, axis=axis)


def _cut(g: Any, xs_shape: Sequence[tuple[int, ...]], axis: int) -> list[Any]:
    at, pieces = 0, []
    for shape in xs_shape:
        pieces.append(g[(slice(None),) * (axis % len(shape)) + (slice(at, at + shape[axis]),)])
        at += shape[axis]
    return pieces


concatenate.vjp(xs=_cut)


@composite
def stack(*xs: Array, axis: int = 0) -> Array:
    """y = the operands along a new axis"""
    return concatenate(*[expand_dims(x, axis=axis) for x in xs], axis=axis)


@composite
def split(x: Array, *, sections: int | Sequence[int], axis: int = 0) -> tuple[Array, ...]:
    """y = consecutive pieces along an axis: `sections` equal ones, or cut before the given positions (as NumPy does)"""
    n = x.shape[axis]
    if isinstance(sections, int):
        if n % sections:
            raise ValueError(f"split: an axis of length {n} cannot be cut into {sections} equal parts")
        cuts = [n // sections * i for i in range(sections + 1)]
    else:
        cuts = [0, *sections, n]
    return tuple(
        x[(slice(None),) * (axis % len(x.shape)) + (slice(a, b),)] for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    )


@op
def pad(x: Array, *, pad_width: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
    """y = x with `value` around it: pad_width is (before, after) for each axis"""
    y = namespace(x).full([a + n + b for (a, b), n in zip(pad_width, x.shape, strict=True)], value, dtype=x.dtype)
    y[tuple(slice(a, a + n) for (a, _), n in zip(pad_width, x.shape, strict=True))] = x
    return y


pad.vjp(x=lambda g, x_shape, pad_width: g[tuple(slice(a, a + n) for (a, _), n in zip(pad_width, x_shape, strict=True))])
