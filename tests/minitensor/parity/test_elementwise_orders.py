"""Parity: the rest of the elementwise family, at both orders, edges, dtypes and operands of every kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
INF, NAN = float("inf"), float("nan")
wide = np.array([-30.0, -3.0, -1.0, -0.4, 0.0, 0.2, 0.9, 1.0, 2.5, 30.0])
inner = np.array([-0.95, -0.5, -1e-3, 0.0, 0.3, 0.99])
above = np.array([0.1, 0.5, 1.0, 2.0, 100.0])
UNARY = {
    **{
        n: (n, wide) for n in "exp2 expm1 tan atan sinh cosh asinh floor ceil trunc round sign sigmoid abs relu".split()
    },
    **{n: (n, inner) for n in ("asin", "acos", "atanh")},
    **{n: (n, above) for n in "log log2 log10 log1p sqrt rsqrt reciprocal".split()},
    "acosh": ("acosh", 1 + above),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    f, x = UNARY[name]
    compare(getattr(mt, f), getattr(torch, f), x)
    compare(getattr(mt, f), getattr(torch, f), x.reshape(1, -1)[:, ::2])
    compare(getattr(mt, f), getattr(torch, f), np.zeros((0, 3)) + x[0])
    compare(getattr(mt, f), getattr(torch, f), np.asarray(x[1]))


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_whole_numbers(name, dtype):
    if (name, dtype) in (("sign", "bool"), ("abs", "bool"), ("relu", "bool")):
        pytest.skip("one of the two refuses bools")
    if dtype == "bool" and name in ("floor", "ceil", "trunc", "round"):
        pytest.skip("PyTorch refuses bools")
    x = np.array([1, 2, 3]).astype(dtype)
    a, b = getattr(mt, UNARY[name][0])(mt.Tensor(x)), getattr(torch, UNARY[name][0])(torch.tensor(x))
    assert str(b.dtype) == f"torch.{a.dtype}"
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


EDGES = np.array([-INF, INF, NAN, 0.0, -0.0, 1.0, -1.0])


@pytest.mark.parametrize("name", [n for n in UNARY if n != "sign"])
def test_edges(name):
    compare(getattr(mt, UNARY[name][0]), getattr(torch, UNARY[name][0]), EDGES, order=1)


BINARY = {
    "logaddexp": {}, "logaddexp2": {}, "hypot": {}, "atan2": {}, "copysign": {"constant": (1,), "order": 1},
    "fmax": {}, "fmin": {},
    "maximum": {}, "minimum": {}, "add": {}, "subtract": {}, "multiply": {}, "divide": {}, "remainder": {}, "fmod": {},
    "xlogy": {"positive": True}, "heaviside": {"order": 0}, "floor_divide": {"order": 0},
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 3)), ((2, 1, 3), (4, 1)), ((3,), ()), ((0, 3), (1, 3))])
def test_binary(name, a, b):
    settings = dict(BINARY[name])
    x, y = np.asarray(normal(*a) * 3), np.asarray(normal(*b) * 2)
    if settings.pop("positive", False):
        y = np.asarray(np.abs(y) + 0.1)
    compare(getattr(mt, name), getattr(torch, name), x, y, **settings)


def test_ties_and_nan_in_choices():
    a, b = np.array([1.0, 2.0, NAN, 1.0, NAN, INF]), np.array([1.0, 3.0, 1.0, NAN, NAN, INF])
    for name in ("maximum", "minimum", "fmax", "fmin"):
        compare(getattr(mt, name), getattr(torch, name), a, b, order=1)


def test_zeros_and_infinities_of_two():
    a, b = np.array([0.0, 0.0, 1.0, -INF, INF, 3.0]), np.array([0.0, 2.0, 0.0, -INF, 1.0, -INF])
    for name in ("logaddexp", "xlogy", "copysign"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(
                getattr(mt, name)(mt.Tensor(a), mt.Tensor(b)).numpy(),
                getattr(torch, name)(torch.tensor(a), torch.tensor(b)).numpy(),
                rtol=1e-12,
            )
    compare(mt.xlogy, torch.xlogy, np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    g = mt.grad(mt.hypot(*(z := [mt.zeros(2).requires_grad_(), mt.zeros(2).requires_grad_()])).sum(), z)
    assert all((v.numpy() == 0).all() for v in g)  # PyTorch's are NaN


def test_an_infinite_incoming_gradient_is_not_poisoned():
    x = np.array([-1.0, 0.0, 2.0])
    for ours, theirs in (
        (lambda x: mt.sqrt(mt.clip(x, 0.0)), lambda x: torch.sqrt(x.clamp(min=0))),
        (lambda x: mt.sqrt(mt.relu(x)), lambda x: torch.sqrt(torch.relu(x))),
        (lambda x: mt.sqrt(mt.maximum(x, 0.5)), lambda x: torch.sqrt(torch.maximum(x, torch.tensor(0.5)))),
    ):
        compare(ours, theirs, x, order=1)


def test_division_does_not_overflow_on_the_way():
    for size in (1e20, 1e-23):
        compare(mt.divide, torch.divide, np.array([size]), np.array([size]), order=1, dtypes=("float32",))


def test_sigmoid_far_to_the_left_keeps_its_digits():
    x = np.array([-15.0, -20.0, -80.0], np.float32)
    got, expected = mt.sigmoid(mt.Tensor(x)).numpy(), torch.sigmoid(torch.tensor(x)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("bounds", [(-0.5, 0.7), (None, 0.2), (0.1, None), (0.5, -0.5)])
def test_clip_by_numbers_and_tensors(bounds):
    low, high = bounds
    x = np.array([-1.0, -0.5, 0.0, 0.7, 2.0, NAN])
    compare(lambda x: mt.clip(x, low, high), lambda x: torch.clamp(x, low, high), x)
    if None not in bounds:
        a, b = np.full(6, low) + 0.01, np.full(6, high) + 0.02
        compare(mt.clip, torch.clamp, x[:-1], a[:-1], b[:-1], order=1)


def test_clip_and_where_keep_pytorchs_dtypes():
    i = np.array([1, 2])
    assert mt.clip(mt.Tensor(i), 0.5).dtype == np.float32 == mt.where(mt.Tensor(i) > 1, 1.0, 0.0).dtype
    assert mt.where(mt.Tensor(i) > 1, 1, 2).dtype == np.int64
    assert mt.where(mt.Tensor(i) > 1, 1, 2.5).tolist() == [2.5, 1.0]


def test_lerp_logit_and_nan_to_num():
    a, b, w = normal(2, 3), normal(3), normal(2, 1)
    compare(mt.lerp, torch.lerp, a, b * np.ones((2, 3)), w * np.ones((2, 3)))
    compare(lambda a, b: mt.lerp(a, b, 0.3), lambda a, b: torch.lerp(a, b, 0.3), a, a + 1)
    p = np.array([0.1, 0.5, 0.999])
    compare(mt.logit, torch.logit, p)
    compare(lambda p: mt.logit(p, eps=0.2), lambda p: torch.logit(p, eps=0.2), p)
    compare(mt.nan_to_num, torch.nan_to_num, EDGES, order=1)
    compare(lambda x: mt.nan_to_num(x, 1.0, 2.0, 3.0), lambda x: torch.nan_to_num(x, 1.0, 2.0, 3.0), EDGES, order=1)


def test_bits_tests_and_aliases():
    a, b = np.array([6, 5, -1]), np.array([3, 1, 2])
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"):
        compare(getattr(mt, name), getattr(torch, name), a, b)
    compare(mt.bitwise_not, torch.bitwise_not, a)
    for name in ("isnan", "isinf", "isfinite"):
        compare(getattr(mt, name), getattr(torch, name), EDGES, order=0)
    compare(mt.isclose, torch.isclose, EDGES, EDGES, order=0)
    assert mt.allclose([1.0], [1.0 + 1e-7]) and not mt.allclose([1.0], [1.1])
    assert mt.arcsin is mt.asin and mt.arctan2 is mt.atan2 and mt.pow is mt.power and mt.mod is mt.remainder


def test_rounding_has_a_gradient_of_zero():
    x = mt.Tensor([1.5, -0.3], requires_grad=True)
    (mt.floor(x) + mt.round(x) + mt.sign(x)).sum().backward()
    assert x.grad.tolist() == [0, 0]
    assert mt.round(mt.Tensor(np.array([1.26, -2.345])), 1).tolist() == [1.3, -2.3]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda t: mt.subtract(t([True]), t([False])), lambda t: torch.subtract(t([True]), t([False]))),
        (lambda t: mt.bitwise_and(t([1.5]), t([1.5])), lambda t: torch.bitwise_and(t([1.5]), t([1.5]))),
        (lambda t: mt.add(t([1.0, 2.0]), t([1.0, 2.0, 3.0])), lambda t: torch.add(t([1.0, 2.0]), t([1.0, 2.0, 3.0]))),
        (lambda t: mt.power(t([2, 3]), -1), lambda t: torch.pow(t([2, 3]), -1)),
    ],
)
def test_error_inputs(ours, theirs):
    with pytest.raises((TypeError, RuntimeError, ValueError)):
        theirs(torch.tensor)
    with pytest.raises((TypeError, ValueError)):
        ours(mt.Tensor)
