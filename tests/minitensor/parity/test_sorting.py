"""Parity: scans, order, ranks and counts. Values, indices, first and second gradients, edges, dtypes, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
inf, nan = np.inf, np.nan


def same(ours: Any, theirs: Any, x: np.ndarray, *settings: Any, order: int = 2) -> None:
    """Compare two functions that take the same settings in the same order."""
    compare(lambda x: ours(x, *settings), lambda t: theirs(t, *settings), x, order=order)


def pair(ours: Any, theirs: Any, x: np.ndarray, *settings: Any, order: int = 2, indices: bool = True) -> None:
    """Compare functions that return values and indices."""
    same(lambda x, *s: ours(x, *s)[0], lambda t, *s: theirs(t, *s)[0], x, *settings, order=order)
    if indices:
        same(lambda x, *s: ours(x, *s)[1], lambda t, *s: theirs(t, *s)[1], x, *settings)


LAYOUTS: list[Any] = [lambda x: x, lambda x: x.swapaxes(0, -1), lambda x: x[..., ::2]]
SHAPES: list[tuple[int, ...]] = [(4, 1, 3), (2, 0, 3), (0, 5, 2), (1, 1, 1)]

# -- scans


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_scans(name, axis):
    ours, theirs = getattr(mt, name), getattr(torch, name)
    for view in LAYOUTS:
        same(lambda x, v: ours(v(x), axis), lambda t, v: theirs(v(t), axis), normal(5, 3, 4), view)
    for shape in SHAPES:
        same(ours, theirs, normal(*shape), axis)
    for a in (0, -1):
        same(ours, theirs, normal(), a)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extremes(name, axis):
    ours, theirs = getattr(mt, name), getattr(torch, name)
    for view in LAYOUTS:
        pair(lambda x, v: ours(v(x), axis), lambda t, v: theirs(v(t), axis), normal(5, 3, 4), view)
    for shape in SHAPES:
        pair(ours, theirs, normal(*shape), axis)
    for row in ([3.0, 3, 1, 3, 1], [1, nan, 5, nan, 0], [-inf, inf, inf, -inf], [0.0, -0.0, 0]):
        pair(ours, theirs, np.array(row), 0)
    pair(ours, theirs, np.array([2, 2, 1, 3, 3, 0]), 0)
    pair(ours, theirs, normal(), 0)


ROWS: list[list[float]] = [[0, 2, 3], [2, 0, 3, 5], [0, 2, 0, 3], [0, 0, 0], [1, 2, 0], [0], [-1, -2, 3, 0.5, 7, 0, 2]]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_cumprod_with_zeros(row):
    same(mt.cumprod, torch.cumprod, np.array(row, float), 0)
    same(mt.cumprod, torch.cumprod, np.stack([np.array(row, float), np.arange(len(row)) + 0.5]), 1)


@pytest.mark.parametrize(
    "row",
    [
        [-inf, -inf, 0, 1],
        [0, -inf, 1],
        [inf, 0],
        [0, inf, 1],
        [0, nan, 1],
        [800, -800, 0, 900],
        [-64, -64],
        [5, -60, 3],
    ],
    ids=str,
)
def test_logcumsumexp_at_edges(row):
    same(mt.logcumsumexp, torch.logcumsumexp, np.array(row, float), 0, order=2 if np.isfinite(row).all() else 1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float16"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans_of_integers(name, dtype):
    x = np.array([[3, 1, 2], [1, 100, 100]]).astype(dtype)
    y, t = getattr(mt, name)(x, axis=1), getattr(torch, name)(torch.tensor(x), 1)
    assert str(t.dtype) == f"torch.{y.dtype}"
    np.testing.assert_array_equal(y.numpy(), t.numpy())


# -- order

TIES = np.array([[2.0, 1, 2, 1, 2], [0, 3, -0.0, nan, 3], [inf, nan, -inf, nan, 0]])


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_sort(axis, down):
    ours = lambda x, a: (mt.sort(x, a, down), mt.argsort(x, a, down))  # noqa: E731
    theirs = lambda t, a: torch.sort(t, dim=a, descending=down, stable=True)  # noqa: E731
    for view in LAYOUTS:
        pair(lambda x, v: ours(v(x), axis), lambda t, v: theirs(v(t), axis), normal(5, 3, 4), view)
    for shape in SHAPES:
        pair(ours, theirs, normal(*shape), axis)
    for a in (0, 1, -1):
        pair(ours, theirs, TIES, a, order=1)
        pair(ours, theirs, np.array([[3, 1, 3, 2], [0, 0, 1, 0]]), a)
    pair(ours, theirs, np.array([True, False, True, False]), 0)
    pair(ours, theirs, normal(), -1)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_topk(axis, largest):
    for k in (0, 1, 2, 3):
        pair(mt.topk, torch.topk, normal(5, 3, 4), k, axis, largest)
        pair(mt.topk, torch.topk, TIES, min(k, 3), axis % 2, largest, order=0, indices=False)  # which of equal ones?
    pair(mt.topk, torch.topk, normal(0, 4, 3), 0, axis, largest)
    pair(mt.topk, torch.topk, normal(), 1, -1, largest)
    pair(mt.topk, torch.topk, np.array([5, 1, 3, 2]), 3, 0, largest)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_kthvalue(axis, kept):
    for k in (1, 2, 3):
        pair(mt.kthvalue, torch.kthvalue, normal(5, 3, 4), k, axis, kept)
    pair(mt.kthvalue, torch.kthvalue, TIES, 3, axis % 2, kept, order=0, indices=False)
    pair(mt.kthvalue, torch.kthvalue, normal(), 1, 0, kept)


METHODS = ["linear", "lower", "higher", "midpoint", "nearest"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_quantile(axis, method):
    for q in (0.0, 0.3, 0.5, 1.0, [0.1, 0.25, 0.9], []):
        for kept in (False, True):
            compare(
                lambda x, q=q, k=kept: mt.quantile(x, q, axis, method, k),
                lambda t, q=q, k=kept: torch.quantile(
                    t, torch.tensor(q, dtype=t.dtype), axis, keepdim=k, interpolation=method
                ),
                normal(3, 4, 2),
            )
    rows = np.array([[2.0, 1, 2, 1], [0, 3, nan, 3], [1, 1, 1, 1]])
    compare(
        lambda x: mt.quantile(x, 0.4, 1, method),
        lambda t: torch.quantile(t, torch.tensor(0.4, dtype=t.dtype), 1, interpolation=method),
        rows,
        order=1,
    )


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_median_is_the_quantile_of_one_half(axis):
    for shape in ((3, 4, 2), (2, 5, 1)):
        same(lambda x, a: mt.median(x, a), lambda t, a: torch.quantile(t, 0.5, a), normal(*shape), axis)
    same(lambda x: mt.median(x), lambda t: t.median(), normal(7))  # an odd number: PyTorch's median too
    same(lambda x: mt.median(x), lambda t: t.median(), np.array([1.0, nan, 2]), order=1)
    same(lambda x: mt.median(x), lambda t: t.median(), np.array([1.0, inf, inf]), order=0)
    same(lambda x: mt.median(x), lambda t: t.median(), normal())
    same(lambda x: mt.median(x), lambda t: t.median(), normal(0))


# -- places and counts


def test_searchsorted():
    x = np.array([-1.0, 0, 0, 2, 5])
    for v in (np.array([[0.0, -3, 5], [9, 2.5, -1]]), np.array(0.0), np.zeros((0, 2)), np.array([nan, inf, -inf])):
        for side in ("left", "right"):
            y, t = mt.searchsorted(x, v, side), torch.searchsorted(torch.tensor(x), torch.tensor(v), side=side)
            assert y.dtype == np.int64 and y.shape == tuple(t.shape)
            np.testing.assert_array_equal(y.numpy(), t.numpy())
    y = mt.searchsorted(np.array([1, 3, 5]), np.array([2.5, 3.0], "float32"))
    np.testing.assert_array_equal(y.numpy(), [1, 1])


def test_nonzero_unique_bincount_histogram():
    x = np.array([[0.0, 2, -1], [2, 0, 0]])
    for y, t in zip(mt.nonzero(x), torch.nonzero(torch.tensor(x), as_tuple=True), strict=True):
        np.testing.assert_array_equal(y.numpy(), t.numpy())
    ours = mt.unique(x, return_inverse=True, return_counts=True)
    for y, t in zip(ours, torch.unique(torch.tensor(x), return_inverse=True, return_counts=True), strict=True):
        np.testing.assert_array_equal(y.numpy(), t.numpy())
        assert str(t.dtype) == f"torch.{y.dtype}" and y.shape == tuple(t.shape)
    labels, weights = np.array([3, 0, 3, 1]), np.array([0.5, 1, 2, 4])
    for least in (0, 2, 7):
        for args in ((labels,), (labels[:0],), (labels, weights)):
            y = mt.bincount(*args, minlength=least)
            t = torch.bincount(*map(torch.tensor, args), minlength=least)
            np.testing.assert_array_equal(y.numpy(), t.numpy())
            assert str(t.dtype) == f"torch.{y.dtype}"
    z = normal(50)
    for bins, limits in ((5, None), (7, (-1.0, 0.5)), ([-2.0, 0.0, 0.1, 3.0], None)):
        y, edges = mt.histogram(z, bins, limits)
        where = torch.tensor(bins, dtype=torch.float64) if isinstance(bins, list) else bins
        t = torch.histogram(torch.tensor(z), where, **({} if limits is None else {"range": limits}))
        np.testing.assert_array_equal(y.numpy(), t.hist.numpy())
        np.testing.assert_allclose(edges.numpy(), t.bin_edges.numpy())
        y, _ = mt.histogram(z, bins, limits, density=True)
        t = torch.histogram(torch.tensor(z), where, density=True, **({} if limits is None else {"range": limits}))
        np.testing.assert_allclose(y.numpy(), t.hist.numpy())


def test_bincount_has_the_gradient_of_a_sum_by_label():
    labels = torch.tensor([3, 0, 3, 1])
    compare(
        lambda w: mt.bincount(labels.numpy(), w),
        lambda w: torch.zeros(4, dtype=w.dtype).index_add(0, labels, w),
        normal(4),
    )


def z(*shape: int) -> Any:
    return mt.zeros(shape)


def u(*shape: int) -> Any:
    return torch.zeros(shape)


REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    "cumsum": (lambda: mt.cumsum(z(2), 1), lambda: u(2).cumsum(1), IndexError, "cumsum: axis 1 is out of bounds"),
    "cumprod": (lambda: mt.cumprod(z(2), -2), lambda: u(2).cumprod(-2), IndexError, "cumprod: axis -2 is out"),
    "cummax": (lambda: mt.cummax(z(2), 1), lambda: u(2).cummax(1), IndexError, "cummax: axis 1 is out of bounds"),
    "cumsum over two": (
        lambda: mt.cumsum(z(2, 2), (0, 1)),
        lambda: u(2, 2).cumsum((0, 1)),
        TypeError,
        r"cumsum: axis is one integer, or None .*; got \(0, 1\)",
    ),
    "sort": (lambda: mt.sort(z(2), 1), lambda: u(2).sort(1), IndexError, "sort: axis 1 is out of bounds"),
    "argsort": (lambda: mt.argsort(z(), 1), lambda: u().argsort(1), IndexError, r"argsort: .* for shape \(\)"),
    "topk": (lambda: mt.topk(z(2), 3), lambda: u(2).topk(3), ValueError, "topk: k is from 0 to 2, .*; got 3"),
    "topk, negative": (lambda: mt.topk(z(2), -1), lambda: u(2).topk(-1), ValueError, "topk: k is from 0 to 2"),
    "topk, fraction": (lambda: mt.topk(z(2), 1.0), lambda: u(2).topk(1.0), TypeError, "topk: k is an integer; got 1.0"),
    "topk, axis": (lambda: mt.topk(z(2), 1, 1), lambda: u(2).topk(1, 1), IndexError, "topk: axis 1 is out of bounds"),
    "kthvalue": (lambda: mt.kthvalue(z(2), 0), lambda: u(2).kthvalue(0), ValueError, "kthvalue: k is from 1 to 2"),
    "kthvalue of none": (lambda: mt.kthvalue(z(0), 1), lambda: u(0).kthvalue(1), ValueError, "k is from 1 to 0"),
    "quantile": (lambda: mt.quantile(z(2), 1.5), lambda: u(2).quantile(1.5), ValueError, "from 0 to 1; got 1.5"),
    "quantile nan": (lambda: mt.quantile(z(2), nan), lambda: None, ValueError, "from 0 to 1; got nan"),
    "quantile of none": (lambda: mt.quantile(z(0), 0.5), lambda: u(0).quantile(0.5), ValueError, "there is no entry"),
    "quantile, method": (
        lambda: mt.quantile(z(2), 0.5, method="middle"),
        lambda: u(2).quantile(0.5, interpolation="middle"),
        ValueError,
        "method is linear, lower, higher, midpoint or nearest; got 'middle'",
    ),
    "median": (lambda: mt.median(z(2), 1), lambda: u(2).median(1), IndexError, "median: axis 1 is out of bounds"),
    "searchsorted": (
        lambda: mt.searchsorted(z(2), z(1), "middle"),
        lambda: torch.searchsorted(u(2), u(1), side="middle"),
        ValueError,
        "side is 'left' or 'right'; got 'middle'",
    ),
    "searchsorted, axes": (
        lambda: mt.searchsorted(z(2, 2), z(1)),
        lambda: torch.searchsorted(u(2, 2), u(1)),
        ValueError,
        r"searchsorted: the sorted sequence has one axis; this one has shape \(2, 2\)",
    ),
    "bincount": (
        lambda: mt.bincount([0, -1]),
        lambda: torch.bincount(torch.tensor([0, -1])),
        ValueError,
        "bincount: entries of x are counted from 0; the smallest is -1",
    ),
    "bincount of floats": (lambda: mt.bincount(z(2)), lambda: torch.bincount(u(2)), TypeError, "x are integers"),
    "bincount, weights": (
        lambda: mt.bincount([0, 1], z(3)),
        lambda: torch.bincount(torch.tensor([0, 1]), u(3)),
        ValueError,
        r"each entry has a weight; x has shape \(2,\), weights \(3,\)",
    ),
    "bincount, minlength": (
        lambda: mt.bincount([0], minlength=-1),
        lambda: torch.bincount(torch.tensor([0]), minlength=-1),
        ValueError,
        "minlength is not negative; got -1",
    ),
    "histogram": (
        lambda: mt.histogram(z(2), 0),
        lambda: torch.histogram(u(2), 0),
        ValueError,
        "bins is a number from 1",
    ),
    "histogram of nan": (
        lambda: mt.histogram([0.0, nan]),
        lambda: torch.histogram(torch.tensor([0.0, nan]), 3),
        ValueError,
        "histogram: range is finite and ascends; got",
    ),
    "histogram, range": (
        lambda: mt.histogram(z(2), 3, (1.0, 0.0)),
        lambda: torch.histogram(u(2), 3, range=(1.0, 0.0)),
        ValueError,
        "range is finite and ascends",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    ours, theirs, kind, text = REFUSED[name]
    if name not in ("quantile nan", "searchsorted, axes"):
        with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
            theirs()
    with pytest.raises(kind, match=text):
        ours()
