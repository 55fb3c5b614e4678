import copy

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn, optim


def model(seed):
    mt.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def random_state(net, seed):
    rng = np.random.default_rng(seed)
    return {
        k: rng.integers(1, 99, v.shape) if v.dtype == np.int64 else rng.random(v.shape)
        for k, v in net.state_dict().items()
    }


@pytest.mark.parametrize("flat", [False, True, "two groups"])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_target_moves_towards_the_source(momentum, flat):
    source, target = model(0), model(1)
    source.load_state_dict(random_state(source, 0))
    target.load_state_dict(random_state(target, 1))
    if flat:
        p = list(source.parameters())
        optim.SGD(p if flat is True else [{"params": p[::2]}, {"params": p[1::2]}])
    t, s = target.state_dict(), source.state_dict()
    ema = optim.EMA(target, source)
    ema.update(momentum)
    for k, v in target.state_dict().items():
        if v.dtype == np.int64:
            assert np.array_equal(v, s[k])  # counters are copied
        else:
            np.testing.assert_allclose(v, momentum * t[k] + (1 - momentum) * s[k], rtol=1e-6)
    if momentum == 0:
        assert all(np.array_equal(v, s[k]) for k, v in target.state_dict().items())
    assert all(np.array_equal(v, s[k]) for k, v in source.state_dict().items())
    assert not any(p.requires_grad for p in target.parameters()) and all(p.requires_grad for p in source.parameters())
    if flat is True:
        assert len(ema._runs) == 1  # one stretch of memory


def test_it_follows_when_memory_moves():
    """An optimizer made later, a load, a change of dtype: the pairs are found anew."""
    source = model(0)
    target = copy.deepcopy(source)
    ema = optim.EMA(target, source)
    ema.update(0.5)
    optimizer = optim.SGD(source.parameters(), lr=1.0)
    for p in source.parameters():
        p.grad = mt.ones_like(p)
    optimizer.step()
    ema.update(0.0)
    assert all(np.array_equal(v, source.state_dict()[k]) for k, v in target.state_dict().items())
    source.load_state_dict(random_state(source, 3))
    ema.update(0.0)
    assert np.array_equal(target[0].weight.numpy(), source[0].weight.numpy())
    source.to(dtype="float64"), target.to(dtype="float64")
    source.load_state_dict(random_state(source, 4))
    ema.update(0.0)
    assert np.array_equal(target[0].weight.numpy(), source[0].weight.numpy()) and target[0].weight.dtype == np.float64


def test_a_copied_average_belongs_to_the_copies():
    class Pair(nn.Layer):
        def __init__(self):
            self.source = model(0)
            self.target = copy.deepcopy(self.source)
            self.ema = optim.EMA(self.target, self.source)

    pair = Pair()
    pair.ema.update(0.5)
    other = copy.deepcopy(pair)
    assert other.ema.target is other.target and other.ema.source is other.source
    before = pair.state_dict()
    other.source.load_state_dict(random_state(model(0), 5))
    other.ema.update(0.0)
    assert all(np.array_equal(v, before[k]) for k, v in pair.state_dict().items())
    assert np.array_equal(other.target[0].weight.numpy(), other.source[0].weight.numpy())


def test_mistakes_are_named():
    net = model(0)
    with pytest.raises(ValueError, match=r"only one of them has 3\.bias, 3\.weight"):
        optim.EMA(net, nn.Sequential(*model(1), nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"the same at 0\.weight: make the target with copy\.deepcopy"):
        optim.EMA(net, net)
    with pytest.raises(ValueError, match=r"weight is \(2, 3\) in the target, \(2, 4\) in the source"):
        optim.EMA(nn.Linear(3, 2), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="momentum lies in"):
        optim.EMA(model(1), net).update(1.5)


def test_an_update_is_an_in_place_change():
    source, target = nn.Linear(2, 2), nn.Linear(2, 2)
    ema = optim.EMA(target, source)
    x = mt.Tensor(np.ones((1, 2), np.float32), requires_grad=True)
    y = target(x).sum()
    ema.update(0.9)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
