"""Hooks on Tensors: once, when the gradient is complete, at leaves and inside, in `backward` and in `grad`."""

import gc
import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor.errors import GradientError


def leaf(*values):
    return mt.Tensor(np.array(values), requires_grad=True)


@pytest.mark.parametrize("create_graph", [False, True])
def test_sees_the_complete_gradient_once(create_graph):
    x, seen = leaf(1.0, 2.0), []
    h = x * x
    h.register_hook(lambda g: seen.append(("h", g.numpy().tolist())))
    x.register_hook(lambda g: seen.append(("x", g.numpy().tolist())))
    (h + h * 2 + x).sum().backward(create_graph=create_graph)
    assert seen == [("h", [3.0, 3.0]), ("x", [7.0, 13.0])]
    np.testing.assert_array_equal(x.grad.numpy(), [7, 13])


def test_replaces_the_gradient_at_leaf_and_inside_in_order():
    x = leaf(1.0, 2.0)
    h = x * 1
    h.register_hook(lambda g: g * 2)
    h.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: -g)
    h.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [-3, -3])
    (g,) = mt.grad((x * 1).sum(), x)  # a leaf's hook runs in grad too
    np.testing.assert_array_equal(g.numpy(), [-1, -1])


def test_grad_with_respect_to_a_hooked_inner_tensor():
    x = leaf(1.0, 2.0)
    h = x * 3
    h.register_hook(lambda g: g * 10)
    y = (h * h).sum()
    g, gx = mt.grad(y, [h, x], retain_graph=True)
    np.testing.assert_array_equal(g.numpy(), [60, 120])
    np.testing.assert_array_equal(gx.numpy(), [180, 360])
    (g,) = mt.grad(y, h)
    np.testing.assert_array_equal(g.numpy(), [60, 120])


def test_hooks_of_one_result_of_several():
    x = leaf(4.0, 1.0, 3.0)
    a, b = mt.split(mt.concatenate([x, x]), 2)
    a.register_hook(lambda g: g * 5)
    (a + b).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [6, 6, 6])


def test_removal_and_errors():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 7)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 2):
        (x * 1).backward()
    (x * 1).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3])
    with pytest.raises(GradientError, match="would never run"):
        mt.ones(2).register_hook(print)
    x.register_hook(lambda g: mt.ones(5))
    with pytest.raises(GradientError, match="must return a Tensor of shape"):
        (x * 1).backward()


def test_die_with_their_tensor():
    class Hook:
        def __call__(self, g):
            return None

    hook, x = Hook(), leaf(1.0)
    dead = weakref.ref(hook)
    h = x * 2
    h.register_hook(hook)
    gc.disable()
    try:
        del hook, h
        assert dead() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("other", ["float32", "int64", "complex128"])
def test_a_hook_that_changes_the_dtype_is_refused(inside, other):
    x = leaf(1.0, 2.0)
    h = x * 1 if inside else x
    h.register_hook(lambda g: mt.Tensor(g.numpy().astype(other)))
    with pytest.raises(GradientError, match=f"was given a Tensor float64.*must not return a Tensor {other}"):
        (h * 3).sum().backward()


def test_grad_leaves_the_hooks_of_other_leaves_alone():
    x, w, seen = leaf(1.0), leaf(2.0), []
    w.register_hook(lambda g: seen.append(g.item()))
    mt.grad((x * w).sum(), x)
    assert seen == []
    mt.grad((x * w).sum(), w)
    assert seen == [1.0]
