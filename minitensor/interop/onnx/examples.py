"""Other inputs like the example: with other values, and with another number of entries along the batch axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, to_numpy
from minitensor.tensor import Tensor

__all__ = ["batched", "others", "resized"]

Axes = int | Sequence[int | None] | None


def others(examples: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Yield examples of the same shapes and other values, the most different first: a model may refuse some."""
    for change in (_turned, _larger, _reversed):
        yield tuple(_like(x, change(to_numpy(x.data))) for x in examples)


def _like(x: Tensor, values: Array) -> Tensor:
    return Tensor(np.array(values, dtype=x.dtype, order="C"), device=x.device)


def _reversed(x: Array) -> Array:
    """The same values in another order: within any bounds that the example is within."""
    return x.reshape(-1)[::-1].reshape(x.shape)


def _turned(x: Array) -> Array:
    """The other sign, and some noise."""
    if x.dtype.kind == "b":
        return np.logical_not(x)
    if x.dtype.kind in "iu":
        top = x.max(initial=0)
        return np.where(x >= 0, top - _reversed(x), _reversed(x))
    noise = np.random.default_rng(0).normal(size=x.shape)
    turned: Array = -_reversed(x) + 0.1 * noise
    return turned


def _larger(x: Array) -> Array:
    """Positive and some ten times as large; whole numbers half as large, so that the largest is another one."""
    rng = np.random.default_rng(1)
    if x.dtype.kind == "b":
        return rng.random(x.shape) < 0.5
    if x.dtype.kind in "iu":
        return np.floor_divide(x, 2)
    return np.abs(np.where(np.isfinite(x), x, 0)) * 10 + rng.random(x.shape)


def batched(examples: Sequence[Tensor], axes: Axes) -> Iterator[dict[int, int]]:
    """Yield which inputs have the batch on which axis, most inputs first.

    axes: one for each input, None where it has no batch; or one for all, which have it if they are as long there as
    the first, or else the first alone has it.
    """
    if isinstance(axes, (tuple, list)):
        yield {i: a for i, a in enumerate(axes) if a is not None}
        return
    axis: Any = axes
    wide = [i for i, x in enumerate(examples) if axis is not None and -x.ndim <= axis < x.ndim]
    alike = [i for i in wide if examples[i].shape[axis] == examples[wide[0]].shape[axis]]
    for chosen in [alike, alike[:1]][: min(len(alike), 2)]:
        yield dict.fromkeys(chosen, axis)


def resized(examples: Sequence[Tensor], axes: Mapping[int, int], size: int) -> tuple[Tensor, ...]:
    """Return the examples with another number of entries along the batch axis, the given ones over and over again."""
    found = []
    for i, x in enumerate(examples):
        array = to_numpy(x.data)
        if i in axes and array.shape[axes[i]]:
            array = array.take(np.arange(size) % array.shape[axes[i]], axis=axes[i])
        elif i in axes:
            shape = list(array.shape)
            shape[axes[i]] = size
            array = np.zeros(shape, array.dtype)
        found.append(_like(x, array))
    return tuple(found)
