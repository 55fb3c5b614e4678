"""Parity: weight_norm, spectral_norm and parametrizations of one's own."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import parametrizations
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare
from tests.minitensor.parity.twins import agree, twins

pytestmark = pytest.mark.parity
theirs = torch.nn.utils.parametrizations
of = lambda m: parametrizations if m is nn else theirs  # noqa: E731
WEIGHT_NORM = {
    "linear": (lambda m: of(m).weight_norm(m.Linear(3, 4)), (5, 3)),
    "linear, dim 1": (lambda m: of(m).weight_norm(m.Linear(3, 4), dim=1), (5, 3)),
    "linear, dim -2": (lambda m: of(m).weight_norm(m.Linear(3, 4), dim=-2), (5, 3)),
    "linear, whole": (lambda m: of(m).weight_norm(m.Linear(3, 4), dim=None), (5, 3)),
    "linear, -1": (lambda m: of(m).weight_norm(m.Linear(3, 4), "weight", -1), (5, 3)),
    "convolution": (lambda m: of(m).weight_norm(m.Conv2d(2, 3, 2)), (2, 2, 4, 4)),
    "convolution, dim 1": (lambda m: of(m).weight_norm(m.Conv2d(2, 3, 2), dim=1), (2, 2, 4, 4)),
    "two": (lambda m: of(m).weight_norm(of(m).weight_norm(m.Bilinear(2, 3, 2)), "bias"), None),
    "gru": (lambda m: of(m).weight_norm(m.GRU(3, 2), "weight_hh_l0"), (4, 2, 3)),
}


@pytest.mark.parametrize("case", WEIGHT_NORM)
def test_weight_norm(case):
    make, shape = WEIGHT_NORM[case]
    args = (normal(5, 2), normal(5, 3)) if shape is None else (normal(*shape),)
    if case == "gru":
        args = (normal(4, 2, 3),)
    fused = case in ("linear", "linear, dim 1", "convolution", "two", "gru")  # dim is the first or the last axis
    agree(*twins(make), *args, order=1 if fused else 2)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_second_gradient_of_weight_norm(dim):
    """PyTorch's kernel for the first and last axis fails its own gradgradcheck; ours is held against the formula."""
    g, v = normal(*(1 if i != dim and dim >= 0 else n for i, n in enumerate((2, 3, 4)))), normal(2, 3, 4)
    g = g if dim >= 0 else normal()
    axes = tuple(i for i in range(3) if i != dim)
    compare(
        parametrizations._WeightNorm(dim),
        lambda g, v: v * (g / (v * v).sum(dim=axes, keepdim=dim >= 0).sqrt()),
        g,
        v,
    )


def test_weight_norm_starts_where_the_weight_was():
    for dim in (0, 1, None):
        layer = nn.Linear(3, 4)
        before = layer.weight.numpy().copy()
        np.testing.assert_allclose(parametrizations.weight_norm(layer, dim=dim).weight.numpy(), before, rtol=1e-6)


SPECTRAL_NORM = {
    "linear": (lambda m: of(m).spectral_norm(m.Linear(3, 4)), (5, 3)),
    "two steps": (lambda m: of(m).spectral_norm(m.Linear(3, 4), n_power_iterations=2, dim=1), (5, 3)),
    "convolution": (lambda m: of(m).spectral_norm(m.Conv2d(2, 3, 2), dim=-3), (2, 2, 4, 4)),
    "vector": (lambda m: of(m).spectral_norm(m.Linear(3, 4), "bias"), (5, 3)),
}


@pytest.mark.parametrize("case", SPECTRAL_NORM)
@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm(case, training):
    make, shape = SPECTRAL_NORM[case]
    ours, other = twins(make)
    ours.train(training), other.train(training)
    for _ in range(2):
        agree(ours, other, normal(*shape))
    state = other.state_dict()
    for key, value in ours.state_dict().items():  # the vectors moved alike
        np.testing.assert_allclose(value, state[key].numpy(), rtol=1e-9, atol=1e-12)


def test_spectral_norm_of_a_trained_start():
    """After the 15 steps of the start both know σ, whatever they began with."""
    weight = normal(6, 6).astype("float32") + 4
    for m in (nn, torch.nn):
        layer = m.Linear(6, 6, bias=False)
        layer.load_state_dict({"weight": weight if m is nn else torch.tensor(weight)})
        found = of(m).spectral_norm(layer).eval().weight
        np.testing.assert_allclose(found.detach().numpy(), weight / np.linalg.norm(weight, 2), rtol=1e-5)


def test_one_of_ones_own_and_a_second_on_top():
    class Double(nn.Layer):
        def forward(self, x):
            return x * 2

        def right_inverse(self, x):
            return x / 2

    class Other(torch.nn.Module):
        forward = lambda self, x: x * 2  # noqa: E731
        right_inverse = lambda self, x: x / 2  # noqa: E731

    def make(m):
        register = (nn.parametrize if m is nn else torch.nn.utils.parametrize).register_parametrization
        double = Double if m is nn else Other
        return register(register(m.Linear(3, 4), "weight", double()), "weight", double())

    ours, other = twins(make)
    agree(ours, other, normal(5, 3))
    value = normal(4, 3)
    with mt.no_grad():
        ours.weight = mt.Tensor(value)
    with torch.no_grad():
        other.weight = torch.tensor(value)
    for layer in (ours, other):
        np.testing.assert_allclose(layer.weight.detach().numpy(), value)
        np.testing.assert_allclose(layer.parametrizations.weight.original.detach().numpy(), value / 4)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda m: of(m).weight_norm(m.Linear(3, 2), "nothing"), "has no Parameter 'nothing'"),
        (lambda m: of(m).weight_norm(m.Linear(3, 2), dim=2), "dim is an axis of weight, which has 2, or None; got 2"),
        (lambda m: of(m).spectral_norm(m.Linear(3, 2), "nothing"), "has no Parameter 'nothing'"),
        (lambda m: of(m).spectral_norm(m.Linear(3, 2), n_power_iterations=0), "n_power_iterations is at least 1"),
        (lambda m: of(m).spectral_norm(m.Linear(3, 2), dim=2), "dim is an axis of weight"),
        (lambda m: _register(m, m.Flatten(0)), "use unsafe=True"),
        (lambda m: _remove(m, m.Linear(3, 2), "weight"), "has no parametrization of 'weight'"),
        (lambda m: _remove(m, of(m).weight_norm(m.Linear(3, 2)), "weight", False), "has 2 originals"),
    ],
)
def test_error_inputs(call, text):
    with pytest.raises(ValueError, match=text):
        call(nn)
    with pytest.raises((ValueError, IndexError)):
        call(torch.nn)


def _register(m, function):
    module = nn.parametrize if m is nn else torch.nn.utils.parametrize
    return module.register_parametrization(m.Linear(3, 2), "weight", function)


def _remove(m, *args):
    module = nn.parametrize if m is nn else torch.nn.utils.parametrize
    return module.remove_parametrizations(*args)
