"""Parity: hooks on layers."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.twins import twins

pytestmark = pytest.mark.parity


def tensors(of, *arrays):
    if of is mt:
        return [mt.Tensor(a, requires_grad=True) for a in arrays]
    return [torch.tensor(a, requires_grad=True) for a in arrays]


def grad(of, y, x, v, **settings):
    if of is mt:
        return mt.grad(y, x, mt.Tensor(v), **settings)[0]
    return torch.autograd.grad(y, x, torch.tensor(v), **settings)[0]


@pytest.mark.parametrize("factor", [None, 3.0])
def test_both_orders(factor):
    x, v, w = normal(4, 3), normal(4, 2), normal(4, 3)
    make = lambda m: m.Sequential(m.Linear(3, 5), m.Tanh(), m.Linear(5, 2))  # noqa: E731
    found = []
    for of, layer in zip((mt, torch), twins(make), strict=True):
        log = []

        def hook(layer, grad_input, grad_output, log=log):
            log.append([g.detach().numpy().copy() for g in (*grad_input, *grad_output)])
            return None if factor is None else (grad_input[0] * factor,)

        layer[1].register_full_backward_hook(hook)
        layer[2].register_full_backward_hook(hook)
        (a,) = tensors(of, x)
        first = grad(of, layer(a), a, v, create_graph=True)
        second = grad(of, first, a, w)
        found.append([first.detach().numpy(), second.numpy(), *(g for gs in log for g in gs)])
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_forward_hooks_see_and_change_the_same():
    found = []
    for of, layer in zip((mt, torch), twins(lambda m: m.Linear(3, 2)), strict=True):
        log = []
        layer.register_forward_pre_hook(lambda layer, args: (args[0] * 2,))
        layer.register_forward_hook(lambda layer, args, y, log=log: log.append(args[0].detach().numpy()))
        layer.register_forward_hook(lambda layer, args, y: y + 1, prepend=True)
        layer.register_forward_hook(lambda layer, args, kwargs, y: y * len(kwargs), with_kwargs=True)
        (a,) = tensors(of, np.ones((2, 3)))
        found.append([layer(a).detach().numpy(), *log])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_arguments_without_a_gradient():
    found = []
    for of, layer in zip((mt, torch), (nn.Bilinear(2, 2, 1), torch.nn.Bilinear(2, 2, 1)), strict=True):
        log = []
        layer.register_full_backward_hook(lambda layer, gi, go, log=log: log.append([g is None for g in gi]))
        a, b = tensors(of, np.ones((1, 2), "float32"), np.ones((1, 2), "float32"))
        layer(a, b.detach()).sum().backward()
        layer(a.detach(), b).sum().backward()
        layer(a.detach(), b.detach()).sum().backward()
        found.append(log)
    assert found[0] == found[1] == [[False, False], [False, False], [True, True]]


def test_a_result_without_a_gradient():
    class Ours(nn.Layer):
        def forward(self, x):
            return x * 2, x * 3

    class Theirs(torch.nn.Module):
        def forward(self, x):
            return x * 2, x * 3

    found = []
    for of, layer in ((mt, Ours()), (torch, Theirs())):
        log = []
        layer.register_full_backward_hook(lambda layer, gi, go, log=log: log.append((gi, go)))
        (x,) = tensors(of, np.ones(2))
        layer(x)[1].sum().backward()
        found.append(log[0])
    (ours, (a, g)), (theirs, (b, h)) = found
    assert a is None is b
    np.testing.assert_array_equal(g.numpy(), h.numpy())
    np.testing.assert_array_equal(ours[0].numpy(), theirs[0].numpy())
