"""Parity: reductions, softmax, norms. Values, first and second gradients, edges, dtypes, refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
inf, nan = np.inf, np.nan
AXES: list[Any] = [None, 0, 1, -1, (0, 2), (-1, 1), (0, 1, 2)]


LAYOUTS: list[Any] = [
    lambda x: x,
    lambda x: x.swapaxes(0, -1),  # transposed in memory
    lambda x: x[..., ::2],
]


def _product(t: Any, axis: Any, keepdim: bool) -> Any:
    if axis is None or not t.ndim:
        return t.prod().reshape([1] * t.ndim) if keepdim else t.prod()
    for a in sorted([a % t.ndim for a in (axis if isinstance(axis, tuple) else (axis,))], reverse=True):
        t = t.prod(a, keepdim)
    return t


def _over(f: Any) -> Any:
    """PyTorch's function with all axes named: None is all of them."""
    return lambda t, a, k: f(t, tuple(range(t.ndim)) if a is None else a, keepdim=k)


FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "sum": (mt.sum, _over(torch.sum)),
    "mean": (mt.mean, _over(torch.mean)),
    "prod": (mt.prod, _product),
    "max": (mt.max, _over(torch.amax)),
    "amax": (mt.amax, _over(torch.amax)),
    "min": (mt.min, _over(torch.amin)),
    "amin": (mt.amin, _over(torch.amin)),
    "ptp": (mt.ptp, lambda t, a, k: _over(torch.amax)(t, a, k) - _over(torch.amin)(t, a, k)),
    "var": (mt.var, lambda t, a, k: torch.var(t, a, correction=0, keepdim=k)),
    "std": (mt.std, lambda t, a, k: torch.std(t, a, correction=0, keepdim=k)),
    "nansum": (mt.nansum, _over(torch.nansum)),
    "nanmean": (mt.nanmean, _over(torch.nanmean)),
    "logsumexp": (mt.logsumexp, _over(torch.logsumexp)),
    "norm": (mt.norm, lambda t, a, k: torch.linalg.vector_norm(t, 2, a, k)),
    "count_nonzero": (
        mt.count_nonzero,
        lambda t, a, k: torch.sum(t != 0, tuple(range(t.ndim)) if a is None else a, keepdim=k),
    ),
}


def same(ours: Any, theirs: Any, x: np.ndarray, *settings: Any, order: int = 2) -> None:
    """Compare two functions that take the same settings in the same order."""
    compare(lambda x: ours(x, *settings), lambda t: theirs(t, *settings), x, order=order)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_over_axes(name, axis, kept):
    ours, theirs = FUNCTIONS[name]
    if name == "norm" and axis == (0, 1, 2):
        pytest.skip("a norm runs over one axis or two")
    for view in LAYOUTS:
        compare(
            lambda x, v=view: ours(v(x), axis=axis, keepdims=kept),
            lambda t, v=view: theirs(v(t), axis, kept),
            normal(2, 3, 4),
        )


ours_of = {name: lambda x, axis, kept, f=f: f(x, axis=axis, keepdims=kept) for name, (f, _) in FUNCTIONS.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sizes(name):
    ours, theirs = ours_of[name], FUNCTIONS[name][1]
    for axis in (None, 0, -1):
        same(ours, theirs, normal(), axis, False)
    same(ours, theirs, normal(2, 1, 3), 1, False)
    same(ours, theirs, normal(0, 3), 1, False)
    if name not in ("max", "amax", "min", "amin", "ptp"):
        same(ours, theirs, normal(0, 3), 0, True)
        same(ours, theirs, normal(0, 3), None, False)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "nansum", "count_nonzero", "logsumexp", "any", "all"])
def test_dtypes(name, dtype):
    x = np.array([[3, 0, 2], [1, 100, 100]]).astype(dtype)
    ours = getattr(mt, name)
    theirs = getattr(torch, {"max": "amax", "min": "amin"}.get(name, name))
    y, t = ours(x, axis=1), theirs(torch.tensor(x), 1)
    if dtype == "uint8" and name in ("any", "all"):
        t = t.bool()
    assert str(t.dtype) == f"torch.{y.dtype}"
    np.testing.assert_allclose(y.numpy(), t.numpy(), rtol=1e-3 if dtype == "float16" else 1e-6)


