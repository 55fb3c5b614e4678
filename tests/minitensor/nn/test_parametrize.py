"""What parametrizations promise: properties, state, copies, removal, optimizers."""

import copy
import pickle

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  registers the device "fake"
from minitensor import nn
from minitensor.nn import Layer, Linear, parametrizations
from minitensor.nn.parametrize import is_parametrized, register_parametrization, remove_parametrizations


class Symmetric(Layer):
    def forward(self, x):
        return (x + x.mT) / 2


def test_it_is_found_and_named():
    layer = parametrizations.spectral_norm(parametrizations.weight_norm(Linear(3, 2)), "bias")
    assert is_parametrized(layer) and is_parametrized(layer, "bias") and not is_parametrized(layer, "other")
    assert isinstance(layer, Linear) and type(layer).__name__ == "ParametrizedLinear"
    assert sorted(n for n, _ in layer.named_parameters()) == [
        "parametrizations.bias.original",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    assert "weight" not in layer.__dict__ and "(3 -> 2" in repr(layer)
    with pytest.raises(TypeError, match="right_inverse, which a function here lacks"):
        register_parametrization(Linear(2, 2), "weight", Symmetric()).weight = mt.ones((2, 2))


def test_an_optimizer_moves_it():
    mt.manual_seed(0)
    layer = register_parametrization(Linear(3, 3), "weight", Symmetric())
    optimizer = mt.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.numpy().copy()
    (layer(mt.randn(4, 3)) ** 2).sum().backward()
    optimizer.step()
    after = layer.weight.numpy()
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, after.T)


def test_the_original_stays_the_same_object():
    layer = Linear(2, 2)
    weight = layer.weight
    register_parametrization(layer, "weight", Symmetric())
    assert layer.parametrizations.weight.original is weight


@pytest.mark.parametrize("make", [parametrizations.weight_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_are_independent(make, copied):
    layer = make(Linear(3, 2)).eval()
    other = copied(layer)
    np.testing.assert_array_equal(layer.weight.numpy(), other.weight.numpy())
    remove_parametrizations(layer, "weight")
    assert type(layer) is Linear and is_parametrized(other) and other(mt.ones((1, 3))).shape == (1, 2)
    before = other.weight.numpy().copy()
    with mt.no_grad():
        layer.weight[...] = 0.0
    np.testing.assert_array_equal(other.weight.numpy(), before)


def test_removal():
    layer = parametrizations.weight_norm(Linear(3, 2))
    before = layer.weight.numpy().copy()
    assert remove_parametrizations(layer, "weight") is layer
    assert type(layer) is Linear and isinstance(layer.weight, nn.Parameter) and not is_parametrized(layer)
    np.testing.assert_array_equal(layer.weight.numpy(), before)
    layer = Linear(2, 2)
    before = layer.weight.numpy().copy()
    register_parametrization(layer, "weight", Symmetric())
    np.testing.assert_array_equal(remove_parametrizations(layer, "weight", False).weight.numpy(), before)
    both = parametrizations.weight_norm(parametrizations.weight_norm(Linear(3, 2)), "bias")
    remove_parametrizations(both, "weight")
    assert is_parametrized(both, "bias") and not is_parametrized(both, "weight") and "weight" in both.state_dict()


def test_a_refused_function_leaves_the_layer_as_it_was():
    layer = Linear(3, 2)
    before = layer.weight.numpy().copy()
    with pytest.raises(ValueError, match="makes Tensor float32 \\(6,\\)"):
        register_parametrization(layer, "weight", nn.Flatten(0))
    assert type(layer) is Linear and list(layer.state_dict()) == ["weight", "bias"]
    np.testing.assert_array_equal(layer.weight.numpy(), before)
    register_parametrization(layer, "weight", nn.Flatten(0), unsafe=True)
    assert layer.weight.shape == (6,)
    with pytest.raises(ValueError, match="is no Parameter"):
        register_parametrization(layer, "in_features", Symmetric())


def test_state_moves_between_layers():
    a, b = (parametrizations.spectral_norm(Linear(3, 2)) for _ in range(2))
    b.load_state_dict(a.state_dict())
    np.testing.assert_array_equal(a.eval().weight.numpy(), b.eval().weight.numpy())


def test_spectral_norm_moves_its_vectors_in_training_only():
    layer = parametrizations.spectral_norm(Linear(3, 2))
    with mt.no_grad():
        layer.parametrizations.weight.original[...] = np.diag([3.0, 1.0, 0.0])[:2]
    layer.eval()
    a = layer.weight.numpy()
    np.testing.assert_array_equal(layer.weight.numpy(), a)
    layer.train()
    for _ in range(30):
        layer.weight  # noqa: B018
    assert np.linalg.norm(layer.eval().weight.numpy(), 2) == pytest.approx(1, rel=1e-5)


def test_recomputation_moves_the_vectors_once():
    layer = parametrizations.spectral_norm(Linear(3, 2))
    twin = copy.deepcopy(layer)
    x = mt.randn(4, 3)
    mt.checkpoint(layer, x).sum().backward()
    twin(x).sum().backward()
    for (name, a), b in zip(layer.state_dict().items(), twin.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("make", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_runs_on_the_device(make):
    layer = make(Linear(3, 2)).to("fake")
    y = layer(mt.ones((4, 3), device="fake"))
    y.sum().backward()
    assert y.device == "fake" and all(p.grad is not None for p in layer.parameters())
    assert make(Linear(3, 2).to("fake")).weight.device == "fake"
