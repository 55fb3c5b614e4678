"""Parity: activations, at both orders, at their kinks, at ±inf and NaN, for numbers and for nothing."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import compare

pytestmark = pytest.mark.parity
G = torch.nn.functional
KINKS = np.array([-7.0, -6.0, -3.0, -1.5, -1.0, -0.5, -0.2, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 20.0, 25.0])
LIMITS = np.array([-np.inf, -100.0, 100.0, np.inf, np.nan])

CALLS = {
    "relu": lambda f, x: f.relu(x),
    "relu6": lambda f, x: f.relu6(x),
    "leaky_relu": lambda f, x: f.leaky_relu(x),
    "leaky_relu, slope": lambda f, x: f.leaky_relu(x, negative_slope=0.3),
    "elu": lambda f, x: f.elu(x),
    "elu, alpha": lambda f, x: f.elu(x, 1.7),
    "celu": lambda f, x: f.celu(x),
    "celu, alpha": lambda f, x: f.celu(x, alpha=2.5),
    "selu": lambda f, x: f.selu(x),
    "gelu": lambda f, x: f.gelu(x),
    "gelu, tanh": lambda f, x: f.gelu(x, approximate="tanh"),
    "silu": lambda f, x: f.silu(x),
    "mish": lambda f, x: f.mish(x),
    "hardswish": lambda f, x: f.hardswish(x),
    "hardsigmoid": lambda f, x: f.hardsigmoid(x),
    "hardtanh": lambda f, x: f.hardtanh(x),
    "hardtanh, bounds": lambda f, x: f.hardtanh(x, -0.5, 2.0),
    "softplus": lambda f, x: f.softplus(x),
    "softplus, settings": lambda f, x: f.softplus(x, 2.0, 4.0),
    "softsign": lambda f, x: f.softsign(x),
    "tanhshrink": lambda f, x: f.tanhshrink(x),
    "softshrink": lambda f, x: f.softshrink(x),
    "softshrink, lambd": lambda f, x: f.softshrink(x, 1.0),
    "hardshrink": lambda f, x: f.hardshrink(x),
    "hardshrink, lambd": lambda f, x: f.hardshrink(x, lambd=1.0),
    "logsigmoid": lambda f, x: f.logsigmoid(x),
    "sigmoid": lambda f, x: f.sigmoid(x),
    "tanh": lambda f, x: f.tanh(x),
    "threshold": lambda f, x: f.threshold(x, 0.5, 9.0),
    "rrelu": lambda f, x: f.rrelu(x),
}
# PyTorch's hardsigmoid has no second gradient, and rounds the 1/6 of the first to float32
ROUNDED = {"hardsigmoid": {"order": 1, "dtypes": ("float32",)}}
calls = pytest.mark.parametrize("name", CALLS)


@calls
@pytest.mark.parametrize(
    "x", [KINKS, normal(3, 4), normal(), normal(0), normal(2, 0, 3), normal(1)], ids=lambda x: str(x.shape)
)
def test_values_and_gradients(name, x):
    f = CALLS[name]
    compare(lambda x: f(F, x), lambda x: f(G, x), x, **ROUNDED.get(name, {}))


@calls
def test_limits(name):
    """PyTorch's vectorized float32 gelu says NaN for inf, so float64 there; the 1/6 of hardsigmoid again."""
    f = CALLS[name]
    x, dtypes = LIMITS, ("float64",) if name == "gelu" else ("float32",)
    compare(lambda x: f(F, x), lambda x: f(G, x), x[:-1] if name == "relu" else x, order=1, dtypes=dtypes)


@calls
def test_not_contiguous(name):
    f = CALLS[name]
    compare(lambda x: f(F, x.T[::2]), lambda x: f(G, x.T[::2]), normal(4, 6), **ROUNDED.get(name, {}))


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh", "hardtanh, bounds"])
def test_integers_stay_integers(name):
    f, x = CALLS[name], np.array([-3, 0, 2, 9])
    y, z = f(F, mt.Tensor(x)), f(G, torch.tensor(x))
    assert y.dtype == np.int64 and y.tolist() == z.tolist()


@pytest.mark.parametrize(
    "x", [normal(2, 3, 4), normal(2, 3), normal(3), normal(), normal(0, 3)], ids=lambda x: str(x.shape)
)
@pytest.mark.parametrize("weight", [normal(3), normal(1), normal()], ids=lambda x: str(x.shape))
def test_prelu(x, weight):
    if weight.shape == (3,) and x.ndim < 2:
        return
    compare(F.prelu, G.prelu, x, weight)


@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_glu(dim):
    compare(lambda x: F.glu(x, dim), lambda x: G.glu(x, dim), normal(4, 6))
    halves = lambda x: torch.chunk(x, 2, dim)  # noqa: E731
    compare(lambda x: F.swiglu(x, dim), lambda x: G.silu(halves(x)[0]) * halves(x)[1], normal(4, 6))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 2, 2), (0, 3)])
