"""Sequences of several lengths: padded to one, or packed, step by step, without the padding.

A packed batch holds, for each step of time, the entries of those sequences that are long enough, longest sequence
first. Lengths and orders live on the host, entries where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minitensor.backend import Array, to_numpy
from minitensor.graph import describe
from minitensor.ops.elementwise import where
from minitensor.ops.indexing.index import take
from minitensor.ops.shaping.join import concatenate, stack
from minitensor.tensor import Tensor

__all__ = [
    "PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence", "unpack_sequence",
    "unpad_sequence",
]  # fmt: skip

Integers = NDArray[np.int64]


class PackedSequence(NamedTuple):
    """A batch of sequences of several lengths, step by step; made by `pack_padded_sequence` and `pack_sequence`.

    data (Σ lengths, ...): all first entries, then all second ones, ...; batch_sizes: how many sequences reach each
    step; sorted_indices: the order, longest first, in which they stand (None: as they came); unsorted_indices: the way
    back. Differs from PyTorch: the three are always on the host.

    >>> pack_sequence([Tensor([1.0, 2.0]), Tensor([3.0])]).data
    Tensor float32 (3,): [1. 3. 2.]
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def checked_lengths(name: str, lengths: Array, batch: int, longest: int) -> Integers:
    """Return lengths as an array; raise unless there is one for each sequence, between 1 and the longest."""
    found = np.asarray(to_numpy(lengths.data) if isinstance(lengths, Tensor) else lengths)
    if found.ndim != 1 or len(found) != batch or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"{name}: lengths are whole numbers, one for each of {batch} sequences; got {lengths!r}"[:200])
    if found.size and not 1 <= found.min() <= found.max() <= longest:
        raise ValueError(f"{name}: lengths are from 1 to {longest}; got {found.min()} to {found.max()}")
    return found.astype(np.int64)


def reached(lengths: Integers, steps: int) -> NDArray[np.bool_]:
    """Return which sequence reaches which step: (steps, batch)."""
    return np.arange(steps)[:, None] < lengths[None, :]


def lengths_of(sequence: PackedSequence) -> Integers:
    """Return the lengths, in the order in which the sequences stand in a packed batch."""
    sizes = sequence.batch_sizes.numpy()
    return np.asarray((sizes[:, None] > np.arange(sizes[0] if len(sizes) else 0)[None, :]).sum(axis=0), np.int64)


def reordered(x: Tensor, order: Tensor | None, axis: int) -> Tensor:
    """Return the slices of x along an axis in another order; as they are for None."""
    if order is None:
        return x
    return take(x, Tensor(order.numpy(), device=x.device), axis=axis)


def unpacked(sequence: PackedSequence, padding_value: float = 0.0) -> tuple[Tensor, Integers]:
    """Return (steps, batch, ...), the sequences as they stand in the packed batch, and their lengths."""
    sizes, lengths = sequence.batch_sizes.numpy(), lengths_of(sequence)
    there = reached(lengths, len(sizes))
    index = np.where(there, (np.cumsum(sizes) - sizes)[:, None] + np.arange(len(lengths))[None, :], 0)
    data = sequence.data
    x = take(data, Tensor(index, device=data.device), axis=0)  # (steps, batch, ...)
    if not there.all():
        fill = padding_value if data.dtype.kind in "fV" else data.dtype.type(padding_value).item()
        x = where(Tensor(there, device=data.device).reshape(*there.shape, *(1,) * (data.ndim - 1)), x, fill)
    return x, lengths


def repacked(x: Tensor, like: PackedSequence) -> PackedSequence:
    """Return (steps, batch, ...), in the order of a packed batch, packed like it."""
    there = reached(lengths_of(like), x.shape[0])
    index = Tensor(np.flatnonzero(there), device=x.device)
    return like._replace(data=take(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), index, axis=0))