EDGES = {
    "ties": [[3.0, 3, 1, 3], [0, 0, 0, 0], [1, 2, 2, 1]],
    "nan": [[1.0, nan, 3, nan], [nan, nan, nan, nan], [0, 1, 2, nan]],
    "inf": [[inf, 1.0, inf, 2], [-inf, 0, 1, -inf], [inf, -inf, 0, 0]],
    "-inf": [[-inf, -inf, -inf, -inf], [0, -inf, -inf, 1], [0, 0, 0, -inf]],
    "large": [[1e4, -1e4, 0, 1e4], [700, 710, -700, 1], [-1e5, -1e5, -1e5, -1e5]],
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "nansum", "nanmean", "logsumexp", "max", "min", "norm"])
def test_edges(name, edge):
    ours, theirs = FUNCTIONS[name]
    x = np.array(EDGES[edge])
    if name in ("max", "min") and edge == "nan":  # amax divides 0 by 0 there; max() does not
        for row in x:
            compare(lambda x: ours(x), getattr(torch, name), row, order=1)
        return
    # PyTorch's second gradient of the norm at 0 is NaN, ours 0
    order = 1 if edge in ("nan", "inf", "-inf") or (name, edge) == ("norm", "ties") else 2
    compare(lambda x: ours(x, axis=1), lambda t: theirs(t, 1, False), x, order=order)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax_at_edges(name, edge):
    theirs = getattr(torch.nn.functional, name)
    order = 1 if edge in ("nan", "inf", "-inf") else 2
    compare(lambda x: getattr(mt, name)(x, axis=1), lambda t: theirs(t, 1), np.array(EDGES[edge]), order=order)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax(name, axis):
    theirs = getattr(torch.nn.functional, name)
    for view in LAYOUTS:
        ours = lambda x, v=view: getattr(mt, name)(v(x), axis=axis)  # noqa: E731
        compare(ours, lambda t, v=view: theirs(v(t), axis), 3 * normal(2, 3, 4))
    for shape in ((2, 0, 3), (0, 2, 1), (1, 1, 1)):
        compare(lambda x: getattr(mt, name)(x, axis=axis), lambda t: theirs(t, axis), normal(*shape))
    compare(lambda x: getattr(mt, name)(x), lambda t: theirs(t, -1), normal())


def test_softmax_over_several_axes_is_that_over_one():
    x = normal(2, 3, 4)
    for name in ("softmax", "log_softmax"):
        same(
            lambda x, n: getattr(mt, n)(x, axis=None).reshape(-1),
            lambda t, n: getattr(torch, n)(t.flatten(), 0),
            x,
            name,
        )
        same(
            lambda x, n: getattr(mt, n)(x, axis=(-1, 0)).transpose(1, 0, 2).reshape(3, 8),
            lambda t, n: getattr(torch, n)(t.movedim(1, 0).flatten(1), 1),
            x,
            name,
        )


@pytest.mark.parametrize("correction", [0, 1, 2, 0.5, 4, 5, 7])
@pytest.mark.parametrize("name", ["var", "std"])
def test_corrections(name, correction):
    x = np.array([[1.0, 2, 4, 8], [3, 3, 3, 3], [0, 0, 0, 1]])
    ours, theirs = getattr(mt, name), getattr(torch, name)
    order = 2 if correction < 4 else 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours(x, axis=1, correction=correction)
    compare(
        lambda x: ours(x, axis=1, correction=correction),
        lambda t: theirs(t, 1, correction=correction),
        x,
        order=order,
    )
    compare(lambda x: ours(x, correction=1), lambda t: theirs(t, correction=1), np.array([2.0]), order=1)
    compare(lambda x: ours(x, correction=1), lambda t: theirs(t, correction=1), np.array(2.0), order=1)
    compare(lambda x: ours(x, correction=1), lambda t: theirs(t, correction=1), np.zeros(0), order=1)


@pytest.mark.parametrize("row", [[0.0, 2, 3], [2, 0, 3, 5], [0, 2, 0, 3], [0, 0, 0], [0.0], [2.0], [-1, -2, 3]])
def test_prod_with_zeros(row):
    compare(mt.prod, torch.prod, np.array(row, float))
    x = np.stack([np.array(row, float), np.arange(len(row)) + 1.5])
    compare(lambda x: mt.prod(x, axis=1), lambda t: t.prod(1), x)
    compare(lambda x: mt.prod(x, axis=0, keepdims=True), lambda t: t.prod(0, keepdim=True), x)


