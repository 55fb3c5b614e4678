"""A border of a constant around the last axes, or cut off them."""

from __future__ import annotations

from collections.abc import Sequence

from minitensor.backend import Array
from minitensor.ops.shaping.padding import frame

__all__ = ["border"]


def border(x: Array, widths: Sequence[tuple[int, int]]) -> Array:
    """Return x with zeros around its last axes, one (before, after) for each; less than 0 cuts off.

    >>> import numpy as np
    >>> border(np.ones((1, 2)), [(1, -1)])
    array([[0., 1.]])
    """
    at = len(x.shape) - len(widths)
    lengths = x.shape[at:]
    if any(a < 0 or b < 0 for a, b in widths):
        x = x[(..., *[slice(-min(a, 0), n + min(b, 0)) for n, (a, b) in zip(lengths, widths, strict=True)])]
        widths = [(max(a, 0), max(b, 0)) for a, b in widths]
        if not any(map(any, widths)):
            return x
    return frame(x, width=[(0, 0)] * at + list(widths))