def test_softmax(name, shape):
    f, g = getattr(F, name), getattr(G, name)
    compare(f, g, normal(*shape))  # dim=None: PyTorch's choice of axis
    compare(lambda x: f(x, dim=-1), lambda x: g(x, dim=-1), np.asarray(30 * normal(*shape)))
    compare(lambda x: f(x, -1, dtype="float64"), lambda x: g(x, -1, dtype=torch.float64), normal(*shape))


REFUSED = {
    "glu, odd": (lambda f, t: f.glu(t(3, 5)), ValueError, r"even length; got 5 in shape \(3, 5\)"),
    "glu, a number": (lambda f, t: f.glu(t()), ValueError, r"glu halves an axis; a number, of shape \(\), has none"),
    "glu, axis": (lambda f, t: f.glu(t(4, 4), 2), IndexError, "axis 2 is out of bounds"),
    "softshrink": (lambda f, t: f.softshrink(t(2), -1.0), ValueError, "lambd is at least 0; got -1.0"),
    "celu": (lambda f, t: f.celu(t(2), 0.0), ValueError, "alpha divides, so it cannot be 0"),
    "gelu": (lambda f, t: f.gelu(t(2), approximate="erf"), ValueError, "approximate is 'none' or 'tanh'; got 'erf'"),
    "hardtanh": (lambda f, t: f.hardtanh(t(2), 1.0, -1.0), ValueError, "min_val is at most max_val; got 1.0 and -1.0"),
    "prelu": (lambda f, t: f.prelu(t(2, 3), t(4)), ValueError, r"one for each of 3 channels; got \(4,\)"),
    "prelu, axes": (lambda f, t: f.prelu(t(2, 3), t(3, 1)), ValueError, r"one for each of 3 channels; got \(3, 1\)"),
    "rrelu": (lambda f, t: f.rrelu(t(2), 0.5, 0.1), ValueError, "lower is at most upper; got 0.5 and 0.1"),
    "softmax": (lambda f, t: f.softmax(t(2, 3), 2), IndexError, "axis 2 is out of bounds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call(F, lambda *shape: mt.Tensor(np.ones(shape)))
    if name not in ("hardtanh",):
        with pytest.raises((RuntimeError, IndexError, ValueError)):
            call(G, lambda *shape: torch.ones(shape))


def test_rrelu_draws_its_slopes():
    x = mt.Tensor(-np.ones((100, 100)), requires_grad=True)
    y = F.rrelu(x, 0.25, 0.75, training=True, generator=np.random.default_rng(0))
    y.sum().backward()
    assert -0.75 <= y.numpy().min() < -0.74 and -0.26 < y.numpy().max() <= -0.25 and abs(y.numpy().mean() + 0.5) < 0.01
    np.testing.assert_allclose(x.grad.numpy(), -y.numpy())


def test_in_place_is_taken_and_changes_nothing():
    x = mt.Tensor([-1.0, 2.0])
    assert F.relu(x, True).tolist() == F.relu(x, inplace=True).tolist() == [0, 2] and x.tolist() == [-1, 2]
    assert F.hardtanh(x, -0.5, 1.0, True).tolist() == [-0.5, 1] and F.elu(x, inplace=True).tolist()[1] == 2


FLOATS_ONLY = "celu elu gelu hardsigmoid hardswish leaky_relu logsigmoid mish selu silu softplus softmax".split()


@pytest.mark.parametrize("name", [*FLOATS_ONLY, "softmin", "log_softmax", "hardshrink", "softshrink", "glu"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_integers_are_refused_where_pytorch_refuses_them(name, dtype):
    if (name, dtype) == ("hardshrink", "bool"):
        return  # PyTorch takes them there, and gives bools
    x = np.array([[1, 0, 1, 1]]).astype(dtype)
    settings = {"dim": 1} if "softm" in name else {}
    with pytest.raises(TypeError, match=rf"{name} takes floats; got Tensor {dtype} \(1, 4\) on cpu: use .astype"):
        getattr(mt.nn.functional, name)(mt.Tensor(x), **settings)
    with pytest.raises((RuntimeError, TypeError)):
        getattr(torch.nn.functional, name)(torch.tensor(x), **settings)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_a_softmax_runs_over_one_axis(name):
    with pytest.raises(TypeError, match="'tuple' object cannot be interpreted as an integer"):
        getattr(mt.nn.functional, name)(mt.zeros((2, 3)), dim=(0, 1))


def test_hardtanh_of_what_it_cannot_bound():
    for x, settings in (([True], {}), (np.array([1], "uint8"), {})):
        with pytest.raises(TypeError, match="hardtanh: an input of .* has no entries from -1.0 to 1.0"):
            mt.nn.functional.hardtanh(mt.Tensor(x), **settings)
        with pytest.raises(RuntimeError):
            torch.nn.functional.hardtanh(torch.tensor(x), **settings)
