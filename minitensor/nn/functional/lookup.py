"""Lookups, with PyTorch's names, argument order and defaults."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.backend import move, namespace
from minitensor.functions.operands import plain_settings, tensor
from minitensor.graph import describe
from minitensor.ops import elementwise
from minitensor.ops.indexing import index
from minitensor.ops.nn.collective import from_all, from_first
from minitensor.ops.reductions import reduce
from minitensor.tensor import Tensor

__all__ = ["embedding", "embedding_bag", "one_hot"]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return 1 at position x of a new last axis, 0 elsewhere, as int64; -1 counts the classes from the largest x.

    Integers (...) -> (..., num_classes). Raises TypeError for floats, IndexError for x outside [0, num_classes),
    ValueError for an empty input whose classes cannot be counted.

    >>> one_hot(Tensor([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    plain_settings("one_hot", num_classes=num_classes)
    if tensor.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes integers; got {describe(tensor)}")
    if num_classes < -1 or num_classes == 0:
        raise ValueError(f"one_hot: num_classes is above 0, or -1 to count them; got {num_classes}")
    if not tensor.size:
        if num_classes == -1:
            raise ValueError("one_hot cannot count the classes of an empty Tensor: pass num_classes")
        return index.one_hot(tensor, classes=num_classes, dtype="int64")
    low, high = int(tensor.min()), int(tensor.max())
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes:
        raise IndexError(f"one_hot: a class is 0 to {classes - 1}; got {low if low < 0 else high}")
    return index.one_hot(tensor, classes=classes, dtype="int64")


def _row(name: str, padding_idx: int | None, rows: int) -> int | None:
    """Return the padding row as a number from 0."""
    if padding_idx is None:
        return None
    plain_settings(name, padding_idx=padding_idx)
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{name}: padding_idx is a row, {-rows} to {rows - 1}; got {padding_idx}")
    return padding_idx % rows


def _check_rows(name: str, input: Tensor, rows: int) -> None:
    if input.dtype.kind not in "iu":
        raise TypeError(f"{name} takes integers; got {describe(input)}")
    if input.size and (int(input.min()) < 0 or int(input.max()) >= rows):
        raise IndexError(f"{name} has rows 0 to {rows - 1}; got {int(input.min())} to {int(input.max())}")


def _table(name: str, input: Tensor, weight: Tensor, max_norm: float | None, norm_type: float, sparse: bool) -> None:
    """Check the lookup, and shorten the rows it names to max_norm, in place."""
    plain_settings(name, max_norm=max_norm, norm_type=norm_type)
    if sparse:
        raise ValueError(f"{name}: sparse gradients are not offered; the gradient of the weight is dense")
    if len(weight.shape) != 2:
        raise ValueError(f"{name}: weight is (rows, d); got {describe(weight)}")
    _check_rows(name, input, weight.shape[0])
    if max_norm is None:
        return
    if max_norm < 0:
        raise ValueError(f"{name}: max_norm is at least 0; got {max_norm}")
    if weight.source is not None:
        raise ValueError(f"{name}: max_norm changes the weight in place: pass a leaf, such as a Parameter")
    xp = namespace(weight.data)
    named = from_all("rows to be shortened", xp.unique(input.data))  # of all parts of a batch, for one to shorten
    from_first("shortened rows", lambda: _shorten(weight, xp.unique(xp.concatenate(named)), max_norm, norm_type))


def _shorten(weight: Tensor, at: Any, max_norm: float, norm_type: float) -> None:
    """Shorten the rows at these places that are longer than max_norm."""
    norm = (abs(weight.data[at]) ** norm_type).sum(axis=1, keepdims=True) ** (1 / norm_type)
    long = norm[:, 0] > max_norm
    if long.any():  # in the second run of `checkpoint` there is nothing to change
        weight.data[at[long]] *= (max_norm / (norm[long] + 1e-7)).astype(weight.dtype)
        weight.changed()


def _by_frequency(y: Tensor, rows: Tensor, kept: Tensor | None = None) -> Tensor:
    """Return y, with a gradient divided by how often the row it came from was named."""
    xp = namespace(rows.data)
    named = rows.data if kept is None else rows.data[kept.data]
    count = xp.bincount(named.reshape(-1), minlength=int(rows.max()) + 1 if rows.size else 0)[rows.data]
    value = y.detach()  # y - value is 0, and has y's gradient
    scaled: Tensor = value + (y - value) / Tensor(xp.maximum(count, 1).astype(y.dtype)[..., None])
    return scaled


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return weight[x]: integers (...) with weight (rows, d) -> (..., d). Row `padding_idx` gets no gradient.

    max_norm: rows that are named and longer (in the norm `norm_type`) are shortened to it first, in place.
    scale_grad_by_freq: the gradient of a row is divided by how often it is named. Raises TypeError for floats,
    IndexError for a row that is not there, ValueError for such a padding_idx, and for sparse=True.
    Differs from PyTorch: no sparse gradients.

    >>> embedding(Tensor([1, 0]), Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [1.0, 2.0]]
    """
    _table("embedding", input, weight, max_norm, norm_type, sparse)
    row = _row("embedding", padding_idx, weight.shape[0])
    y: Tensor = index.take(weight, input, axis=0)  # (..., d)
    y = _by_frequency(y, input) if scale_grad_by_freq else y
    if row is None:
        return y
    padding = elementwise.equal(input, row).reshape(*input.shape, 1)
    return elementwise.where(padding, y.detach(), y)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or max of the rows of each bag: integers (bags, m), or (n,) cut at `offsets`, -> (bags, d).

    offsets: where each bag starts in the row of n, the first at 0; include_last_offset adds n at the end. Entries that
    are `padding_idx` count for nothing, and an empty bag gives 0. per_sample_weights, of the input's shape, multiply
    the rows of mode "sum". max_norm and scale_grad_by_freq (not of "max") as for `embedding`. Raises TypeError,
    IndexError, ValueError as that, and for offsets that do not rise from 0.
    Differs from PyTorch: no sparse gradients; there scale_grad_by_freq divides by the count of another row.

    >>> embedding_bag(Tensor([[0, 1], [1, 1]]), Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[2.0, 3.0], [3.0, 4.0]]
    """
    _table("embedding_bag", input, weight, max_norm, norm_type, sparse)
    row = _row("embedding_bag", padding_idx, weight.shape[0])
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode is 'sum', 'mean' or 'max'; got {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("embedding_bag: scale_grad_by_freq goes with mode 'sum' or 'mean', not 'max'")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise ValueError("embedding_bag: per_sample_weights go with mode 'sum', and have the input's shape")
    places, kept = _bags(input, offsets, include_last_offset)  # (bags, longest), both
    flat = input.reshape(-1)
    if not flat.size:
        zeros = Tensor(np.zeros((places.shape[0], 1), weight.dtype), device=weight.device)
        return weight.sum(axis=0) * zeros
    rows = index.take(flat, places, axis=0)
    if row is not None:
        kept = elementwise.logical_and(kept, elementwise.not_equal(rows, row))
    y = index.take(weight, rows, axis=0)  # (bags, longest, d)
    y = _by_frequency(y, rows, kept) if scale_grad_by_freq else y
    mask = kept.reshape(*kept.shape, 1)
    if per_sample_weights is not None:
        y = y * index.take(per_sample_weights.reshape(-1), places, axis=0).reshape(*places.shape, 1)
    count = kept.astype(weight.dtype).sum(axis=1, keepdims=True)  # (bags, 1)
    if mode == "max":
        best = index.take_along_axis(y, _first_best(y, mask), axis=1)[:, 0]
        return elementwise.where(count > 0, best, 0.0)
    total = reduce.sum(elementwise.where(mask, y, 0.0), axis=1)
    return total if mode == "sum" else total / elementwise.where(count > 0, count, 1.0)


def _first_best(y: Tensor, mask: Tensor) -> Tensor:
    """Return where in each bag the largest entry stands, the first of several: (bags, 1, d)."""
    lowest = Tensor(np.asarray(-np.inf, y.dtype), device=y.device)
    return elementwise.where(mask, y.detach(), lowest).argmax(axis=1, keepdims=True)


def _bags(input: Tensor, offsets: Any, include_last: bool) -> tuple[Tensor, Tensor]:
    """Return where in the flat input each bag's entries stand, and which of these places are real."""
    if len(input.shape) == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: an input (bags, m) takes no offsets")
        n, m = input.shape
        places, kept = np.arange(n * m).reshape(n, m), np.ones((n, m), bool)
    else:
        if len(input.shape) != 1 or offsets is None:
            raise ValueError(f"embedding_bag takes (bags, m), or (n,) with offsets; got {describe(input)}")
        starts = np.asarray(tensor(offsets).to("cpu").numpy())
        ends = starts[1:] if include_last else np.append(starts[1:], input.size)
        starts = starts[:-1] if include_last else starts
        if starts.size and (starts[0] != 0 or (ends < starts).any() or ends.max() > input.size):
            raise ValueError(f"embedding_bag: offsets rise from 0 to at most {input.size}; got {starts.tolist()}")
        longest = int((ends - starts).max(initial=0))
        steps = np.arange(max(1, longest))
        kept = steps < (ends - starts)[:, None]
        places = np.where(kept, starts[:, None] + steps, 0)
    device = input.device
    return Tensor(move(places, device)), Tensor(move(kept, device))
