"""Parity: the indices that PyTorch refuses are refused, in one sentence with the bounds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import torch

pytestmark = pytest.mark.parity


class Ours:
    """Both engines under one spelling: `e.t(2, 3)` ones, `e.i([..])` an index."""

    lib: Any = mt
    t = staticmethod(lambda *shape, dtype="float32": mt.Tensor(np.ones(shape, dtype)))
    i = staticmethod(lambda values, dtype="int64": mt.Tensor(np.array(values, dtype)))


class Theirs:
    lib = torch
    t = staticmethod(lambda *shape, dtype="float32": torch.tensor(np.ones(shape, dtype)))
    i = staticmethod(lambda values, dtype="int64": torch.tensor(np.array(values, dtype)))


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "number": (
        lambda e: e.t(2, 3)[2],
        IndexError,
        r"index 2 is out of bounds for axis 0 with size 2; x has shape \(2, 3\)",
    ),
    "axis": (lambda e: e.t(2, 3)[0, 0, 0], IndexError, r"too many indices .* x has shape \(2, 3\)"),
    "rows": (lambda e: e.t(2, 3)[:, e.i([0, 3])], IndexError, "index 3 is out of bounds for axis 1 with size 3"),
    "negative rows": (lambda e: e.t(2)[e.i([-3])], IndexError, "index -3 is out of bounds for axis 0 with size 2"),
    "mask": (
        lambda e: e.t(2, 3)[e.i([True, False, True], "bool")],
        IndexError,
        r"a mask has the shape of the axes it stands for; got \(3,\) for \(2,\), from axis 0 of \(2, 3\)",
    ),
    "mask of an axis of length 1": (lambda e: e.t(2, 3)[e.i([True], "bool")], IndexError, r"got \(1,\) for \(2,\)"),
    "later mask": (
        lambda e: e.t(2, 3)[..., e.i([True, False], "bool")],
        IndexError,
        r"got \(2,\) for \(3,\), from axis 1",
    ),
    "wide mask": (lambda e: e.t(2)[e.i([[True], [False]], "bool")], IndexError, r"got \(2, 1\) for \(2,\)"),
    "floats": (
        lambda e: e.t(2)[e.i([1.0], "float32")],
        IndexError,
        r"an index array is of integers or bools; got array float32 \(1,\) on cpu: use .astype\('int64'\)",
    ),
    "a float": (lambda e: e.t(2)[1.0], (IndexError, TypeError), "an index is made of integers, slices, .*; got 1.0"),
    "a text": (lambda e: e.t(2)["a"], (IndexError, TypeError), "an index is made of integers, slices, .*; got 'a'"),
    "uneven": (lambda e: e.t(2)[[[0], [0, 1]]], (IndexError, TypeError, ValueError), "in even rows; got"),
    "do not broadcast": (lambda e: e.t(3, 3)[e.i([0, 1]), e.i([0, 1, 2])], IndexError, "could not be broadcast"),
    "gather": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([[3]])),
        IndexError,
        "gather: index 3 is out of bounds for axis 1 of length 3: indices are from 0 to 2",
    ),
    "gather, negative": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([[-1]])),
        IndexError,
        "gather: index -1 is out of bounds",
    ),
    "gather, floats": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([[1.0]], "float32")),
        TypeError,
        r"gather: indices are integers; got array float32 \(1, 1\)",
    ),
    "gather, bools": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([[True]], "bool")),
        TypeError,
        "gather: indices are integers",
    ),
    "gather, axes": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([1])),
        ValueError,
        r"the index has as many axes as x; got shapes \(1,\) and \(2, 3\)",
    ),
    "gather, long": (
        lambda e: e.lib.gather(e.t(2, 3), 1, e.i([[1], [1], [1]])),
        ValueError,
        r"beside axis 1 the index is no longer than x; got shapes \(3, 1\) and \(2, 3\)",
    ),
    "gather, dim": (lambda e: e.lib.gather(e.t(2, 3), 2, e.i([[1]])), IndexError, "gather: axis 2 is out of bounds"),
    "index_select": (
        lambda e: e.lib.index_select(e.t(2, 3), 1, e.i([3])),
        IndexError,
        "index_select: index 3 is out of bounds for axis 1 of length 3: indices are from 0 to 2",
    ),
    "index_select, negative": (
        lambda e: e.lib.index_select(e.t(2, 3), 1, e.i([-1])),
        IndexError,
        "index -1 is out of bounds",
    ),
    "index_select, matrix": (
        lambda e: e.lib.index_select(e.t(2, 3), 1, e.i([[1]])),
        ValueError,
        r"index_select: the index is a vector; got shape \(1, 1\)",
    ),
    "index_select of nothing": (
        lambda e: e.lib.index_select(e.t(0, 3), 0, e.i([0])),
        IndexError,
        "of which there is none",
    ),
    "take": (
        lambda e: e.lib.take(e.t(2, 3), e.i([6])),
        IndexError,
        "take: index 6 is out of bounds for axis 0 of length 6: indices are from -6 to 5",
    ),
    "take, floats": (lambda e: e.lib.take(e.t(2, 3), e.i([1.0], "float32")), TypeError, "take: indices are integers"),
    "scatter": (
        lambda e: e.lib.scatter(e.t(2, 3), 1, e.i([[3]]), e.t(1, 1)),
        IndexError,
        "scatter: index 3 is out of bounds",
    ),
    "scatter, negative": (lambda e: e.lib.scatter(e.t(2, 3), 1, e.i([[-1]]), e.t(1, 1)), IndexError, "index -1 is out"),
    "scatter, src": (
        lambda e: e.lib.scatter(e.t(2, 3), 1, e.i([[1, 2]]), e.t(1, 1)),
        ValueError,
        r"scatter: src is as long as the index or longer; got shapes \(1, 1\) and \(1, 2\)",
    ),
    "scatter, dtype": (
        lambda e: e.lib.scatter(e.t(2, 3), 1, e.i([[1]]), e.t(1, 1, dtype="float64")),
        TypeError,
        "scatter: values and x have one dtype; got Tensor float64",
    ),
    "scatter_add": (
        lambda e: e.lib.scatter_add(e.t(2, 3), 0, e.i([[2]]), e.t(1, 1)),
        IndexError,
        "scatter_add: index 2 is out of bounds for axis 0 of length 2",
    ),
    "scatter_add, dtype": (
        lambda e: e.lib.scatter_add(e.t(2, 3), 0, e.i([[1]]), e.t(1, 1, dtype="int64")),
        TypeError,
        "scatter_add: values and x have one dtype",
    ),
    "index_add": (
        lambda e: e.lib.index_add(e.t(2, 3), 1, e.i([3]), e.t(2, 1)),
        IndexError,
        "index_add: index 3 is out of bounds",
    ),
    "index_add, source": (
        lambda e: e.lib.index_add(e.t(2, 3), 1, e.i([1]), e.t(1, 1)),
        ValueError,
        r"index_add: source has shape \(2, 1\) for this index; got \(1, 1\)",
    ),
    "index_add, dtype": (
        lambda e: e.lib.index_add(e.t(2, 3), 1, e.i([1]), e.t(2, 1, dtype="float64")),
        TypeError,
        "one dtype",
    ),
    "index_add, matrix": (
        lambda e: e.lib.index_add(e.t(2, 3), 1, e.i([[1]]), e.t(2, 1)),
        ValueError,
        "the index is a vector",
    ),
    "index_put": (
        lambda e: e.lib.index_put(e.t(2), (e.i([2]),), e.t(1)),
        IndexError,
        "index 2 is out of bounds for axis 0",
    ),
    "index_put, dtype": (
        lambda e: e.lib.index_put(e.t(2), (e.i([1]),), e.t(1, dtype="float64")),
        TypeError,
        "one dtype",
    ),
    "index_put, values": (
        lambda e: e.lib.index_put(e.t(2), (e.i([1, 0]),), e.t(3)),
        ValueError,
        r"the shape \(3,\) does not broadcast to \(2,\)",
    ),
    "masked_select": (
        lambda e: e.lib.masked_select(e.t(2), e.i([1, 0])),
        TypeError,
        r"masked_select: a mask is of bools; got array int64 \(2,\)",
    ),
    "masked_select, shape": (
        lambda e: e.lib.masked_select(e.t(2), e.i([True] * 3, "bool")),
        ValueError,
        "do not broadcast to one",
    ),
    "masked_fill": (
        lambda e: e.lib.masked_fill(e.t(2), e.i([1, 0]), 1.0),
        TypeError,
        "masked_fill: a mask is of bools",
    ),
    "masked_fill, value": (
        lambda e: e.lib.masked_fill(e.t(2), e.i([True, False], "bool"), e.t(2)),
        ValueError,
        r"masked_fill: value is one number; got shape \(2,\)",
    ),
    "masked_fill, shape": (lambda e: e.lib.masked_fill(e.t(2), e.i([True] * 3, "bool"), 1.0), ValueError, "broadcast"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call(Ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((RuntimeError, IndexError, ValueError, TypeError)):
            call(Theirs)


def test_refused_by_us_alone():
    x, ints = mt.zeros((2, 3)), mt.zeros(3, "int64")
    for call, kind, text in (
        (lambda: mt.put(x, [6], 1.0), IndexError, "put: index 6 is out of bounds for axis 0 of length 6: .* -6 to 5"),
        (lambda: mt.put(x, [0], []), ValueError, "put: 1 places and no value"),
        (lambda: mt.put(ints, [0], 1.5), TypeError, r"put: 1.5 would be cut to fit Tensor int64 \(3,\) on cpu"),
        (lambda: mt.masked_fill(ints, [True, False, True], 0.5), TypeError, "masked_fill: 0.5 would be cut to fit"),
        (lambda: mt.index_add(ints, 0, [0], mt.ones(1, "int64"), alpha=0.5), TypeError, "alpha = 0.5 would be cut"),
        (lambda: mt.take_along_axis(x, [0], 1), ValueError, r"indices have as many axes as x; got shapes \(1,\)"),
        (lambda: mt.take_along_axis(x, [[3]], 1), IndexError, "take_along_axis: index 3 is out of bounds for axis 1"),
        (lambda: mt.take_along_axis(x, [[0], [0], [0]], 1), ValueError, "do not broadcast to one"),
        (lambda: mt.put_along_axis(x, [[0], [0], [0]], 1.0, 1), ValueError, "do not broadcast to one"),
        (
            lambda: mt.put_along_axis(x[:1], [[0], [0]], 1.0, 1),
            ValueError,
            r"the indices \(2, 1\) are longer than x \(1, 3\)",
        ),
        (lambda: mt.one_hot([0, 3], 3), IndexError, "one_hot: a class is 0 to 2; got 3"),
        (lambda: mt.one_hot([-1], 3), IndexError, "one_hot: a class is 0 to 2; got -1"),
        (lambda: mt.one_hot([0.5], 3), TypeError, r"one_hot takes integers; got array float32 \(1,\)"),
    ):
        with pytest.raises(kind, match=text):
            call()
