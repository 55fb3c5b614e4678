"""Parity: indexing, gathering, scattering: values, both gradients, dtypes, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity

_rows = np.array([0, 2, 2])
INDICES: dict[str, Any] = {
    "number": 1,
    "last": -1,
    "slice": slice(None, None, 2),
    "ellipsis": (..., 1),
    "new": (None, slice(1), None, 0),
    "empty": slice(0, 0),
    "beyond": slice(1, 99),
    "list": [0, 2, 2],
    "rows": _rows,
    "negative": _rows - 3,
    "int32": _rows.astype("int32"),
    "pairs": (_rows, np.array([1, 1, -1])),
    "lists": ([0, 1], [1, 1]),
    "mixed": (slice(None), _rows, 0),
    "apart": (_rows, slice(None), np.array([1, 0, 1])),
    "after new": (None, _rows, slice(None), np.array([1, 0, 1])),
    "broadcast": (slice(None), _rows, np.array([[1], [0]])),
    "ellipsis between": (_rows, ..., np.array([1, 0, 1])),
    "table": np.array([[0, 1], [1, 1]]),
    "mask": np.array([True, False, True]),
    "none": np.zeros(3, bool),
    "plane": np.array([[True, False, True], [False, False, True], [True, True, False]]),
    "last axes": (..., np.array([[True, False], [False, True], [True, True]])),
    "mask and rows": (np.array([True, False, True]), np.array([1, 2])),
    "mask, slice, mask": (np.array([True, False, True]), slice(None), np.array([True, True])),
    "true": True,
    "false": False,
    "0-d": np.array(2),
    "no rows": np.zeros(0, int),
}


def _tensors(index: Any, tensor: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_tensors(i, tensor) for i in index)
    return tensor(index) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("name", INDICES)
def test_getitem_and_index_put(name):
    i = INDICES[name]
    j, k = _tensors(i, mt.Tensor), _tensors(i, torch.tensor)
    x = normal(3, 3, 2)
    compare(lambda x: x[i], lambda x: x[k], x)
    compare(lambda x: x[j], lambda x: x[k], x)
    compare(lambda x: x.swapaxes(0, 1)[j], lambda x: x.swapaxes(0, 1)[k], x)  # not contiguous
    values = normal(*x[i].shape)

    def put(x: Any, v: Any) -> Any:
        y = x.clone()
        y[k] = v
        return y

    places = np.arange(x.size).reshape(x.shape)[i]
    if len(np.unique(places)) == places.size:
        compare(lambda x, v: mt.index_put(x, j, v), put, x, values)
    if name in ("rows", "pairs", "table", "negative", "no rows"):
        k = k if isinstance(k, tuple) else (k,)
        compare(lambda x, v: mt.index_put(x, j, v, True), lambda x, v: x.index_put(k, v, accumulate=True), x, values)


def L(*values: Any) -> tuple[Any, Any]:
    """An index in both engines."""
    return mt.Tensor(np.array(values, np.int64)), torch.tensor(np.array(values, np.int64))


i_, k_ = L([0, 2], [1, 1])
one_, onek_ = L([2], [0])
row_, rowk_ = L(2, 0, 2)
p_, pk_ = L(0, -1, 2)
none_, nonek_ = mt.Tensor(np.zeros((2, 0), int)), torch.zeros((2, 0), dtype=torch.int64)
zero_, zerok_ = L(0, 0)
number_, numberk_ = mt.Tensor(np.array(2)), torch.tensor(2)
m_, mk_ = mt.Tensor(np.array([True, False, True])), torch.tensor([True, False, True])
CALLS: dict[str, tuple[Any, Any, tuple[tuple[int, ...], ...]]] = {
    "gather": (lambda x: mt.gather(x, 1, i_), lambda x: torch.gather(x, 1, k_), ((2, 3),)),
    "gather, short": (lambda x: mt.gather(x, -1, one_), lambda x: torch.gather(x, -1, onek_), ((4, 3),)),
    "gather, axis 0": (lambda x: mt.gather(x, 0, i_), lambda x: torch.gather(x, 0, k_), ((3, 5),)),
    "gather, not contiguous": (lambda x: mt.gather(x.T, 1, i_), lambda x: torch.gather(x.T, 1, k_), ((3, 2),)),
    "gather, nothing": (lambda x: mt.gather(x, 1, none_), lambda x: torch.gather(x, 1, nonek_), ((2, 3),)),
    "gather, a number": (lambda x: mt.gather(x, 0, zero_), lambda x: torch.gather(x, 0, zerok_), ((),)),
    "gather, by a number": (lambda x: mt.gather(x, 0, number_), lambda x: torch.gather(x, 0, numberk_), ((3,),)),
    "index_select": (lambda x: mt.index_select(x, 1, row_), lambda x: torch.index_select(x, 1, rowk_), ((2, 3),)),
    "index_select, 0-d": (
        lambda x: mt.index_select(x, 0, number_),
        lambda x: torch.index_select(x, 0, numberk_),
        ((3, 2),),
    ),
    "index_select, a number": (
        lambda x: mt.index_select(x, 0, zero_[:1]),
        lambda x: torch.index_select(x, 0, zerok_[:1]),
        ((),),
    ),
    "take": (lambda x: mt.take(x, i_), lambda x: torch.take(x, k_), ((2, 3),)),
    "take, negative": (lambda x: mt.take(x, row_ - 3), lambda x: torch.take(x, rowk_ - 3), ((2, 3),)),
    "take_along_axis": (
        lambda x: mt.take_along_axis(x, one_, 1),
        lambda x: torch.take_along_dim(x, onek_, 1),
        ((2, 3),),
    ),
    "take_along_axis, broadcast": (
        lambda x: mt.take_along_axis(x, i_[:1], -1),
        lambda x: torch.take_along_dim(x, k_[:1], -1),
        ((4, 3),),
    ),
    "masked_select": (lambda x: mt.masked_select(x, m_), lambda x: torch.masked_select(x, mk_), ((2, 3),)),
    "masked_select, broadcast": (
        lambda x: mt.masked_select(x, m_[:, None]),
        lambda x: torch.masked_select(x, mk_[:, None]),
        ((2,),),
    ),
    "masked_fill": (lambda x: mt.masked_fill(x, m_, 2), lambda x: x.masked_fill(mk_, 2), ((2, 3),)),
    "masked_fill, broadcast": (
        lambda x: mt.masked_fill(x, m_[:, None], 7),
        lambda x: x.masked_fill(mk_[:, None], 7),
        ((2,),),
    ),
    "scatter, a number": (lambda x: mt.scatter(x, 1, i_, 5), lambda x: torch.scatter(x, 1, k_, 5), ((2, 3),)),
    "scatter": (lambda x, s: mt.scatter(x, 1, one_, s), lambda x, s: torch.scatter(x, 1, onek_, s), ((2, 3), (2, 1))),
    "scatter, axis 0": (
        lambda x, s: mt.scatter(x, 0, one_, s),
        lambda x, s: torch.scatter(x, 0, onek_, s),
        ((3, 4), (2, 1)),
    ),
    "scatter, nothing": (
        lambda x, s: mt.scatter(x, 1, none_, s),
        lambda x, s: torch.scatter(x, 1, nonek_, s),
        ((2, 3), (2, 0)),
    ),
    "scatter_add": (
        lambda x, s: mt.scatter_add(x, 1, i_, s),
        lambda x, s: torch.scatter_add(x, 1, k_, s),
        ((2, 3), (2, 2)),
    ),
    "scatter_add, long src": (
        lambda x, s: mt.scatter_add(x, -1, i_, s),
        lambda x, s: torch.scatter_add(x, -1, k_, s),
        ((2, 3), (2, 2)),
    ),
    "scatter_add, axis 0": (
        lambda x, s: mt.scatter_add(x, 0, i_, s),
        lambda x, s: torch.scatter_add(x, 0, k_, s),
        ((3, 2), (2, 2)),
    ),
    **{
        f"scatter {word}, {kept}": (
            lambda x, s, w=word, k=kept: mt.scatter_reduce(x, 1, i_, s, w, include_self=k),
            lambda x, s, w=word, k=kept: torch.scatter_reduce(x, 1, k_, s, w, include_self=k),
            ((2, 3), (2, 2)),
        )
        for word in ("sum", "prod", "mean", "amax", "amin")
        for kept in (True, False)
    },
    "scatter_reduce, axis 0": (
        lambda x, s: mt.scatter_reduce(x, 0, i_, s, "amax"),
        lambda x, s: torch.scatter_reduce(x, 0, k_, s, "amax"),
        ((3, 2), (2, 2)),
    ),
    "index_add": (
        lambda x, s: mt.index_add(x, 1, row_, s),
        lambda x, s: torch.index_add(x, 1, rowk_, s),
        ((2, 3), (2, 3)),
    ),
    "index_add, alpha": (
        lambda x, s: mt.index_add(x, 0, row_, s, alpha=3),
        lambda x, s: torch.index_add(x, 0, rowk_, s, alpha=3),
        ((3, 2), (3, 2)),
    ),
    "index_add, 0-d": (
        lambda x, s: mt.index_add(x, 0, number_, s),
        lambda x, s: torch.index_add(x, 0, numberk_, s),
        ((3, 2), (1, 2)),
    ),
    "put": (lambda x, s: mt.put(x, p_, s), lambda x, s: torch.Tensor.put(x, pk_, s), ((2, 3), (3,))),
    "masked_fill by a Tensor": (
        lambda x, v: mt.masked_fill(x, m_, v),
        lambda x, v: x.masked_fill(mk_, v),
        ((2, 3), ()),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients(name):
    ours, theirs, shapes = CALLS[name]
    # PyTorch's product without x leaves rounding where the second gradient is 0
    compare(ours, theirs, *[normal(*s) for s in shapes], order=1 if name == "scatter prod, False" else 2)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float16", "bool"])
def test_dtypes_stay(name, dtype):
    ours, theirs, shapes = CALLS[name]
    if dtype == "bool" and ("add" in name or "fill" in name or "number" in name or "mean" in name):
        return
    xs = [np.asarray(3 * normal(*s)).astype(dtype) for s in shapes]
    got, wanted = ours(*map(mt.Tensor, xs)), theirs(*map(torch.tensor, xs))
    assert str(wanted.dtype) == f"torch.{got.dtype}" and tuple(wanted.shape) == got.shape
    tolerance = 2e-3 if dtype == "float16" else 0  # PyTorch rounds between steps
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("word", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("kept", [True, False])
def test_scatter_reduce_of_ties_zeros_and_nothing(word, kept):
    ours = lambda x, s: mt.scatter_reduce(x, 1, mt.Tensor(at), s, word, include_self=kept)  # noqa: E731
    theirs = lambda x, s: torch.scatter_reduce(x, 1, torch.tensor(at), s, word, include_self=kept)  # noqa: E731
    at = np.array([[0, 0, 2, 0], [1, 1, 1, 2]])
    x, s = np.array([[1.0, 2.0, 0.0], [3.0, 3.0, 1.0]]), np.array([[1.0, 1.0, 0.0, 0.0], [3.0, 3.0, 1.0, 2.0]])
    compare(ours, theirs, x if kept else x + 0.5, s, order=1)
    compare(ours, theirs, np.where(x == 1, np.nan, x), np.where(s == 2, np.inf, s), order=0)
    at = np.zeros((2, 0), int)
    compare(ours, theirs, x, np.zeros((2, 0)), order=1)


def test_scatter_with_reduce():
    x, s = normal(2, 3), normal(2, 2)
    for word in ("add", "multiply"):
        ours, theirs = mt.scatter(x, 1, i_, mt.Tensor(s), reduce=word), torch.tensor(x).scatter
        np.testing.assert_allclose(ours.numpy(), theirs(1, k_, torch.tensor(s), reduce=word).numpy())
        ours = mt.scatter(x, 1, i_, 2.5, reduce=word)
        np.testing.assert_allclose(ours.numpy(), theirs(1, k_, 2.5, reduce=word).numpy())
    with pytest.raises(ValueError, match="reduce is None, 'add' or 'multiply'; got 'sum'"):
        mt.scatter(x, 1, i_, 2.5, reduce="sum")
    with pytest.raises(ValueError, match="'sum', 'prod', 'mean', 'amax' or 'amin'; got 'max'"):
        mt.scatter_reduce(x, 1, i_, mt.Tensor(s), "max")


def test_a_number_beside_an_index_array_counts_as_one_as_in_numpy():
    """PyTorch reads the number first: there x[0, :, [1, 0]] has shape (3, 2)."""
    x = normal(3, 3, 2)
    assert mt.Tensor(x)[0, :, [1, 0]].shape == x[0, :, [1, 0]].shape == (2, 3)
    assert torch.tensor(x)[0, :, [1, 0]].shape == (3, 2)


def test_masked_fill_with_infinity_and_nan():
    for value in (float("inf"), float("nan")):
        compare(lambda x, v=value: mt.masked_fill(x, m_, v), lambda x, v=value: x.masked_fill(mk_, v), normal(2, 3))
    x = np.array([np.nan, 1.0, np.inf])
    compare(lambda x: mt.masked_fill(x, m_, 0.0), lambda x: x.masked_fill(mk_, 0.0), x)


X = [np.array([[0, 2], [np.nan, 0]]), np.zeros((2, 0)), np.array(3.0), np.array(0.0), np.eye(2) > 0]


@pytest.mark.parametrize("x", X)
def test_argwhere(x):
    got, wanted = mt.argwhere(mt.Tensor(x)), torch.argwhere(torch.tensor(x))
    assert got.shape == tuple(wanted.shape) and got.tolist() == wanted.tolist() and got.dtype == np.int64


@pytest.mark.parametrize(("n", "k", "m"), [(3, 0, 3), (2, 1, 4), (4, -2, 3), (2, 9, 2), (2, -9, 2), (0, 0, 3)])
def test_triangles(n, k, m):
    for ours, theirs in ((mt.tril_indices, torch.tril_indices), (mt.triu_indices, torch.triu_indices)):
        got = ours(n, k, m)
        assert [i.tolist() for i in got] == theirs(n, m, k).tolist() and got[0].dtype == np.int64


def test_where_a_place_is_written_twice_the_last_value_stays_and_gets_the_gradient():
    x, src = mt.zeros((1, 3)).requires_grad_(), mt.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = mt.scatter(x, 1, [[0, 2, 0]], src)
    assert y.tolist() == [[3.0, 0.0, 2.0]]
    gx, gs = mt.grad(y, [x, src], mt.Tensor([[1.0, 10.0, 100.0]]))
    assert gx.tolist() == [[0.0, 10.0, 0.0]] and gs.tolist() == [[0.0, 100.0, 1.0]]
