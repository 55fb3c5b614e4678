"""When a backward says that the gradient of a leaf is complete."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.arrivals import Arrivals
from minitensor.modes import switch


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_leaf_arrives_once_however_deep_its_pass_lies(depth):
    mt.manual_seed(0)
    net, seen = mt.nn.Sequential(mt.nn.Linear(3, 4), mt.nn.Tanh(), mt.nn.Linear(4, 2)), []
    before = mt.Tensor(np.ones(3), requires_grad=True, dtype="float32")
    leaves = [before, *net.parameters()]

    def loss():
        f = net
        for _ in range(depth):
            f = lambda x, f=f: mt.checkpoint(f, x)  # noqa: E731
        return (f(mt.ones((5, 3)) * before) ** 2).sum()

    whole = mt.grad(loss(), leaves)

    def then(leaf):
        (at,) = [k for k, one in enumerate(leaves) if one is leaf]
        np.testing.assert_allclose(leaf.grad.numpy(), whole[at].numpy(), rtol=1e-5)  # all of it is there
        seen.append(at)

    with switch(arrivals=Arrivals(then)):
        loss().backward()
    assert sorted(seen) == [0, 1, 2, 3, 4] and seen[-1] == 0
