"""Hooks on layers: order, what they may change, removal, and gradients with every kind of argument."""

import copy
import gc
import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import GradientError
from minitensor.nn import Linear, ReLU, Sequential


class Two(nn.Layer):
    def forward(self, a, b, *, scale=1.0):
        return a * b * scale, a + 1


def leaf(*values):
    return mt.Tensor(list(values), requires_grad=True)


def test_order_prepend_and_removal():
    layer, seen = ReLU(), []
    note = lambda name: lambda *args: seen.append(name)  # noqa: E731
    handles = [layer.register_forward_pre_hook(note("first")), layer.register_forward_pre_hook(note("second"))]
    layer.register_forward_pre_hook(note("zeroth"), prepend=True)
    layer.register_forward_hook(note("after"))
    layer.register_forward_hook(note("before after"), prepend=True)
    layer(mt.ones(1))
    assert seen == ["zeroth", "first", "second", "before after", "after"]
    seen.clear()
    handles[0].remove(), handles[0].remove()
    layer(mt.ones(1))
    assert seen == ["zeroth", "second", "before after", "after"]


def test_a_handle_is_a_context():
    layer, x = ReLU(), mt.Tensor([1.0])
    with layer.register_forward_hook(lambda layer, args, y: y * 3):
        assert layer(x).item() == 3
    assert layer(x).item() == 1


def test_what_forward_hooks_change():
    layer, x = Two(), mt.Tensor([2.0])
    with layer.register_forward_pre_hook(lambda layer, args: (args[0] * 10, args[1])):
        assert layer(x, x)[0].item() == 40
    with layer.register_forward_pre_hook(lambda layer, args, kwargs: (args, {"scale": 5.0}), with_kwargs=True):
        assert layer(x, x)[0].item() == 20
    with layer.register_forward_hook(lambda layer, args, kwargs, y: y[0] + kwargs["scale"], with_kwargs=True):
        assert layer(x, x, scale=2.0).item() == 10
    with layer.register_forward_hook(lambda layer, args, y: None):
        assert layer(x, x)[0].item() == 4
    with ReLU().register_forward_pre_hook(lambda layer, args: -args[0]) as handle:
        assert handle is not None


def test_hooks_are_of_one_layer_and_run_at_each_call():
    a, b, seen = Linear(2, 2), Linear(2, 2), []
    a.register_forward_hook(lambda layer, args, y: seen.append(layer))
    Sequential(a, b, a)(mt.ones((1, 2)))
    assert seen == [a, a]


def test_backward_hook_sees_and_changes_gradients():
    layer, x, seen = Linear(2, 1), leaf(1.0, 2.0), []
    plain = mt.grad(layer(x).sum(), x)[0].numpy()
    layer.register_full_backward_hook(lambda layer, gi, go: seen.append((layer, gi, go)))
    layer.register_full_backward_hook(lambda layer, gi, go: (gi[0] * 10,))
    layer.register_full_backward_hook(lambda layer, gi, go: (gi[0] + 1,))
    (layer(x) * 3).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 30 * plain + 1, rtol=1e-6)
    ((seen_layer, (gi,), (go,)),) = seen
    assert seen_layer is layer and go.tolist() == [3.0] and isinstance(gi, mt.Tensor)
    np.testing.assert_allclose(gi.numpy(), 3 * plain, rtol=1e-6)
    assert layer.weight.grad.tolist() == [[3.0, 6.0]]  # the weights' are not the hook's


def test_backward_hook_with_many_arguments():
    layer, seen = Two(), []
    layer.register_full_backward_hook(lambda layer, gi, go: seen.append((gi, go)))
    a, b = leaf(2.0), mt.Tensor([3.0])  # b wants no gradient, but the hook sees it, as PyTorch's
    first, second = layer(a, b, scale=2.0)
    first.sum().backward()
    (gi, go) = seen.pop()
    assert gi[0].tolist() == [6.0] and gi[1].tolist() == [4.0] and go[0].tolist() == [1.0] and go[1] is None
    first, second = layer(a, leaf(3.0))
    (first + second).sum().backward()
    gi, go = seen.pop()
    assert [g.tolist() for g in gi] == [[4.0], [2.0]] and [g.tolist() for g in go] == [[1.0], [1.0]]
    assert not seen


