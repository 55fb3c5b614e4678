"""Parity: losses of numbers and of classes, at both orders, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, rng, torch
from tests.minitensor.parity.orders import both, compare

G = torch.nn.functional
pytestmark = pytest.mark.parity
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
shapes = pytest.mark.parametrize("shape", [(4, 5), (), (0,), (2, 0), (1,), (2, 3, 4)])


@reductions
@shapes
def test_regression(reduction, shape):
    a, b = normal(*shape), normal(*shape)
    for name, settings in (
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.3}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.4}),
    ):
        both(name, a, b, reduction=reduction, **settings)


@reductions
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression_with_weights(name, reduction):
    f, g = getattr(F, name), getattr(G, name)
    ours = lambda a, b, w: f(a, b, weight=w, reduction=reduction)  # noqa: E731
    theirs = lambda a, b, w: g(a, b, weight=w, reduction=reduction)  # noqa: E731
    compare(ours, theirs, normal(3, 4), normal(3, 4), np.exp(normal(3, 4)))


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss"])
def test_regression_at_its_kinks(name):
    a, b = np.array([0.0, 1.0, -1.0, 2.0, np.inf]), np.array([0.0, 0.0, 0.0, 2.0, 0.0])
    both(name, a[:4], b[:4])
    both(name, a, b, reduction="none", order=1)


@reductions
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("places", [(), (3,), (2, 2), (0,)])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(reduction, smoothing, ignore, places, weighted):
    x = normal(5, 4, *places)
    classes = rng.integers(0, 4, (5, *places))
    classes[0] = ignore
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
    w = (np.exp(normal(4)),) if weighted else ()
    both("cross_entropy", x, classes, *w, constant=(2,), **settings)
    settings.pop("ignore_index")
    soft = np.exp(normal(5, 4, *places))
    soft /= soft.sum(axis=1, keepdims=True)
    both("cross_entropy", x, soft, *w, constant=(2,), **settings)
    if smoothing == 0:
        both("nll_loss", x, classes, *w, constant=(2,), reduction=reduction, ignore_index=ignore)


@reductions
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_one_sample(name, reduction):
    x, t, w = normal(4), np.array(2), np.exp(normal(4))
    order = 1 if name == "multi_margin_loss" else 2
    both(name, x, t, reduction=reduction, order=order)
    f, g = getattr(F, name), getattr(G, name)
    ours = lambda x, t, w: f(x, t, weight=w, reduction=reduction)  # noqa: E731
    compare(ours, lambda x, t, w: g(x, t, weight=w, reduction=reduction), x, t, w, constant=(2,), order=order)
    both("cross_entropy", x, np.abs(normal(4)), reduction=reduction)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_all_targets_ignored(name):
    x, t = normal(3, 4), np.full(3, -100)
    compare(getattr(F, name), getattr(G, name), x, t, order=1)
    for reduction, expected in (("sum", 0.0), ("none", [0.0] * 3)):
        assert getattr(F, name)(mt.Tensor(x), mt.Tensor(t), reduction=reduction).tolist() == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(getattr(F, name)(mt.Tensor(x), mt.Tensor(t)).item())
        empty = getattr(F, name)(mt.Tensor(x[:0]), mt.Tensor(t[:0])).item()
    assert np.isnan(empty) and np.isnan(getattr(G, name)(torch.tensor(x[:0]), torch.tensor(t[:0])).item())


def test_an_ignored_place_may_be_infinite():
    x = np.array([[0.0, -np.inf], [1.0, 2.0]])
    for t in ([1, 0], [-100, 0]):
        both("nll_loss", x, np.array(t), reduction="none", order=1)
    compare(F.cross_entropy, G.cross_entropy, 1e4 * normal(3, 4), np.array([0, 1, 2]), order=1)


@reductions
@pytest.mark.parametrize("settings", [{}, {"p": 2}, {"margin": 0.3}, {"p": 2, "margin": 2.0}])
def test_multi_margin(reduction, settings):
    x, t, w = normal(5, 4), np.array([0, 3, 1, 1, 2]), np.exp(normal(4))
    settings = {"reduction": reduction, **settings}
    compare(
        lambda x, t, w: F.multi_margin_loss(x, t, weight=w, **settings),
        lambda x, t, w: G.multi_margin_loss(x, t, weight=w, **settings),
        x, t, w, constant=(2,), order=1,
    )  # fmt: skip
    ties = np.array([[1.0, 0.0, 2.0, 1.0]])  # one class exactly at the margin, and one that ties
    both("multi_margin_loss", ties, np.array([0]), order=1)


def ints(*values):
    return np.array(values)


REFUSED = {
    "mse": (lambda f, t: f.mse_loss(t((4, 1)), t(4)), ValueError, r"input \(4, 1\) and target \(4,\) differ in shape"),
    "l1": (lambda f, t: f.l1_loss(t(3), t(4)), ValueError, r"input \(3,\) and target \(4,\) differ in shape"),
    "mse, weight": (
        lambda f, t: f.mse_loss(t(3), t(3), weight=t((2, 3))),
        ValueError,
        r"weight has the shape of input, \(3,\); got \(2, 3\)",
    ),
    "reduction": (
        lambda f, t: f.mse_loss(t(3), t(3), reduction="avg"),
        ValueError,
        "'mean', 'sum' or 'none'; got 'avg'",
    ),
    "huber": (lambda f, t: f.huber_loss(t(3), t(3), delta=0.0), ValueError, "delta is above 0; got 0.0"),
    "smooth": (lambda f, t: f.smooth_l1_loss(t(3), t(3), beta=-1.0), ValueError, "beta is at least 0; got -1.0"),
    "class": (
        lambda f, t: f.cross_entropy(t((2, 3)), t(ints(0, 3))),
        IndexError,
        r"a class is 0 to 2 \(or ignore_index, -100\); the target holds 3",
    ),
    "class below": (
        lambda f, t: f.nll_loss(t((2, 3)), t(ints(0, -1))),
        IndexError,
        r"nll_loss: a class is 0 to 2 \(or ignore_index, -100\); the target holds -1",
    ),
    "class of margins": (
        lambda f, t: f.multi_margin_loss(t((2, 3)), t(ints(0, 3))),
        IndexError,
        "a class is 0 to 2; the target holds 3",
    ),
    "float class": (
        lambda f, t: f.nll_loss(t((2, 3)), t(2)),
        TypeError,
        r"classes are integers; got Tensor float64 \(2,\)",
    ),
    "target shape": (
        lambda f, t: f.cross_entropy(t((2, 3)), t(ints(0, 1, 2))),
        ValueError,
        r"input \(2, 3\) takes a target of shape \(2,\); got \(3,\)",
    ),
    "soft shape": (
        lambda f, t: f.cross_entropy(t((2, 3)), t((2, 4))),
        ValueError,
        r"of the input's shape \(2, 3\); got \(2, 4\)",
    ),
    "soft ignore": (
        lambda f, t: f.cross_entropy(t((2, 3)), t((2, 3)), ignore_index=1),
        ValueError,
        "ignore_index is for integer targets; got 1",
    ),
    "weight": (
        lambda f, t: f.cross_entropy(t((2, 3)), t(ints(0, 1)), t(4)),
        ValueError,
        r"one entry for each of 3 classes; got shape \(4,\)",
    ),
    "smoothing": (
        lambda f, t: f.cross_entropy(t((2, 3)), t(ints(0, 1)), label_smoothing=1.5),
        ValueError,
        "label_smoothing is between 0 and 1; got 1.5",
    ),
    "p": (lambda f, t: f.multi_margin_loss(t((2, 3)), t(ints(0, 1)), p=3), ValueError, "p is 1 or 2; got 3"),
}
BROADCAST = {"mse"}  # where PyTorch only warns


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call(F, lambda v: mt.Tensor(v if isinstance(v, np.ndarray) else np.ones(v)))
    if name not in BROADCAST:
        with pytest.raises((RuntimeError, IndexError, ValueError)):
            call(G, lambda v: torch.tensor(v if isinstance(v, np.ndarray) else np.ones(v)))
