"""Padding: values around an array. Each mode's gradient is its adjoint: what was read twice adds up."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as integer
from typing import Any, Literal

import numpy as np

from minitensor.backend import Array, is_array, namespace
from minitensor.composite import composite
from minitensor.graph import Variable
from minitensor.op import op
from minitensor.ops.indexing.gather import read_rows

__all__ = ["frame", "pad"]

MODES: dict[str, Literal["constant", "reflect", "symmetric", "edge", "wrap"]] = {  # as NumPy calls them
    "constant": "constant", "reflect": "reflect", "symmetric": "symmetric",
    "edge": "edge", "replicate": "edge", "wrap": "wrap", "circular": "wrap",
}  # fmt: skip


def pairs(name: str, given: Array, ndim: int) -> list[tuple[Any, Any]]:
    """Return (before, after) for each axis, of one value, one pair, or a pair for each axis."""
    given = given.tolist() if isinstance(given, Variable) or is_array(given) else given
    rows = [given] if not isinstance(given, (list, tuple)) else list(given)
    if not any(isinstance(row, (list, tuple)) for row in rows):
        rows = [rows]
    rows = [tuple(row) if isinstance(row, (list, tuple)) else (row,) for row in rows]
    rows = [row * 2 if len(row) == 1 else row for row in rows]
    rows = rows * ndim if len(rows) == 1 else rows
    if len(rows) != ndim or any(len(row) != 2 for row in rows):
        raise ValueError(f"pad: {name} is one value, a pair, or a pair for each of {ndim} axes; got {given}")
    return rows


@op("complex")
def frame(x: Array, width: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
    """y = x with `value` around it: width is (before, after) for each axis"""
    y = namespace(x).full([a + n + b for (a, b), n in zip(width, x.shape, strict=True)], value, dtype=x.dtype)
    y[_middle(x.shape, width)] = x
    return y


def _middle(shape: Sequence[int], width: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return tuple([slice(a, a + n) for (a, _), n in zip(width, shape, strict=True)])


frame.vjp(x=lambda g, x_shape, width: g[_middle(x_shape, width)])


@composite("moves", public="pad")
def pad(
    x: Array,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: Any = 0,
    value: float | None = None,
) -> Array:
    """y = x with entries around it, `pad_width` of them: a number, a pair (before, after), or a pair for each axis

    (..., n, ...) -> (..., before + n + after, ...). Modes: "constant" (`constant_values`: a number, a pair or pairs;
    or `value`, a number), "reflect" (d c b | a b c d | c b a), "symmetric" (c b a | a b c d | d c b), "edge" or
    "replicate" (a a | a b c d | d d), "wrap" or "circular" (c d | a b c d | a b). Wide paddings go to and fro again.
    The gradient adds up what each entry was read for. Raises ValueError for a negative width, another mode, or nothing
    to repeat; TypeError for a width that is no integer or a float around integers.
    Differs from NumPy: in nothing, for these modes. Differs from PyTorch: `mt.nn.functional.pad` is its pad.

    >>> import minitensor as mt
    >>> mt.pad([1, 2, 3], (1, 2)).tolist(), mt.pad([1, 2, 3], 2, "reflect").tolist()
    ([0, 1, 2, 3, 0, 0], [3, 2, 1, 2, 3, 2, 1])
    """
    if mode not in MODES:
        raise ValueError(f"pad: mode is one of {', '.join(MODES)}; got {mode!r}")
    width = [(integer(a), integer(b)) for a, b in pairs("pad_width", pad_width, len(x.shape))]
    if any(n < 0 for pair in width for n in pair):
        raise ValueError(f"pad: a width is 0 or more, a slice makes less; got {pad_width}")
    if mode == "constant":
        return _constant(x, width, constant_values if value is None else value)
    xp = namespace(x.data if isinstance(x, Variable) else x)
    moved = False
    for axis, (n, pair) in enumerate(zip(x.shape, width, strict=True)):
        if any(pair):
            if not n:
                raise ValueError(f"pad: axis {axis} of shape {tuple(x.shape)} has no entry that {mode!r} could repeat")
            places = np.pad(np.arange(n), pair, mode=MODES[mode])
            x, moved = read_rows(x, xp.asarray(places), axis=axis), True
    return x if moved else frame(x, width=width)


def _constant(x: Array, width: list[tuple[int, int]], values: Array) -> Array:
    each = pairs("constant_values", values, len(x.shape))
    if x.dtype.kind in "iub" and any(isinstance(v, float) and not v.is_integer() for pair in each for v in pair):
        raise TypeError(f"pad: {values} around {x.dtype} would be cut to an integer: use .astype('float32')")
    if x.dtype.kind != "c" and any(isinstance(v, complex) for pair in each for v in pair):
        raise TypeError(f"pad: {values} around {x.dtype} would lose its imaginary part: use .astype('complex64')")
    if len({v for pair in each for v in pair}) <= 1:
        return frame(x, width=width, value=each[0][0] if each else 0)
    for axis, (pair, (before, after)) in enumerate(zip(width, each, strict=True)):
        for one, v in ((pair[0], 0), before), ((0, pair[1]), after):
            x = frame(x, width=[one if i == axis else (0, 0) for i in range(len(x.shape))], value=v)
    return x
