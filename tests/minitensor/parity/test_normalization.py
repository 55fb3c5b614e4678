"""Parity: normalization, at both orders, with its running statistics, on little and on nothing; and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both, compare

G = torch.nn.functional
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("shape", [(5,), (4, 5)])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
@pytest.mark.parametrize("x_shape", [(3, 4, 5), (4, 5), (2, 0, 4, 5), (1, 1, 4, 5)])
def test_layer_and_rms_norm(shape, eps, x_shape):
    x, w, b = normal(*x_shape), normal(*shape), normal(*shape)
    compare(lambda *a: F.layer_norm(a[0], shape, *a[1:], eps=eps), lambda *a: G.layer_norm(a[0], shape, *a[1:],
    eps=eps),
            x, w, b)  # fmt: skip
    both("layer_norm", x, normalized_shape=shape, eps=eps)
    compare(lambda *a: F.rms_norm(a[0], shape, a[1], eps), lambda *a: G.rms_norm(a[0], shape, a[1], eps), x, w)
    both("rms_norm", x, normalized_shape=shape)


def test_of_a_constant():
    x = np.full((2, 4), 3.0)
    both("layer_norm", x, normalized_shape=(4,), order=1, dtypes=("float64",))
    both("rms_norm", 0 * x, normalized_shape=(4,), order=1, dtypes=("float32",))
    both("group_norm", x, num_groups=2, order=1, dtypes=("float64",))
    compare(lambda x: F.batch_norm(x, None, None, training=True), lambda x: G.batch_norm(x, None, None, training=True),
            x, order=1, dtypes=("float64",))  # fmt: skip


@pytest.mark.parametrize("x_shape", [(8, 3), (2, 3, 5), (4, 3, 3, 2), (2, 3, 2, 2, 2), (0, 3), (0, 3, 2, 2)])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_batch_norm(x_shape, eps):
    arrays = normal(*x_shape), normal(3), normal(3)
    train = lambda f: lambda x, *a: f.batch_norm(x, None, None, *a, training=True, eps=eps)  # noqa: E731
    compare(train(F), train(G), *arrays)
    compare(train(F), train(G), arrays[0])
    running = normal(3), np.exp(normal(3))
    compare(lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, eps=eps),
            lambda x, w, b, m, v: G.batch_norm(x, m, v, w, b, eps=eps), *arrays, *running, constant=(3, 4))  # fmt: skip


def test_batch_norm_moves_its_statistics():
    for x in (normal(4, 3, 2), normal(0, 3, 2)):
        mean, var = normal(3), np.exp(normal(3))
        ours, theirs = (mt.Tensor(mean.copy()), mt.Tensor(var.copy())), (torch.tensor(mean), torch.tensor(var))
        F.batch_norm(mt.Tensor(x), *ours, training=True, momentum=0.3)
        G.batch_norm(torch.tensor(x), *theirs, training=True, momentum=0.3)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy())


@pytest.mark.parametrize("x_shape", [(2, 6), (2, 6, 3), (2, 6, 2, 2), (1, 6, 1, 2), (0, 6, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm(x_shape, groups):
    if groups == 6 and x_shape == (2, 6):
        return  # one value each: 1/√eps, all rounding
    x, w, b = normal(*x_shape), normal(6), normal(6)
    dtypes = ("float64",) if groups == 3 else ("float64", "float32")  # two near values each: rounding again
    own = lambda f: lambda x, w, b: f.group_norm(x, groups, w, b)  # noqa: E731
    compare(own(F), own(G), x, w, b, dtypes=dtypes)
    both("group_norm", x, num_groups=groups, eps=1e-2)


@pytest.mark.parametrize("x_shape", [(2, 3, 4), (2, 3, 2, 2), (1, 3, 2, 1, 2)])
def test_instance_norm(x_shape):
    x, w, b = normal(*x_shape), normal(3), normal(3)
    own = lambda f: lambda x, w, b: f.instance_norm(x, None, None, w, b, eps=1e-2)  # noqa: E731
    compare(own(F), own(G), x, w, b)
    both("instance_norm", x, eps=1e-2)
    mean, var = normal(3), np.exp(normal(3))
    given = lambda f: lambda x, w, b, m, v: f.instance_norm(x, m, v, w, b, False)  # noqa: E731
    compare(given(F), given(G), x, w, b, mean, var, constant=(3, 4))
    ours, theirs = (mt.Tensor(mean.copy()), mt.Tensor(var.copy())), (torch.tensor(mean), torch.tensor(var))
    F.instance_norm(mt.Tensor(x), *ours, momentum=0.3)
    G.instance_norm(torch.tensor(x), *theirs, momentum=0.3)
    for a, c in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), c.numpy())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("x_shape", [(2, 5, 3), (2, 5, 2, 2), (1, 5, 2, 1, 2), (0, 5, 2)])
def test_local_response_norm(size, x_shape):
    both("local_response_norm", normal(*x_shape), size=size, alpha=0.7, beta=0.6, k=1.3)
    both("local_response_norm", normal(*x_shape), size=size)


def test_layer_norm_2d_and_grn():
    """Against the definitions in ConvNeXt and ConvNeXt V2, written in PyTorch."""
    x, w, b = normal(2, 5, 3, 4), normal(5), normal(5)
    ours, grn = nn.LayerNorm2d(5), nn.GRN(5)

    def norm(x, w, b):
        ours.load_state_dict({"weight": w.numpy(), "bias": b.numpy()})
        return ours(x)

    def theirs(x, w, b):
        u = x.mean(1, keepdim=True)
        y = (x - u) / torch.sqrt((x - u).pow(2).mean(1, keepdim=True) + 1e-6)
        return w[:, None, None] * y + b[:, None, None]

    compare(norm, theirs, x, w, b, constant=(1, 2), dtypes=("float32",))

    def response(x, w, b):
        grn.load_state_dict({"weight": w.numpy(), "bias": b.numpy()})
        return grn(x)

    def reference(x, gamma, beta):
        x = x.permute(0, 2, 3, 1)
        g = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        y = gamma * (x * (g / (g.mean(dim=-1, keepdim=True) + 1e-6))) + beta + x
        return y.permute(0, 3, 1, 2)

    compare(response, reference, x, w, b, constant=(1, 2), dtypes=("float32",))
    assert np.array_equal(nn.GRN(5)(mt.Tensor(x)).numpy(), x)


ones = np.ones
REFUSED = {
    "layer": (lambda f, t: f.layer_norm(t(ones((2, 3))), (4,)), r"layer_norm over \(4,\): the last axes differ in"),
    "layer, nothing": (lambda f, t: f.layer_norm(t(ones((2, 3))), ()), "at least one length"),
    "layer, weight": (
        lambda f, t: f.layer_norm(t(ones((2, 3))), (3,), t(ones(2))),
        r"layer_norm: weight has the shape \(3,\); got \(2,\)",
    ),
    "rms": (lambda f, t: f.rms_norm(t(ones((2, 3))), (2, 4)), r"rms_norm over \(2, 4\): the last axes differ"),
    "batch, one": (
        lambda f, t: f.batch_norm(t(ones((1, 3))), None, None, training=True),
        "more than one value per",
    ),
    "batch, evaluation": (lambda f, t: f.batch_norm(t(ones((2, 3))), None, None), "needs running_mean and running_var"),
    "batch, weight": (
        lambda f, t: f.batch_norm(t(ones((2, 3))), None, None, t(ones(4)), training=True),
        r"weight has one entry for each of 3 channels; got shape \(4,\)",
    ),
    "group": (lambda f, t: f.group_norm(t(ones((2, 6, 2))), 4), "6 channels cannot be cut into 4 equal groups"),
    "group, one": (lambda f, t: f.group_norm(t(ones((1, 2))), 2), "more than one value per group"),
    "group, weight": (
        lambda f, t: f.group_norm(t(ones((2, 6))), 2, t(ones(3))),
        r"each of 6 channels; got",
    ),
    "instance": (lambda f, t: f.instance_norm(t(ones((2, 3, 1)))), "more than one place per channel"),
    "response": (lambda f, t: f.local_response_norm(t(ones((2, 3))), 2), r"at least 3 axes; got shape \(2, 3\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, text = REFUSED[name]
    with pytest.raises(ValueError, match=text):
        call(F, mt.Tensor)
    with pytest.raises((RuntimeError, ValueError)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(G, torch.tensor)
