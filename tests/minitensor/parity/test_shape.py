"""Parity: shapes, orders, joins, repetitions, diagonals, paddings: values, both gradients, dtypes, odd shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
F = torch.nn.functional

# name: (ours, theirs, shape of x)
CALLS: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
    "reshape": (lambda x: mt.reshape(x, (3, -1)), lambda x: x.reshape(3, -1), (2, 6)),
    "reshape, not contiguous": (lambda x: mt.reshape(x.T, (3, -1)), lambda x: x.T.reshape(3, -1), (2, 6)),
    "reshape to a number": (lambda x: mt.reshape(x, ()), lambda x: x.reshape(()), (1, 1)),
    "reshape of nothing": (lambda x: mt.reshape(x, (4, 0)), lambda x: x.reshape(4, 0), (0, 3)),
    "ravel": (lambda x: mt.ravel(x[:, ::2]), lambda x: torch.ravel(x[:, ::2]), (2, 4)),
    "ravel of a number": (mt.ravel, torch.ravel, ()),
    "transpose": (lambda x: mt.swapaxes(x, 0, -1), lambda x: torch.transpose(x, 0, -1), (2, 3, 4)),
    "permute": (lambda x: mt.permute(x, (2, 0, -2)), lambda x: torch.permute(x, (2, 0, -2)), (2, 3, 4)),
    "permute_dims": (lambda x: mt.permute_dims(x, (1, 0)), lambda x: x.permute(1, 0), (0, 3)),
    "moveaxis": (lambda x: mt.moveaxis(x, (0, 1), (-1, 0)), lambda x: torch.moveaxis(x, (0, 1), (-1, 0)), (2, 3, 4)),
    "squeeze": (mt.squeeze, torch.squeeze, (1, 2, 1)),
    "squeeze, axes": (lambda x: mt.squeeze(x, (0, -1)), lambda x: torch.squeeze(x, (0, -1)), (1, 2, 1)),
    "expand_dims": (lambda x: mt.expand_dims(x, -1), lambda x: torch.unsqueeze(x, -1), (2, 3)),
    "broadcast_to": (lambda x: mt.broadcast_to(x, (2, 3, 4)), lambda x: torch.broadcast_to(x, (2, 3, 4)), (3, 1)),
    "broadcast_to nothing": (lambda x: mt.broadcast_to(x, (0, 3)), lambda x: torch.broadcast_to(x, (0, 3)), (1, 3)),
    "broadcast a number": (lambda x: mt.broadcast_to(x, (2,)), lambda x: torch.broadcast_to(x, (2,)), ()),
    "atleast_1d": (mt.atleast_1d, torch.atleast_1d, ()),
    "atleast_2d": (mt.atleast_2d, torch.atleast_2d, (3,)),
    "atleast_3d": (mt.atleast_3d, torch.atleast_3d, (3,)),
    "atleast_3d, matrix": (mt.atleast_3d, torch.atleast_3d, (2, 3)),
    "flip": (lambda x: mt.flip(x, (0, -1)), lambda x: torch.flip(x, (0, -1)), (2, 3, 2)),
    "flip of nothing": (lambda x: mt.flip(x, 1), lambda x: torch.flip(x, (1,)), (2, 0)),
    "fliplr": (mt.fliplr, torch.fliplr, (2, 3)),
    "flipud": (mt.flipud, torch.flipud, (3,)),
    "roll": (lambda x: mt.roll(x, 4), lambda x: torch.roll(x, 4), (2, 3)),
    "roll, axes": (lambda x: mt.roll(x, (1, -2), (0, 1)), lambda x: torch.roll(x, (1, -2), (0, 1)), (2, 3)),
    "roll, twice": (lambda x: mt.roll(x, (1, 1), (1, 1)), lambda x: torch.roll(x, (1, 1), (1, 1)), (2, 3)),
    "roll of nothing": (lambda x: mt.roll(x, 1, 0), lambda x: torch.roll(x, 1, 0), (0, 3)),
    "repeat": (lambda x: mt.repeat(x, 3), lambda x: torch.repeat_interleave(x, 3), (2, 3)),
    "repeat, axis": (lambda x: mt.repeat(x, 2, -1), lambda x: torch.repeat_interleave(x, 2, -1), (2, 3)),
    "repeat, each": (
        lambda x: mt.repeat(x, mt.Tensor([2, 0]), 0),
        lambda x: torch.repeat_interleave(x, torch.tensor([2, 0]), 0),
        (2, 3),
    ),
    "tile": (lambda x: mt.tile(x, (2, 1, 3)), lambda x: torch.tile(x, (2, 1, 3)), (2, 2)),
    "tile, few": (lambda x: mt.tile(x, (2,)), lambda x: torch.tile(x, (2,)), (2, 2)),
    "tile a number": (lambda x: mt.tile(x, (2, 2)), lambda x: torch.tile(x, (2, 2)), ()),
    "diagonal": (lambda x: mt.diagonal(x, 1, -1, 0), lambda x: torch.diagonal(x, 1, -1, 0), (3, 2, 3)),
    "diagonal, outside": (lambda x: mt.diagonal(x, 7), lambda x: torch.diagonal(x, 7), (2, 3)),
    "diag of a vector": (lambda x: mt.diag(x, -1), lambda x: torch.diag(x, -1), (3,)),
    "diag of a matrix": (lambda x: mt.diag(x, 1), lambda x: torch.diag(x, 1), (2, 3)),
    "diag of nothing": (mt.diag, torch.diag, (0,)),
    "trace": (mt.trace, torch.trace, (2, 3)),
    "trace of nothing": (mt.trace, torch.trace, (0, 3)),
    "tril": (lambda x: mt.tril(x, 1), lambda x: torch.tril(x, 1), (2, 3, 4)),
    "triu": (lambda x: mt.triu(x.mT, -1), lambda x: torch.triu(x.mT, -1), (2, 3, 4)),
    "diff": (mt.diff, torch.diff, (2, 4)),
    "diff, order": (lambda x: mt.diff(x, 2, 0), lambda x: torch.diff(x, 2, 0), (4, 2)),
    "diff, too often": (lambda x: mt.diff(x, 9), lambda x: torch.diff(x, 9), (2, 4)),
    "diff of nothing": (mt.diff, torch.diff, (0,)),
}
for k in range(-5, 5):
    CALLS[f"rot90, {k}"] = (lambda x, k=k: mt.rot90(x, k), lambda x, k=k: torch.rot90(x, k), (2, 3))
for k in range(2):
    CALLS[f"split {k}"] = (lambda x, k=k: mt.split(x, 2, 1)[k], lambda x, k=k: torch.split(x, 2, 1)[k], (3, 4))
    CALLS[f"array_split {k}"] = (
        lambda x, k=k: mt.array_split(x, [1, -1], -1)[k],
        lambda x, k=k: torch.tensor_split(x, (1, -1), -1)[k],
        (3, 5),
    )
    CALLS[f"chunk {k}"] = (lambda x, k=k: mt.chunk(x, 4)[k], lambda x, k=k: torch.chunk(x, 4)[k], (5, 2))
    CALLS[f"unbind {k}"] = (lambda x, k=k: mt.unbind(x, -1)[k], lambda x, k=k: torch.unbind(x, -1)[k], (3, 2))
for name in ("reflect", "replicate", "circular"):
    for width in ((1, 1), (2, 0), (0, 1)):
        CALLS[f"pad {name} {width}"] = (
            lambda x, w=width, m=name: mt.pad(x, ((0, 0), (0, 0), w), m),
            lambda x, w=width, m=name: F.pad(x, w, m),
            (2, 2, 3),
        )
CALLS["pad, value"] = (
    lambda x: mt.pad(x, ((0, 0), (1, 2)), constant_values=1.5),
    lambda x: F.pad(x, (1, 2), value=1.5),
    (2, 3),
)
calls = pytest.mark.parametrize("name", CALLS)


@calls
def test_values_and_gradients(name):
    ours, theirs, shape = CALLS[name]
    compare(ours, theirs, normal(*shape))
    compare(ours, theirs, np.asarray(np.where(np.arange(normal(*shape).size).reshape(shape) % 3, np.nan, np.inf)))


@calls
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float16"])
def test_dtypes_stay(name, dtype):
    ours, theirs, shape = CALLS[name]
    if (name, dtype) in {("pad, value", d) for d in ("int64", "int32", "uint8", "bool")} | {("trace", "bool")}:
        return  # we refuse 1.5 among integers; PyTorch has no trace of bools
    if name.startswith(("diff, too", "pad r", "pad c", "trace of")) and dtype in ("bool", "uint8", "float16"):
        return  # not there in PyTorch
    x = (10 * normal(*shape)).astype(dtype)
    got, wanted = ours(mt.Tensor(x)), theirs(torch.tensor(x))
    assert str(wanted.dtype) == f"torch.{got.dtype}" and tuple(wanted.shape) == got.shape
    tolerance = 2e-3 if dtype == "float16" else 0  # PyTorch rounds between steps
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=tolerance, atol=tolerance)


SEVERAL: dict[str, tuple[Any, Any, tuple[tuple[int, ...], ...]]] = {
    "concatenate": (lambda *x: mt.concatenate(x, 1), lambda *x: torch.cat(x, 1), ((2, 3), (2, 1), (2, 0))),
    "concat": (lambda *x: mt.concat(x), lambda *x: torch.concat(x), ((2,), (0,), (3,))),
    "stack": (lambda *x: mt.stack(x, -1), lambda *x: torch.stack(x, -1), ((2, 3), (2, 3))),
    "stack numbers": (lambda *x: mt.stack(x), lambda *x: torch.stack(x), ((), ())),
    "hstack": (lambda *x: mt.hstack(x), lambda *x: torch.hstack(x), ((2, 3), (2, 1))),
    "hstack of vectors": (lambda *x: mt.hstack(x), lambda *x: torch.hstack(x), ((2,), (3,))),
    "vstack": (lambda *x: mt.vstack(x), lambda *x: torch.vstack(x), ((3,), (2, 3))),
    "column_stack": (lambda *x: mt.column_stack(x), lambda *x: torch.column_stack(x), ((3,), (3, 2))),
    "broadcast_arrays": (
        lambda *x: mt.broadcast_arrays(*x)[1], lambda *x: torch.broadcast_tensors(*x)[1], ((3, 1), (2,)),
    ),
    "meshgrid": (
        lambda *x: mt.meshgrid(*x)[0], lambda *x: torch.meshgrid(*x, indexing="xy")[0], ((3,), (2,), (2,)),
    ),
    "meshgrid, ij": (
        lambda *x: mt.meshgrid(*x, indexing="ij")[1], lambda *x: torch.meshgrid(*x, indexing="ij")[1], ((3,), (2,)),
    ),
    "outer": (mt.outer, torch.outer, ((3,), (2,))),
    "kron": (mt.kron, torch.kron, ((2, 3), (3, 1))),
    "kron, uneven": (mt.kron, torch.kron, ((2,), (2, 1, 2))),
    "kron of a number": (mt.kron, torch.kron, ((), (2, 2))),
    "diff, joined": (
        lambda x, a, b: mt.diff(x, prepend=a, append=b), lambda x, a, b: torch.diff(x, prepend=a, append=b),
        ((2, 3), (2, 1), (2, 2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_several_operands(name):
    ours, theirs, shapes = SEVERAL[name]
    compare(ours, theirs, *[normal(*s) for s in shapes])
    ints = [np.asarray(np.arange(normal(*s).size).reshape(s)) for s in shapes]
    compare(ours, theirs, *ints)


@pytest.mark.parametrize(
    ("a", "b"), [("float32", "float64"), ("int64", "float32"), ("bool", "int32"), ("uint8", "int8")]
)
def test_joined_dtypes_are_promoted(a, b):
    x, y = np.ones((2, 2), a), np.zeros((2, 2), b)
    for ours, theirs in ((mt.concatenate, torch.cat), (mt.stack, torch.stack), (mt.vstack, torch.vstack)):
        got, wanted = ours([mt.Tensor(x), mt.Tensor(y)]), theirs([torch.tensor(x), torch.tensor(y)])
        assert str(wanted.dtype) == f"torch.{got.dtype}" and wanted.tolist() == got.tolist()
