"""Parity: elementwise functions at zeros, ones, ties, infinities and NaN, where conventions decide."""

# ruff: noqa: B023  # each function runs within its turn of the loop

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import torch
from tests.minitensor.parity.orders import compare

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
inf, nan = np.inf, np.nan
UNARY = """exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh
    asinh acosh atanh erf erfc erfinv sigmoid logit abs negative floor ceil round trunc nan_to_num isnan isinf isfinite
    isposinf isneginf signbit logical_not relu""".split()
BINARY = """add subtract multiply divide power maximum minimum fmax fmin atan2 logaddexp logaddexp2 hypot xlogy
    remainder fmod copysign not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
    isclose""".split()
POINTS = [-inf, inf, nan, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1e-3, 30.0, -30.0, 1e30, -1e30, 1.5, -1.5]
PAIRS = np.array([*itertools.product([-inf, inf, nan, 0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 0.5], repeat=2)])


def _theirs(name: str) -> Any:
    return getattr(torch, {"power": "pow", "negative": "neg"}.get(name, name))


@pytest.mark.parametrize("name", UNARY)
def test_points(name):
    for x in POINTS:  # one by one, so that a NaN stays where it belongs
        compare(getattr(mt, name), _theirs(name), np.array([x]), order=1 if name == "logit" else 2)


@pytest.mark.parametrize("name", BINARY)
def test_pairs(name):
    pairs = PAIRS
    if name == "hypot":
        pairs = pairs[(pairs != 0).any(axis=1)]  # at (0, 0) ours is 0: below
    a, b = pairs.T.copy()
    compare(getattr(mt, name), _theirs(name), a, b, order=1)


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin", "remainder", "multiply", "add", "subtract"])
def test_second_order_of_pairs(name):
    for a, b in PAIRS:
        compare(getattr(mt, name), _theirs(name), np.array([a]), np.array([b]))


@pytest.mark.parametrize("name", ["atan2", "hypot", "copysign"])
def test_the_origin_has_gradients_of_zero(name):
    """PyTorch's are NaN: hypot's at once, the others' at the second order."""
    x = [mt.Tensor(np.zeros(1), requires_grad=True) for _ in range(2)]
    first = mt.grad(getattr(mt, name)(*x).sum(), x, create_graph=True)
    second = mt.grad(first[0].sum() + first[1].sum(), x, allow_unused=True)
    assert all(g is None or g.item() == 0 for g in (*first, *second))


@pytest.mark.parametrize("b", [0, 1, 2, 3, 4, -1, -2, 1.5, 0.0, 1.0, 2.0, inf, nan, -inf])
def test_powers_of_and_by_numbers(b):
    for x in (-inf, inf, nan, 0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0):
        compare(lambda x: x**b, lambda x: x**b, np.array([x]), order=1)
        compare(lambda x: b**x, lambda x: b**x, np.array([x]), order=1)
        if np.isfinite([x, b]).all() and b > 1:
            compare(lambda x: x**b, lambda x: x**b, np.array([abs(x)]))


def test_clip_by_anything():
    for x, low, high in itertools.product([0.0, 1.0, 2.0, nan, inf, -inf], [0.0, 1.0, 3.0, nan], [0.0, 1.0, 3.0, nan]):
        a, b, c = np.array([x]), np.array([low]), np.array([high])
        compare(mt.clip, torch.clamp, a, b, c)
        compare(lambda x: mt.clip(x, low, high), lambda x: torch.clamp(x, low, high), a)
        compare(lambda x, b: mt.clip(x, b), lambda x, b: torch.clamp(x, b), a, b)
        compare(lambda x, c: mt.clip(x, max=c), lambda x, c: torch.clamp(x, max=c), a, c)
    compare(
        mt.clip, torch.clamp, np.linspace(-2, 2, 6).reshape(2, 3), np.array([[-1.0], [0.1]]), np.array([1.0, 0, 0.2])
    )


