"""Padding of the last axes, with PyTorch's name, argument order and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitensor.functions.operands import plain_settings, tensor
from minitensor.ops.shaping import padding
from minitensor.tensor import Tensor

__all__ = ["pad"]

MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return the input with entries around its last axes: (left, right) of the last, (top, bottom) of the one before.

    A negative number takes entries away. Modes: "constant" (`value`, 0), "reflect" (d c b | a b c d | c b a),
    "replicate" (a a | a b c d | d d), "circular" (c d | a b c d | a b); all but "constant" pad k = 1, 2 or 3 axes of
    an input with one or two more, (channels, ...) or (n, channels, ...). The gradient adds up what each entry was read
    for. Raises ValueError for another mode, an odd number of widths, too many of them, a "reflect" as wide as the axis,
    a "circular" wider than what is left of it, a value beside a mode without one, and for less than nothing left.
    Differs from PyTorch: a float value among integers is refused, not cut.

    >>> pad(Tensor([[1.0, 2.0, 3.0]]), (2, 0), "reflect"), pad(Tensor([1.0, 2.0]), (-1, 1)).tolist()
    (Tensor float32 (1, 5): [[3. 2. 1. 2. 3.]], [2.0, 0.0])
    """
    plain_settings("pad", pad=pad, value=value)
    x, axes = tensor(input), len(pad) // 2
    if mode not in MODES:
        raise ValueError(f"pad: mode is one of {', '.join(MODES)}; got {mode!r}")
    if len(pad) % 2 or axes > x.ndim:
        raise ValueError(f"pad: two widths for each of at most {x.ndim} axes; got {tuple(pad)}")
    if mode != "constant" and (value or not 1 <= axes <= 3 or x.ndim - axes not in (1, 2)):
        raise ValueError(
            f"pad: {mode!r} takes no value, and widths for 1, 2 or 3 axes after one or two others; "
            f"got {tuple(pad)} and value={value} for shape {x.shape}"
        )
    width = [(0, 0)] * (x.ndim - axes) + [(pad[2 * k], pad[2 * k + 1]) for k in reversed(range(axes))]
    _check(x.shape, width, mode, axes)
    cut = tuple(slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(x.shape, width, strict=True))
    around = [(max(a, 0), max(b, 0)) for a, b in width]
    if mode in ("constant", "circular"):
        x = x[cut] if any(b < 0 for pair in width for b in pair) else x
        return padding.pad(x, pad_width=around, mode=mode, constant_values=value or 0)
    y = padding.pad(x, pad_width=around, mode=mode)  # first, since an entry that is cut off may be mirrored
    kept = (slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(y.shape, width, strict=True))
    return y[tuple(kept)] if any(b < 0 for pair in width for b in pair) else y


def _check(shape: tuple[int, ...], width: list[tuple[int, int]], mode: str, axes: int) -> None:
    """Refuse widths that leave less than nothing, or that a mode cannot fill."""
    mirrors = mode in ("reflect", "replicate")
    around = len(shape) - axes  # how many axes are not padded
    left = [n + a + b for n, (a, b) in zip(shape, width, strict=True)]
    for axis, (n, (a, b)) in enumerate(zip(shape, width, strict=True)):
        kept = n + min(a, 0) + min(b, 0)
        if left[axis] < 0 or (not mirrors and kept < 0):
            raise ValueError(f"pad: {(a, b)} takes more than the {n} entries of axis {axis} of shape {shape}")
        most = max({"reflect": n - 1, "circular": kept}.get(mode, max(a, b)), 0)
        if max(a, b) > most:
            raise ValueError(f"pad: {mode!r} adds at most {most} to axis {axis} of shape {shape}; got {(a, b)}")
        if mirrors and not n and (axis, around) != (0, 2):
            raise ValueError(f"pad: {mode!r} takes no empty axis but that of the batch; got shape {shape}")
    if mirrors and not any(left[around:]):
        raise ValueError(f"pad: {mode!r} leaves nothing of shape {shape} on the padded axes")
