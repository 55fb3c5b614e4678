"""`checkpoint` gives what the function gives, keeps nothing of its inside, and changes nothing twice."""

import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn


def block():
    mt.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 4))


def run(wrapped, order=1):
    model = block().to(dtype="float64")
    x = mt.Tensor(np.random.default_rng(0).standard_normal((6, 4)), requires_grad=True)
    mt.manual_seed(7)
    h = x * 2
    y = mt.checkpoint(model, h) if wrapped else model(h)
    z = (mt.checkpoint(lambda a: model(a) * h, y) if wrapped else model(y) * h).tanh().sum()  # h by closure
    leaves = [x, *model.parameters()]
    grads = mt.grad(z, leaves, create_graph=order == 2)
    if order == 2:
        grads = mt.grad(sum((g * g).sum() for g in grads), leaves, allow_unused=True)
    return z, grads, model, mt.default_generator().random()


@pytest.mark.parametrize("order", [1, 2])
def test_same_numbers(order):
    a, b = run(True, order), run(False, order)
    np.testing.assert_array_equal(a[0].numpy(), b[0].numpy())
    for g, h in zip(a[1], b[1], strict=True):
        assert (g is None) == (h is None)
        if g is not None:
            np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-9, atol=1e-12)  # sums in another order
    for name, value in b[2].state_dict().items():  # running statistics moved once
        np.testing.assert_array_equal(np.asarray(a[2].state_dict()[name]), np.asarray(value), err_msg=name)
    assert a[3] == b[3]  # the generator stands where it would


def test_backward_into_leaves():
    def grads(call):
        x, w = mt.Tensor([1.0, 2.0], requires_grad=True), mt.Tensor([3.0, 4.0], requires_grad=True)
        call(lambda x: (x * w).exp(), x).sum().backward()
        return [x.grad.numpy(), w.grad.numpy()]

    np.testing.assert_array_equal(grads(mt.checkpoint), grads(lambda f, x: f(x)))


def test_inside_is_dropped():
    kept = []

    def f(x):
        h = mt.exp(x)
        kept.append(weakref.ref(h.data))
        return h * h

    x = mt.Tensor(np.ones(3), requires_grad=True)
    y = mt.checkpoint(f, x)
    assert kept[0]() is None
    y.sum().backward()
    assert len(kept) == 2  # it ran again


def test_several_results_and_none_needed():
    x = mt.Tensor([1.0, 2.0], requires_grad=True)
    a, b, c = mt.checkpoint(lambda x, k: (x * k, x + 1, x.detach()), x, 3.0)
    assert not c.requires_grad
    b.sum().backward()  # a is not used
    np.testing.assert_array_equal(x.grad.numpy(), 1)
    assert not mt.checkpoint(lambda x: x * 2, mt.ones(2)).requires_grad
    with mt.no_grad():
        assert not mt.checkpoint(lambda x: x * 2, x).requires_grad
    with pytest.raises(TypeError, match="must return Tensors"):
        mt.checkpoint(lambda x: x.numpy(), x)