def test_backward_hook_where_no_argument_requires_grad():
    layer, seen = Linear(2, 1), []
    layer.register_full_backward_hook(lambda layer, gi, go: seen.append((gi, go)))
    layer(mt.ones((1, 2))).sum().backward()
    assert seen[0][0] == (None,) and seen[0][1][0].tolist() == [[1.0]]
    layer.register_full_backward_hook(lambda layer, gi, go: (mt.ones((1, 2)),))
    with pytest.raises(GradientError, match="this call had none"):
        layer(mt.ones((1, 2))).sum().backward()


def test_backward_hooks_do_not_run_without_a_graph():
    layer, seen = Linear(2, 1), []
    layer.register_full_backward_hook(lambda *args: seen.append(args))
    with mt.no_grad():
        y = layer(leaf(1.0, 2.0))
    assert not y.requires_grad and not seen


def test_second_order_through_hooks():
    layer, x = nn.Tanh(), mt.Tensor([0.3, -0.7], dtype="float64", requires_grad=True)
    layer.register_full_backward_hook(lambda layer, gi, go: (gi[0] * 2,))
    (g,) = mt.grad(layer(x).sum(), x, create_graph=True)
    (gg,) = mt.grad(g.sum(), x)
    t = np.tanh(x.numpy())
    np.testing.assert_allclose(g.numpy(), 2 * (1 - t * t))
    assert np.isfinite(gg.numpy()).all() and gg.numpy().all()


def test_retained_graphs_run_the_hook_again():
    layer, x, seen = ReLU(), leaf(1.0), []
    layer.register_full_backward_hook(lambda layer, gi, go: seen.append(gi[0].item()))
    y = layer(x).sum()
    y.backward(retain_graph=True), y.backward()
    assert seen == [1.0, 1.0]
    with pytest.raises(GradientError, match="second time"):
        y.backward()


def test_faults():
    layer, x = Two(), leaf(1.0)
    with pytest.raises(TypeError, match="a hook is a function; got int 3"):
        layer.register_forward_hook(3)
    with layer.register_forward_pre_hook(lambda layer, args, kwargs: args, with_kwargs=True):
        with pytest.raises(TypeError, match=r"returns None or \(args, kwargs\)"):
            layer(x)
    layer.register_full_backward_hook(lambda layer, gi, go: (gi[0],))
    with pytest.raises(GradientError, match="for each of 2 arguments; got 1"):
        layer(x, x)[0].sum().backward()


def test_an_error_in_a_hook_names_the_layer():
    model = Sequential(Linear(1, 1), ReLU())
    model[1].register_forward_hook(lambda layer, args, y: y + "a")
    with pytest.raises(TypeError) as caught:
        model(mt.ones((1, 1)))
    assert "in layer 1: ReLU()" in caught.value.__notes__


def test_a_saved_array_that_changes_is_noticed_behind_the_gate():
    layer, x = nn.Tanh(), leaf(1.0)
    layer.register_full_backward_hook(lambda *args: None)
    y = layer(x)
    with mt.no_grad():
        y[...] = 5.0
    with pytest.raises(mt.errors.InPlaceError):
        y.sum().backward()


def test_copies_summaries_and_memory():
    model = Sequential(Linear(2, 2), ReLU())
    seen = []
    model[1].register_forward_hook(lambda layer, args, y: seen.append(layer))
    other = copy.deepcopy(model)
    other(mt.ones((1, 2)))
    assert seen == [other[1]]
    assert "ReLU" in model.summary((1, 2))
    model[1].register_full_backward_hook(lambda *args: None)
    gc.collect(), gc.disable()
    try:
        y = model(leaf(1.0, 2.0))
        alive = weakref.ref(y)
        y.sum().backward()
        del y
        assert alive() is None
        ref = weakref.ref(model[1])
        del model
        seen.clear()
        assert ref() is None
    finally:
        gc.enable()
