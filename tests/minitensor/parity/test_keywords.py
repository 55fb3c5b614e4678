"""`layer(input=x)`: the arguments of every layer's `forward` have PyTorch's names."""

import inspect

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

OTHER = {"Layer", "LayerList", "LayerDict", "ParameterList", "ParameterDict"}  # they have no forward
NAMES = [
    name
    for name in sorted(set(dir(nn)) & set(dir(torch.nn)) - OTHER)
    if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Layer)
]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_have_pytorchs_names(name):
    ours, theirs = ([*inspect.signature(getattr(lib, name).forward).parameters][1:] for lib in (nn, torch.nn))
    assert ours[: len(theirs)] == theirs


def test_there_are_many():
    assert len(NAMES) > 90


@pytest.mark.parametrize("hooked", [False, True])
def test_calls_by_name(hooked):
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    layer = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    seen = []
    if hooked:
        layer.register_forward_hook(lambda layer, args, kwargs, y: seen.append([*kwargs]), with_kwargs=True)
    np.testing.assert_array_equal(layer(input=mt.Tensor(x)).numpy(), layer(mt.Tensor(x)).numpy())
    assert seen == ([["input"], []] if hooked else [])
    loss = nn.PoissonNLLLoss()
    np.testing.assert_array_equal(
        loss(log_input=mt.Tensor(x), target=mt.Tensor(x)).numpy(), loss(mt.Tensor(x), mt.Tensor(x)).numpy()
    )
