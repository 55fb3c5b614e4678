"""Dropouts and initial laws: their statistics, their seeds, what stays and what is refused."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F
from minitensor.nn import init

draw = np.random.default_rng


@pytest.mark.parametrize(
    ("layer", "shape", "unit"),
    [
        (nn.Dropout, (20, 30), (20, 30)),
        (nn.Dropout1d, (20, 30, 4), (20, 30, 1)),
        (nn.Dropout1d, (300, 4), (300, 1)),
        (nn.Dropout2d, (20, 30, 4, 2), (20, 30, 1, 1)),
        (nn.Dropout3d, (20, 30, 4, 2, 2), (20, 30, 1, 1, 1)),
        (nn.DropPath, (600, 4, 3), (600, 1, 1)),
    ],
)
def test_dropped_units(layer, shape, unit):
    x = mt.Tensor(np.ones(shape), requires_grad=True)
    y = layer(0.25, generator=draw(0))(x)
    y.sum().backward()
    first = y.numpy()[tuple(slice(0, n) for n in unit)]
    assert np.array_equal(np.broadcast_to(first, shape), y.numpy())  # a unit is dropped as a whole
    np.testing.assert_allclose(np.unique(first), [0, 4 / 3], rtol=1e-6)
    assert abs((first == 0).mean() - 0.25) < 0.06 and np.array_equal(x.grad.numpy(), y.numpy())
    assert np.array_equal(layer(0.25, generator=draw(0))(x).numpy(), y.numpy())
    assert layer(0.25).eval()(x) is x and layer(0.0)(x) is x and not layer(1.0)(x).numpy().any()
    with pytest.raises(ValueError, match=f"{layer.__name__}: p is a share between 0 and 1; got -0.1"):
        layer(-0.1)


@pytest.mark.parametrize(("layer", "shape"), [(nn.AlphaDropout, (400, 100)), (nn.FeatureAlphaDropout, (400, 100, 2))])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(layer, shape, p):
    x = mt.Tensor(draw(0).standard_normal(shape))
    y = layer(p, generator=draw(1))(x).numpy()
    assert abs(y.mean()) < 0.03 and abs(y.var() - 1) < 0.05
    assert layer(p).eval()(x) is x and not layer(1.0)(x).numpy().any()
    floor = -1.7580993408473766
    a = 1 / np.sqrt((floor**2 * p + 1) * (1 - p))
    low = a * floor - a * p * floor  # what the dropped entries become
    dropped = np.isclose(y, low)
    assert abs(dropped.mean() - p) < 0.02
    np.testing.assert_allclose(y[~dropped], (x.numpy() * a - a * p * floor)[~dropped])


def test_dropout_refuses_shapes():
    with pytest.raises(ValueError, match=r"dropout2d takes \(n, c, ...\) or \(c, ...\) with 2 axes of places; got"):
        F.dropout2d(mt.zeros((2, 3)))
    with pytest.raises(ValueError, match="drops samples"):
        F.drop_path(mt.zeros(()))
    with pytest.raises(ValueError, match=r"takes \(n, c, ...\)"):
        F.feature_alpha_dropout(mt.zeros(3), training=True)


def test_batch_norm_frozen_inside_instance_norm_too():
    norm = nn.InstanceNorm1d(2, track_running_stats=True)
    with nn.frozen_statistics(norm):
        norm(mt.Tensor(draw(0).standard_normal((2, 2, 5))))
    assert norm.running_mean.tolist() == [0, 0]


def filled(law, *shape, **settings):
    w = nn.Parameter(np.full(shape, 7, np.float32))
    data = w.data
    assert getattr(init, law)(w, **settings) is w and w.data is data and w.grad is None and w.is_leaf
    return w.numpy()


LAWS = {
    "uniform_": ({"a": -1.0, "b": 3.0}, 4 / 12**0.5, 1.0),
    "normal_": ({"mean": 1.0, "std": 2.0}, 2.0, 1.0),
    "trunc_normal_": ({}, 0.8796, 0.0),
    "xavier_uniform_": ({"gain": 2.0}, 2 * (2 / 250) ** 0.5, 0.0),
    "xavier_normal_": ({}, (2 / 250) ** 0.5, 0.0),
    "kaiming_uniform_": ({"nonlinearity": "relu"}, (2 / 200) ** 0.5, 0.0),
    "kaiming_normal_": ({"a": 1.0, "mode": "fan_out"}, (1 / 50) ** 0.5, 0.0),
}


@pytest.mark.parametrize("law", LAWS)
def test_laws(law):
    settings, std, mean = LAWS[law]
    w = filled(law, 50, 200, generator=draw(0), **settings)
    assert abs(w.std() / std - 1) < 0.03 and abs(w.mean() - mean) < 0.05 * std
    again = nn.Parameter(np.zeros((50, 200), np.float32))
    mt.manual_seed(3)
    getattr(init, law)(again)
    first = again.numpy().copy()
    mt.manual_seed(3)
    getattr(init, law)(again)
    assert np.array_equal(first, again.numpy())


def test_truncation():
    w = filled("trunc_normal_", 1000, mean=1.0, std=2.0, a=0.5, b=1.5, generator=draw(0))
    assert w.min() >= 0.5 and w.max() <= 1.5 and abs(w.mean() - 1) < 0.05
    with pytest.raises(ValueError, match="a is at most b; got 2.0 and 1.0"):
        init.trunc_normal_(mt.zeros(3), a=2.0, b=1.0)
    with pytest.raises(ValueError, match="hardly any of"):
        init.trunc_normal_(mt.zeros(3), mean=50.0)


def test_orthogonal_sparse_dirac_eye():
    for shape in ((4, 6), (6, 4), (4, 3, 2)):
        w = filled("orthogonal_", *shape, gain=2.0, generator=draw(0)).reshape(shape[0], -1)
        small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)
    w = filled("sparse_", 10, 30, sparsity=0.25, generator=draw(0))
    assert ((w == 0).sum(axis=0) == 3).all() and abs(w[w != 0].std() / 0.01 - 1) < 0.15
    x = mt.Tensor(draw(0).standard_normal((2, 4, 5, 5)).astype(np.float32))
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False, groups=2)
    init.dirac_(conv.weight, groups=2)
    np.testing.assert_allclose(conv(x).numpy(), x.numpy())
    assert np.array_equal(filled("eye_", 2, 3), np.eye(2, 3))
    assert (filled("constant_", 2, val=0.5) == 0.5).all() and filled("ones_", 2).all() and not filled("zeros_", 2).any()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: init.xavier_uniform_(mt.zeros(3)), r"of a weight \(out, in, ...\); got shape \(3,\)"),
        (lambda: init.kaiming_normal_(mt.zeros((3, 3)), mode="fan"), "mode is 'fan_in' or 'fan_out'; got 'fan'"),
        (lambda: init.calculate_gain("swish"), "calculate_gain knows .* got 'swish'"),
        (lambda: init.eye_(mt.zeros(3)), r"eye_ fills a matrix; got shape \(3,\)"),
        (lambda: init.sparse_(mt.zeros(3), 0.1), r"sparse_ fills a matrix; got shape \(3,\)"),
        (lambda: init.orthogonal_(mt.zeros(3)), r"at least 2 axes; got shape \(3,\)"),
        (lambda: init.dirac_(mt.zeros((3, 3))), r"of a convolution; got shape \(3, 3\)"),
        (lambda: init.dirac_(mt.zeros((3, 3, 3)), groups=2), "3 outputs cannot be cut into 2 equal groups"),
    ],
)
def test_what_init_refuses(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_gains():
    assert init.calculate_gain("linear") == init.calculate_gain("conv_transpose2d") == 1
    assert init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx((2 / 1.04) ** 0.5)
    assert init.calculate_gain("selu") == 0.75 and init.calculate_gain("relu") == pytest.approx(2**0.5)