def test_lerp_far_and_wide():
    for a, b, w in itertools.product(
        [0.0, 1.0, -2.0, inf, nan], [0.0, 3.0, inf], [0.0, 0.25, 0.5, 0.75, 1.0, 2.0, -1.0]
    ):
        x, y = np.array([a]), np.array([b])
        compare(mt.lerp, torch.lerp, x, y, np.array([w]))
        compare(lambda x, y: mt.lerp(x, y, w), lambda x, y: torch.lerp(x, y, w), x, y)


def test_logit_with_bounds():
    for x, eps in itertools.product([-1.0, 0.0, 0.1, 0.5, 0.95, 1.0, 2.0, inf, nan], [0.0, 1e-6, 0.1]):
        order = 1 if np.isnan(x) else 2
        compare(lambda x: mt.logit(x, eps=eps), lambda x: torch.logit(x, eps=eps), np.array([x]), order=order)


def test_where_sends_nothing_to_what_was_not_taken():
    a, b = np.array([1.0, nan, -inf, 0.0]), np.array([nan, 2.0, 3.0, inf])
    taken = np.array([True, False, False, True])
    compare(mt.where, torch.where, taken, a, b)
    x = np.array([-1.0, 0.0, 4.0])
    trap = lambda m: lambda x: m.where(x > 0, m.sqrt(x), 0.0)  # noqa: E731  # 0 · inf, in both
    compare(trap(mt), trap(torch), x, order=1)
    inside = lambda m: lambda x: m.sqrt(m.where(x > 0, x, 1.0))  # noqa: E731
    compare(inside(mt), inside(torch), x)


@pytest.mark.parametrize("decimals", [-2, -1, 0, 1, 3])
def test_round_to_decimals(decimals):
    x = np.array([0.5, 1.5, -2.5, 0.25, 125.0, 135.0, 1250.0, 2.675, -0.0, inf, nan])
    compare(lambda x: mt.round(x, decimals), lambda x: torch.round(x, decimals=decimals), x)


def test_gamma_functions():
    """PyTorch's trigamma, so its digamma's gradient, is good to 5e-10, and finite at its poles."""
    x = np.array([0.1, 0.5, 1.0, 1.5, 2.0, 3.7, 12.0, 80.0, -0.3, -1.5, -7.2])
    compare(mt.lgamma, torch.lgamma, np.array([*x, 0.0, -0.0, -1.0, -3.0, inf, -inf, nan]), order=0)
    compare(mt.digamma, torch.digamma, np.array([*x, 0.0, -0.0, -1.0, -3.0, inf, -inf, nan]), order=0)
    compare(mt.lgamma, torch.lgamma, x, order=1)
    for ours, theirs in ((mt.digamma, torch.digamma), (lambda x: mt.polygamma(2, x), lambda x: torch.polygamma(2, x))):
        a, b = mt.Tensor(x[:8], requires_grad=True), torch.tensor(x[:8], requires_grad=True)
        ours(a).sum().backward()
        theirs(b).sum().backward()
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in (1, 2, 3, 4):
            y, t = mt.polygamma(n, mt.Tensor(x[:8])), torch.polygamma(n, torch.tensor(x[:8]))
            np.testing.assert_allclose(y.numpy(), t.numpy(), rtol=1e-8)


def test_error_function_far_out():
    x = np.array([-6.0, -1.6, -1.4, 0.0, 1.4, 1.6, 5.0, 9.0, 20.0, 26.0])
    np.testing.assert_allclose(mt.erfc(mt.Tensor(x)).numpy(), torch.erfc(torch.tensor(x)).numpy(), rtol=1e-13)
    p = np.array([-1 + 1e-15, -0.999, -1e-12, 0.3, 0.5, 1 - 1e-9])
    np.testing.assert_allclose(mt.erfinv(mt.Tensor(p)).numpy(), torch.erfinv(torch.tensor(p)).numpy(), rtol=1e-13)


def test_sign_and_heaviside_keep_nan_as_numpy_does():
    """PyTorch makes 0 of it."""
    x = np.array([-2.0, 0.0, 3.0])
    compare(mt.sign, torch.sign, x)
    compare(mt.heaviside, torch.heaviside, x, np.array([0.5, 0.5, nan]), order=0)
    assert np.isnan(mt.sign([nan]).numpy()).all() and np.isnan(mt.heaviside([nan], 1.0).numpy()).all()
