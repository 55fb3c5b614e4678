"""Parity: what PyTorch refuses of shapes, orders, joins and repetitions is refused, in words of ours."""

from __future__ import annotations

from typing import Any

import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import torch

pytestmark = pytest.mark.parity
F = torch.nn.functional
t = lambda *shape: mt.ones(shape)  # noqa: E731
u = lambda *shape: torch.ones(shape)  # noqa: E731
REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    "reshape": (
        lambda: mt.reshape(t(2, 3), (4, -1)),
        lambda: u(2, 3).reshape(4, -1),
        ValueError,
        r"reshape: the 6 entries of shape \(2, 3\) do not fill the shape \(4, -1\)",
    ),
    "permute": (
        lambda: mt.permute(t(2, 3), (0, 0)),
        lambda: u(2, 3).permute(0, 0),
        ValueError,
        r"transpose: \(0, 0\) names an axis of 2 twice",
    ),
    "permute, few": (
        lambda: mt.permute(t(2, 3), (0,)),
        lambda: u(2, 3).permute(0),
        ValueError,
        r"an order of 2 axes names each of them once; got \(0,\)",
    ),
    "permute, axis": (
        lambda: mt.permute(t(2, 3), (0, 2)),
        lambda: u(2, 3).permute(0, 2),
        IndexError,
        "transpose: axis 2 is out of bounds for array of dimension 2",
    ),
    "swapaxes": (lambda: mt.swapaxes(t(2), 0, 1), lambda: u(2).swapaxes(0, 1), IndexError, "axis 1 is out of bounds"),
    "moveaxis": (
        lambda: mt.moveaxis(t(2, 3), (0, 0), (0, 1)),
        lambda: torch.moveaxis(u(2, 3), (0, 0), (0, 1)),
        ValueError,
        r"moveaxis: \(0, 0\) names an axis of 2 twice",
    ),
    "moveaxis, few": (
        lambda: mt.moveaxis(t(2, 3), (0,), (0, 1)),
        lambda: torch.moveaxis(u(2, 3), (0,), (0, 1)),
        ValueError,
        r"as many sources as destinations; got \(0,\) and \(0, 1\)",
    ),
    "expand_dims": (lambda: mt.expand_dims(t(2), 3), lambda: u(2).unsqueeze(3), IndexError, "expand_dims: axis 3"),
    "squeeze": (lambda: mt.squeeze(t(1, 2), 5), lambda: u(1, 2).squeeze(5), IndexError, "squeeze: axis 5"),
    "squeeze, twice": (
        lambda: mt.squeeze(t(1, 1), (0, 0)),
        lambda: u(1, 1).squeeze((0, 0)),
        ValueError,
        "axis of 2 twice",
    ),
    "broadcast_to": (
        lambda: mt.broadcast_to(t(3), (2, 2)),
        lambda: torch.broadcast_to(u(3), (2, 2)),
        ValueError,
        r"broadcast_to: the shape \(3,\) does not broadcast to \(2, 2\)",
    ),
    "broadcast_to, fewer axes": (
        lambda: mt.broadcast_to(t(1, 3), (3,)),
        lambda: torch.broadcast_to(u(1, 3), (3,)),
        ValueError,
        r"the shape \(1, 3\) does not broadcast to \(3,\)",
    ),
    "broadcast_arrays": (
        lambda: mt.broadcast_arrays(t(3), t(2)),
        lambda: torch.broadcast_tensors(u(3), u(2)),
        ValueError,
        r"broadcast_arrays: the shapes \(3,\), \(2,\) do not broadcast to one",
    ),
    "flip": (lambda: mt.flip(t(2, 3), (0, -2)), lambda: torch.flip(u(2, 3), (0, -2)), ValueError, "axis of 2 twice"),
    "fliplr": (
        lambda: mt.fliplr(t(2)),
        lambda: torch.fliplr(u(2)),
        ValueError,
        r"fliplr takes two axes or more; got shape \(2,\)",
    ),
    "flipud": (lambda: mt.flipud(t()), lambda: torch.flipud(u()), ValueError, "flipud takes one axis or more"),
    "rot90": (
        lambda: mt.rot90(t(2, 2), 1, (0, 0)),
        lambda: torch.rot90(u(2, 2), 1, (0, 0)),
        ValueError,
        "rot90: .* twice",
    ),
    "rot90, one": (
        lambda: mt.rot90(t(2, 2), 1, (0,)),
        lambda: torch.rot90(u(2, 2), 1, (0,)),
        ValueError,
        r"rot90: a plane has two axes; got \(0,\)",
    ),
    "rot90, vector": (lambda: mt.rot90(t(2)), lambda: torch.rot90(u(2)), ValueError, "rot90 takes two axes or more"),
    "roll": (
        lambda: mt.roll(t(2, 2), (1, 2, 3), (0, 1)),
        lambda: torch.roll(u(2, 2), (1, 2, 3), (0, 1)),
        ValueError,
        r"roll: one shift for each axis; got shift=\(1, 2, 3\) and axis=\(0, 1\)",
    ),
    "roll, axis": (lambda: mt.roll(t(2, 2), 1, 2), lambda: torch.roll(u(2, 2), 1, 2), IndexError, "roll: axis 2"),
    "concatenate": (
        lambda: mt.concatenate([t(2, 2), t(2, 3)]),
        lambda: torch.cat([u(2, 2), u(2, 3)]),
        ValueError,
        r"concatenate: the shapes \(2, 2\), \(2, 3\) differ beside axis 0",
    ),
    "concatenate, none": (
        lambda: mt.concatenate([]),
        lambda: torch.cat([]),
        ValueError,
        "one operand or more; got none",
    ),
    "concatenate, number": (
        lambda: mt.concatenate([t(), t()]),
        lambda: torch.cat([u(), u()]),
        ValueError,
        "a number has no axis to be joined along: use stack",
    ),
    "concatenate, axis": (
        lambda: mt.concatenate([t(2)], 1),
        lambda: torch.cat([u(2)], 1),
        IndexError,
        "concatenate: axis 1",
    ),
    "stack": (
        lambda: mt.stack([t(2), t(3)]),
        lambda: torch.stack([u(2), u(3)]),
        ValueError,
        r"stack: the shapes \(2,\), \(3,\) differ",
    ),
    "stack, none": (lambda: mt.stack([]), lambda: torch.stack([]), ValueError, "stack takes one operand or more"),
    "hstack": (
        lambda: mt.hstack([t(2, 2), t(3, 2)]),
        lambda: torch.hstack([u(2, 2), u(3, 2)]),
        ValueError,
        "differ beside axis 1",
    ),
    "split, axis": (lambda: mt.split(t(4), 2, 1), lambda: torch.split(u(4), 2, 1), IndexError, "split: axis 1"),
    "split, none": (
        lambda: mt.split(t(4), 0),
        lambda: torch.tensor_split(u(4), 0),
        ValueError,
        "cut into 1 piece or more; got 0",
    ),
    "chunk": (
        lambda: mt.chunk(t(4), 0),
        lambda: torch.chunk(u(4), 0),
        ValueError,
        "chunk: an axis is cut into 1 piece or more; got 0",
    ),
    "chunk, number": (
        lambda: mt.chunk(t(), 1),
        lambda: torch.chunk(u(), 1),
        IndexError,
        "chunk: axis 0 is out of bounds",
    ),
    "unbind": (lambda: mt.unbind(t()), lambda: torch.unbind(u()), IndexError, "unstack: axis 0 is out of bounds"),
    "repeat": (
        lambda: mt.repeat(t(2), -1),
        lambda: torch.repeat_interleave(u(2), -1),
        ValueError,
        "0 times or more; got -1",
    ),
    "repeat, each": (
        lambda: mt.repeat(t(2), [1, 2, 3], 0),
        lambda: torch.repeat_interleave(u(2), torch.tensor([1, 2, 3]), 0),
        ValueError,
        r"one number, or one for each of 2 slices; got shape \(3,\)",
    ),
    "repeat, float": (
        lambda: mt.repeat(t(2), 1.5),
        lambda: torch.repeat_interleave(u(2), 1.5),
        TypeError,
        "repeat: how often is an integer; got 1.5",
    ),
    "tile": (lambda: mt.tile(t(2), -1), lambda: torch.tile(u(2), (-1,)), ValueError, "tile: 0 tiles or more; got -1"),
    "diagonal": (
        lambda: mt.diagonal(t(2, 2), 0, 1, -1),
        lambda: torch.diagonal(u(2, 2), 0, 1, -1),
        ValueError,
        "a diagonal runs through two different axes; got 1 and -1",
    ),
    "diagonal, vector": (
        lambda: mt.diagonal(t(2)),
        lambda: torch.diagonal(u(2)),
        ValueError,
        r"diagonal takes two axes or more; got shape \(2,\)",
    ),
    "diag": (
        lambda: mt.diag(t(2, 2, 2)),
        lambda: torch.diag(u(2, 2, 2)),
        ValueError,
        "diag takes a vector or a matrix",
    ),
    "trace": (lambda: mt.trace(t(2)), lambda: torch.trace(u(2)), ValueError, "trace takes two axes or more"),
    "tril": (lambda: mt.tril(t(2)), lambda: torch.tril(u(2)), ValueError, r"tril takes matrices, \(..., n, m\)"),
    "triu": (lambda: mt.triu(t(2)), lambda: torch.triu(u(2)), ValueError, r"triu takes matrices, \(..., n, m\)"),
    "diff": (lambda: mt.diff(t()), lambda: torch.diff(u()), ValueError, "diff takes one axis or more; got a number"),
    "diff, order": (lambda: mt.diff(t(2), -1), lambda: torch.diff(u(2), -1), ValueError, "0 times or more; got -1"),
    "meshgrid": (
        lambda: mt.meshgrid(t(2, 2)),
        lambda: torch.meshgrid(u(2, 2), indexing="ij"),
        ValueError,
        r"meshgrid takes vectors; got shapes \(2, 2\)",
    ),
    "meshgrid, name": (
        lambda: mt.meshgrid(t(2), indexing="ji"),
        lambda: torch.meshgrid(u(2), indexing="ji"),
        ValueError,
        "indexing is 'xy' or 'ij'; got 'ji'",
    ),
    "pad, mode": (
        lambda: mt.pad(t(2), 1, "mirror"),
        lambda: F.pad(u(2), (1, 1), "mirror"),
        ValueError,
        "pad: mode is one of constant, reflect, .*; got 'mirror'",
    ),
    "pad, pairs": (
        lambda: mt.pad(t(2), [(1, 1), (1, 1)]),
        lambda: F.pad(u(2), (1, 1, 1, 1)),
        ValueError,
        "pad_width is one value, a pair, or a pair for each of 1 axes",
    ),
    "pad of nothing": (
        lambda: mt.pad(t(1, 0), ((0, 0), (1, 1)), "reflect"),
        lambda: F.pad(u(1, 1, 0), (1, 1), "reflect"),
        ValueError,
        r"axis 1 of shape \(1, 0\) has no entry that 'reflect' could repeat",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    ours, theirs, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        ours()
    with pytest.raises((RuntimeError, IndexError, ValueError, TypeError, NotImplementedError)):
        theirs()


def test_refused_by_us_alone():
    for call, kind, text in (
        (lambda: mt.split(t(5), 2), ValueError, "length 5 cannot be cut into 2 equal parts; array_split can"),
        (lambda: mt.squeeze(t(2, 1), 0), ValueError, r"the axes \[0\] of shape \(2, 1\) are not all of length 1"),
        (lambda: mt.pad(t(2), -1), ValueError, "a width is 0 or more, a slice makes less; got -1"),
        (lambda: mt.pad(mt.arange(2), 1, value=0.5), TypeError, "0.5 around int64 would be cut to an integer"),
        (lambda: mt.pad(t(2), 0.5), TypeError, "float"),
        (lambda: mt.rot90(t(2, 2), 0.5), TypeError, "float"),
        (lambda: mt.concatenate([t(2, 2), t(2)]), ValueError, "differ beside axis 0"),
    ):
        with pytest.raises(kind, match=text):
            call()