ORDERS: list[Any] = [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, inf, -inf, -1, -2.5, None]


@pytest.mark.parametrize("order", ORDERS)
def test_vector_norms(order):
    theirs = lambda t, a, k=False: torch.linalg.norm(t, order, a, k)  # noqa: E731
    for axis in (0, 1, -1):
        x = normal(3, 4)
        same(lambda x, a: mt.norm(x, order, a), theirs, x + np.copysign(0.3, x), axis)
    compare(lambda x: mt.norm(x, order, 1, True), lambda t: theirs(t, 1, True), normal(3, 1))
    compare(lambda x: mt.norm(x, order), lambda t: torch.linalg.norm(t, order), normal(5))
    for row in ([0.0, 0, 0], [0.0, 3, -3], [0.0, -2, 1], [2.0, -2, 2]):
        compare(lambda x: mt.norm(x, order), lambda t: torch.linalg.norm(t, order), np.array(row), order=1)
    if order not in (inf, -inf, -1, -2.5):
        compare(lambda x: mt.norm(x, order, 1), lambda t: theirs(t, 1), normal(2, 0))
    compare(lambda x: mt.norm(x, order, 1), lambda t: theirs(t, 1), normal(0, 2))


@pytest.mark.parametrize("order", [None, "fro", 1, -1, inf, -inf])
def test_matrix_norms(order):
    for axis in ((0, 1), (1, 0), (-1, 0), (-2, -1)):
        for kept in (False, True):
            ours = lambda x, a=axis, k=kept: mt.norm(x, order, a, k)  # noqa: E731
            compare(ours, lambda t, a=axis, k=kept: torch.linalg.norm(t, order, a, k), normal(2, 3, 4))
    compare(lambda x: mt.norm(x, order), lambda t: torch.linalg.norm(t, order), normal(3, 4))
    compare(lambda x: mt.norm(x, order), lambda t: torch.linalg.norm(t, order), np.zeros((2, 2)), order=1)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places(name):
    ours, theirs = getattr(mt, name), getattr(torch, name)
    for x in (normal(3, 4), np.array([[3.0, 3, 1, 3], [0, 0, 0, 0]]), np.array([[1, nan, 3, nan], [2, 1, 1, 2]])):
        for axis in (None, 0, 1, -1):
            for kept in (False, True):
                same(ours, theirs, x, axis, kept)
    compare(lambda x: ours(x, 0), lambda t: theirs(t, 0), np.array([3, 3, 1, 1]))
    compare(lambda x: ours(x, -1), lambda t: theirs(t, -1), normal())
    compare(lambda x: ours(x, 1), lambda t: theirs(t, 1), normal(0, 3))


@pytest.mark.parametrize("name", ["any", "all"])
def test_truth(name):
    ours, theirs = getattr(mt, name), getattr(torch, name)
    for x in (
        np.array([[True, False], [True, True], [False, False]]),
        np.array([[0.0, -0.0], [nan, 1]]),
        np.ones((0, 2)),
    ):
        compare(ours, theirs, x)
        for axis in (0, -1, (0, 1)):
            for kept in (False, True):
                same(ours, theirs, x, axis, kept)
    compare(lambda x: ours(x, axis=0), lambda t: theirs(t, 0), np.array(True))


def u(*shape: int) -> Any:
    return torch.zeros(shape)


REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    "out of bounds": (
        lambda: mt.sum(mt.zeros((2, 3)), 2),
        lambda: u(2, 3).sum(2),
        IndexError,
        r"sum: axis 2 is out of bounds for shape \(2, 3\): use -2 to 1",
    ),
    "below": (
        lambda: mt.prod(mt.zeros((2, 3)), -3),
        lambda: u(2, 3).prod(-3),
        IndexError,
        r"prod: axis -3 is out of bounds",
    ),
    "of a number": (
        lambda: mt.mean(mt.zeros(()), 1),
        lambda: u().mean(1),
        IndexError,
        r"mean: axis 1 is out of bounds for shape \(\): use -1 to 0",
    ),
    "twice": (
        lambda: mt.sum(mt.zeros((2, 3)), (0, -2)),
        lambda: u(2, 3).sum((0, -2)),
        ValueError,
        r"sum: axis \(0, -2\) names an axis of shape \(2, 3\) twice",
    ),
    "twice in max": (
        lambda: mt.max(mt.zeros((2, 3)), (1, 1)),
        lambda: u(2, 3).amax((1, 1)),
        ValueError,
        "max: axis .* twice",
    ),
    "twice in var": (
        lambda: mt.var(mt.zeros((2, 3)), (1, 1)),
        lambda: u(2, 3).var((1, 1)),
        ValueError,
        "var: axis .* twice",
    ),
    "twice in norm": (
        lambda: mt.norm(mt.zeros((2, 3)), 2, (1, 1)),
        lambda: torch.linalg.norm(u(2, 3), 2, (1, 1)),
        ValueError,
        "norm: axis .* twice",
    ),
    "a fraction": (
        lambda: mt.sum(mt.zeros(3), 0.5),
        lambda: u(3).sum(0.5),
        TypeError,
        "sum: axis is None, an integer or a tuple of integers; got 0.5",
    ),
    "max of none": (
        lambda: mt.max(mt.zeros((0, 3)), 0),
        lambda: u(0, 3).amax(0),
        ValueError,
        r"max: there is no entry to choose along axis 0 of shape \(0, 3\)",
    ),
    "min of none": (lambda: mt.min(mt.zeros(0)), lambda: u(0).amin(), ValueError, "min: there is no entry"),
    "ptp of none": (lambda: mt.ptp(mt.zeros(0)), lambda: u(0).amax(), ValueError, "max: there is no entry"),
    "argmax of none": (
        lambda: mt.argmax(mt.zeros((2, 0)), 1),
        lambda: u(2, 0).argmax(1),
        ValueError,
        "argmax: there is no entry",
    ),
    "argmin of none": (lambda: mt.argmin(mt.zeros(0)), lambda: u(0).argmin(), ValueError, "argmin: there is no entry"),
    "argmax over two": (
        lambda: mt.argmax(mt.zeros((2, 3)), (0, 1)),
        lambda: u(2, 3).argmax((0, 1)),
        TypeError,
        r"argmax: axis is one integer, or None .* got \(0, 1\)",
    ),
    "softmax": (
        lambda: mt.softmax(mt.zeros((2, 3)), 2),
        lambda: u(2, 3).softmax(2),
        IndexError,
        "softmax: axis 2 is out of bounds",
    ),
    "log_softmax": (
        lambda: mt.log_softmax(mt.zeros(2), 1),
        lambda: u(2).log_softmax(1),
        IndexError,
        "log_softmax: axis 1 is",
    ),
    "logsumexp": (
        lambda: mt.logsumexp(mt.zeros(2), (0, 0)),
        lambda: u(2).logsumexp((0, 0)),
        ValueError,
        "logsumexp: axis .* twice",
    ),
    "inf norm of none": (
        lambda: mt.norm(mt.zeros(0), inf),
        lambda: torch.linalg.norm(u(0), inf),
        ValueError,
        "max: there is no entry",
    ),
    "norm over three": (
        lambda: mt.norm(mt.zeros((2, 2, 2)), 2),
        lambda: torch.linalg.norm(u(2, 2, 2), 2),
        ValueError,
        "norm: a norm runs over one axis or two; got 3",
    ),
    "frobenius of a vector": (
        lambda: mt.norm(mt.zeros(2), "fro"),
        lambda: torch.linalg.norm(u(2), "fro"),
        ValueError,
        "norm: a vector has norms of order inf, -inf, 0 or any number; got 'fro'",
    ),
    "matrix norm 3": (
        lambda: mt.norm(mt.zeros((2, 2)), 3),
        lambda: torch.linalg.norm(u(2, 2), 3),
        ValueError,
        "norm: a matrix has norms 'fro', 'nuc', 1, -1, 2, -2, inf and -inf",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    ours, theirs, kind, text = REFUSED[name]
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        theirs()
    with pytest.raises(kind, match=text):
        ours()


@pytest.mark.parametrize("row", [[1.0, 2.0], [1.0, 2.0, 2.5], [1.0, 3.0, 2.0], [2.0, 2.0]])
@pytest.mark.parametrize("more", [0, 1, 5])
@pytest.mark.parametrize("name", ["var", "std"])
def test_corrections_that_leave_no_freedom(name, more, row):
    found = []
    for x, f in ((torch.tensor(row), torch), (mt.Tensor(row), mt)):
        x.requires_grad_(True)
        y = getattr(f, name)(x, correction=len(row) + more)
        y.backward()
        found.append((y.item(), x.grad.tolist()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