def pack_padded_sequence(
    input: Tensor, lengths: Array, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return the packed batch of padded sequences: input (steps, batch, ...), lengths (batch,).

    With batch_first the input is (batch, steps, ...). enforce_sorted=False takes lengths in any order and remembers it.
    Raises ValueError for lengths that are not from 1 to steps, one for each sequence, or, with enforce_sorted, not
    longest first. Differs from PyTorch: lengths may be a list, an array or a Tensor on any device; too long ones are
    refused.

    >>> pack_padded_sequence(Tensor([[1.0, 3.0], [2.0, 0.0]]), [2, 1]).data
    Tensor float32 (3,): [1. 3. 2.]
    """
    if input.ndim < 2:
        raise ValueError(f"pack_padded_sequence takes (steps, batch, ...); got {describe(input)}")
    x = input.swapaxes(0, 1) if batch_first else input
    if not x.shape[1]:
        raise ValueError(f"pack_padded_sequence takes at least one sequence; got {describe(input)}")
    found = checked_lengths("pack_padded_sequence", lengths, x.shape[1], x.shape[0])
    if enforce_sorted and (np.diff(found) > 0).any():
        raise ValueError(
            "pack_padded_sequence: with enforce_sorted the lengths fall; use enforce_sorted=False for any order"
        )
    order = None if enforce_sorted else Tensor(np.argsort(-found, kind="stable"))
    back = None if order is None else Tensor(np.argsort(order.numpy()))
    found = found if order is None else found[order.numpy()]
    sizes = Tensor(reached(found, int(found[0])).sum(axis=1))
    return repacked(reordered(x[: int(found[0])], order, 1), PackedSequence(x, sizes, order, back))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the padded sequences (steps, batch, ...), in the order in which they were packed, and their lengths.

    With batch_first (batch, steps, ...). There are as many steps as the longest sequence has, or total_length. Raises
    ValueError for a total_length that is shorter.

    >>> pad_packed_sequence(pack_sequence([Tensor([1.0, 2.0]), Tensor([3.0])]), padding_value=-1.0)
    (Tensor float32 (2, 2): [[ 1. 3.] [ 2. -1.]], Tensor int64 (2,): [2 1])
    """
    x, lengths = unpacked(sequence, padding_value)
    if total_length is not None:
        if total_length < x.shape[0]:
            raise ValueError(f"pad_packed_sequence: total_length {total_length} is less than the longest, {x.shape[0]}")
        x = _lengthened(x, total_length, padding_value)
    x = reordered(x, sequence.unsorted_indices, 1)
    back = sequence.unsorted_indices
    return (x.swapaxes(0, 1) if batch_first else x), Tensor(lengths if back is None else lengths[back.numpy()])


def _lengthened(x: Tensor, length: int, value: float, left: bool = False) -> Tensor:
    """Add constant steps to (steps, ...)."""
    if x.shape[0] == length:
        return x
    more = Tensor(np.full((length - x.shape[0], *x.shape[1:]), value), dtype=x.dtype, device=x.device)
    return concatenate(*((more, x) if left else (x, more)), axis=0)


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Return sequences (lengthᵢ, ...) in one Tensor (longest, batch, ...), filled up with padding_value.

    With batch_first (batch, longest, ...); padding_side "left" fills up in front. Raises ValueError for no sequence,
    another padding_side, or sequences that differ after their first axis.

    >>> pad_sequence([Tensor([1.0, 2.0]), Tensor([3.0])], batch_first=True)
    Tensor float32 (2, 2): [[1. 2.] [3. 0.]]
    """
    sequences = list(sequences)
    if not sequences:
        raise ValueError("pad_sequence takes at least one sequence")
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: padding_side is 'left' or 'right'; got {padding_side!r}")
    if any(x.ndim < 1 or x.shape[1:] != sequences[0].shape[1:] for x in sequences):
        raise ValueError(
            f"pad_sequence takes sequences (length, ...), alike after axis 0; got {[x.shape for x in sequences]}"
        )
    longest = max(x.shape[0] for x in sequences)
    padded = [_lengthened(x, longest, padding_value, padding_side == "left") for x in sequences]
    return stack(*padded, axis=0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Array, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences (lengthᵢ, ...) of a padded (steps, batch, ...), or (batch, steps, ...) with batch_first.

    Raises ValueError for lengths that are not from 1 to steps, one for each sequence. Differs from PyTorch: lengths of
    0 are refused.

    >>> unpad_sequence(Tensor([[1.0, 3.0], [2.0, 0.0]]), [2, 1])
    [Tensor float32 (2,): [1. 2.], Tensor float32 (1,): [3.]]
    """
    x = padded_sequences if batch_first else padded_sequences.swapaxes(0, 1)
    found = checked_lengths("unpad_sequence", lengths, *x.shape[:2])
    return [x[i, : int(n)] for i, n in enumerate(found)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences (lengthᵢ, ...) as one packed batch: `pad_sequence`, then `pack_padded_sequence`.

    Raises ValueError for no sequence, an empty one, or, with enforce_sorted, lengths that rise.

    >>> pack_sequence([Tensor([3.0]), Tensor([1.0, 2.0])], enforce_sorted=False).sorted_indices
    Tensor int64 (2,): [1 0]
    """
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences (lengthᵢ, ...) of a packed batch, in the order in which they were packed.

    >>> unpack_sequence(pack_sequence([Tensor([1.0, 2.0]), Tensor([3.0])]))
    [Tensor float32 (2,): [1. 2.], Tensor float32 (1,): [3.]]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
