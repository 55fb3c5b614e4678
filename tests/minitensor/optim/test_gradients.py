"""Gradients that are kept, of other layouts, assigned, clipped, and scaled."""

import copy
import math

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  (the device "fake")
from minitensor import nn, optim
from minitensor.errors import GradientError, StateDictError

rng = np.random.default_rng(0)

# -- a gradient that somebody keeps stays what it was ----------------------------------------------------------------

HOLDERS = {
    "the Tensor": (lambda g: g, lambda kept: kept.numpy()),
    "numpy()": (lambda g: g.numpy(), lambda kept: kept),
    "asarray": (lambda g: np.asarray(g), lambda kept: kept),
    "a row": (lambda g: g[:1], lambda kept: np.repeat(kept.numpy(), 2, axis=0)),
    "the transpose": (lambda g: g.T, lambda kept: kept.T.numpy()),
    "detach()": (lambda g: g.detach(), lambda kept: kept.numpy()),
    "memoryview": (lambda g: memoryview(g.numpy()), lambda kept: np.asarray(kept)),
    "DLPack": (lambda g: np.from_dlpack(g), lambda kept: kept),
    "data": (lambda g: g.data, lambda kept: kept),
}


def layer_and(make, device="cpu"):
    mt.manual_seed(0)
    layer = nn.Linear(3, 2).to(device)
    return layer, make(layer.parameters())


def backward(layer, factor):
    """The gradient of the weight is `factor` everywhere."""
    (layer(mt.ones((1, 3)).to(layer.weight.device)).sum() * factor).backward()


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("step", [False, True])
def test_a_kept_gradient_stays(holder, step):
    keep, look = HOLDERS[holder]
    layer, optimizer = layer_and(lambda p: optim.SGD(p, lr=0.0, momentum=0.9))
    kept = []
    for k in (2.0, 3.0, 5.0):
        optimizer.zero_grad()
        backward(layer, k)
        assert np.all(layer.weight.grad.numpy() == k)
        kept.append(keep(layer.weight.grad))
        if step:
            optimizer.step()
    for k, g in zip((2.0, 3.0, 5.0), kept, strict=True):
        np.testing.assert_array_equal(look(g), np.full((2, 3), k, np.float32))
    del kept, g


def test_weights_are_the_same_whether_gradients_are_kept_or_not():
    found = []
    for keeps in (False, True):
        layer, optimizer = layer_and(lambda p: optim.AdamW(p, lr=0.1))
        kept = []
        for k in range(6):
            optimizer.zero_grad()
            backward(layer, 1.0 + k)
            if keeps and k != 3:  # one is let go: its slot is used again
                kept.append((layer.weight if k % 2 else layer.bias).grad)
            optim.clip_grad_norm_(layer.parameters(), 2.0)
            optimizer.step()
        found.append(layer.state_dict())
    for k, v in found[0].items():
        np.testing.assert_array_equal(v, found[1][k])


def test_who_keeps_none_gets_the_flat_buffer_each_time():
    def in_slots():
        return [p.grad.data is p.slot for p in layer.parameters()]

    layer, optimizer = layer_and(lambda p: optim.SGD(p, lr=0.1))
    buffer = layer.weight.home[0].grad
    for k in range(4):
        optimizer.zero_grad()
        backward(layer, 1.0 + k)
        assert in_slots() == [True, True]
        optimizer.step()
    kept = layer.weight.grad
    optimizer.zero_grad()
    backward(layer, 9.0)
    assert in_slots() == [False, True] and kept.numpy()[0, 0] == 4
    del kept
    optimizer.zero_grad()
    backward(layer, 9.0)
    assert in_slots() == [True, True] and layer.weight.home[0].grad is buffer


def test_on_a_device_it_stays_too():
    layer, optimizer = layer_and(lambda p: optim.SGD(p, lr=0.0), "fake")
    kept = []
    for k in (2.0, 3.0):
        optimizer.zero_grad()
        backward(layer, k)
        kept.append((layer.weight.grad, layer.bias.grad[:1]))
        optimizer.step()
    assert [(w.numpy()[0, 0], b.numpy()[0]) for w, b in kept] == [(2.0, 2.0), (3.0, 3.0)]


def test_what_a_graph_saved_of_a_gradient_stays():
    layer, optimizer = layer_and(lambda p: optim.SGD(p, lr=0.1))
    backward(layer, 1.0)
    q = mt.ones((2, 3)).requires_grad_()
    h = (layer.weight.grad * q).sum()
    optimizer.zero_grad()
    backward(layer, 7.0)
    h.backward()
    np.testing.assert_array_equal(q.grad.numpy(), 1)


@pytest.mark.parametrize("make", [None, optim.SGD])
def test_accumulation_and_zeros_are_in_place(make):
    layer = nn.Linear(3, 2)
    optimizer = make and make(layer.parameters(), lr=0.1)
    backward(layer, 2.0)
    kept = layer.weight.grad
    backward(layer, 3.0)
    assert layer.weight.grad is kept and np.all(kept.numpy() == 5)
    (optimizer or layer).zero_grad(set_to_none=False)
    assert layer.weight.grad is kept and np.all(kept.numpy() == 0)
    backward(layer, 4.0)
    assert np.all(kept.numpy() == 4)
    with pytest.raises(RuntimeError):  # an array that a graph saved
        y = (kept * mt.ones((2, 3)).requires_grad_()).sum()
        backward(layer, 1.0)
        y.backward()


def test_a_gradient_that_is_part_of_a_graph_is_zeroed_and_added_to_in_place():
    w = nn.Parameter([2.0])
    (w * w).sum().backward(create_graph=True)
    kept = w.grad
    (w * 3).sum().backward()
    assert w.grad is kept and kept.tolist() == [7.0]
    optim.SGD([w]).zero_grad(set_to_none=False)
    assert w.grad is kept and kept.is_leaf and not kept.requires_grad and kept.tolist() == [0.0]


def test_a_gradient_kept_before_the_optimizer_is_made_is_the_same_object():
    w = nn.Parameter([1.0])
    (w * 2).sum().backward()
    kept = w.grad
    optimizer = optim.SGD([w], lr=1.0)
    assert w.grad is kept
    (w * 3).sum().backward()
    assert kept.tolist() == [5.0]
    optimizer.step()
    assert w.tolist() == [-4.0]


# -- of any layout ---------------------------------------------------------------------------------------------------


def gradient(layout, shape=(4, 6)):
    x = rng.standard_normal(shape)
    return {
        "C": np.array(x),
        "F": np.asfortranarray(x),
        "transposed": np.ascontiguousarray(x.T).T,
        "strided": np.repeat(x, 2, axis=0)[::2],
        "reversed": np.array(x[::-1])[::-1],
        "repeated": np.broadcast_to(x[:1], shape),
        "read-only": np.lib.stride_tricks.as_strided(x, writeable=False),
    }[layout]


LAYOUTS = ["C", "F", "transposed", "strided", "reversed", "repeated", "read-only"]


def with_gradient(layout, make=None):
    w, g = nn.Parameter(np.zeros((4, 6))), gradient(layout)
    optimizer = make and make([w])
    w.grad = mt.Tensor(g)
    return w, np.array(g), optimizer


@pytest.mark.parametrize("make", [None, optim.SGD])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_clipping_and_unscaling_reach_every_layout(layout, make):
    w, g, _ = with_gradient(layout, make)
    norm = optim.clip_grad_norm_([w], 1.0)
    assert norm.item() == pytest.approx(np.linalg.norm(g), rel=1e-12)
    np.testing.assert_allclose(w.grad.numpy(), g / (np.linalg.norm(g) + 1e-6), rtol=1e-12)
    w, g, _ = with_gradient(layout, make)
    optim.clip_grad_value_([w], 0.3)
    np.testing.assert_array_equal(w.grad.numpy(), g.clip(-0.3, 0.3))
    w, g, optimizer = with_gradient(layout, lambda p: optim.SGD(p, lr=1.0))
    scaler = optim.GradScaler(init_scale=4.0)
    scaler.scale(w.sum())
    scaler.unscale_(optimizer)
    np.testing.assert_array_equal(w.grad.numpy(), g / 4)
    scaler.step(optimizer)
    np.testing.assert_array_equal(w.numpy(), -g / 4)
    w, g, _ = with_gradient(layout)
    (w * 2).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), g + 2)


def test_a_complex_gradient_is_clipped():
    z = mt.Tensor(np.zeros(2, complex), requires_grad=True)
    z.grad = mt.Tensor(np.array([3j, 4.0]))
    assert optim.clip_grad_norm_([z], 1.0).item() == pytest.approx(5)
    np.testing.assert_allclose(z.grad.numpy(), [0.6j, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(3, 4), lambda: nn.LSTM(3, 4), lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0)]
)
def test_gradients_of_create_graph_are_clipped(make):
    layer = make()
    y = layer(mt.rand(5, 2, 4 if isinstance(layer, nn.TransformerEncoderLayer) else 3) * 9)
    ((y[0] if isinstance(y, tuple) else y) ** 2).sum().backward(create_graph=True)
    optim.clip_grad_norm_(layer.parameters(), 0.1)
    total = math.sqrt(sum(float((p.grad.numpy() ** 2).sum()) for p in layer.parameters()))
    assert total == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("source", [False, True])
def test_moving_average_of_every_layout(layout, source):
    """A buffer and a parameter, on either side."""

    class Two(nn.Layer):
        def __init__(self, layout):
            self.register_buffer("b", mt.Tensor(gradient(layout)))
            self.w = nn.Parameter(gradient(layout))

    odd, plain = Two(layout), Two("C")
    target, other = (plain, odd) if source else (odd, plain)
    t, s = target.state_dict(), other.state_dict()
    average = optim.EMA(target, other)
    for _ in range(2):
        average.update(0.75)
    for name in t:
        np.testing.assert_allclose(target.state_dict()[name], s[name] + 0.5625 * (t[name] - s[name]), rtol=1e-12)
        np.testing.assert_array_equal(other.state_dict()[name], s[name])


def test_a_moving_average_of_other_buffers_is_refused():
    class One(nn.Layer):
        def __init__(self, n):
            self.register_buffer("b", mt.zeros(n))

    with pytest.raises(ValueError, match=r"b is \(3,\) in the target, \(1,\) in the source"):
        optim.EMA(One(3), One(1))
    a, b = One(2), One(2)
    a.b = b.b
    with pytest.raises(ValueError, match="the same at b"):
        optim.EMA(a, b)


def test_clipping_without_parameters_is_said():
    parameters = nn.Linear(2, 2).parameters()
    list(parameters)
    with pytest.warns(UserWarning, match="no parameters left"):
        optim.clip_grad_norm_(parameters, 1.0)
    assert optim.clip_grad_norm_([], 1.0).item() == 0
    for value in (-1.0, math.nan, "1", True):
        with pytest.raises(ValueError, match="max_norm=.* must be a number, 0 or more"):
            optim.clip_grad_norm_([], value)
        with pytest.raises(ValueError, match="clip_value=.* must be a number, 0 or more"):
            optim.clip_grad_value_([], value)


# -- assigned --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (lambda x: mt.ones((2, 3)), GradientError),
        (lambda x: mt.ones(()), GradientError),
        (lambda x: mt.ones(3, dtype="float64"), GradientError),
        (lambda x: mt.ones(3, dtype="int64"), GradientError),
        (lambda x: mt.ones(3).to("fake"), GradientError),
        (lambda x: x, GradientError),
        (lambda x: np.ones(3, np.float32), TypeError),
        (lambda x: [1.0, 1.0, 1.0], TypeError),
        (lambda x: 0, TypeError),
    ],
)
def test_a_gradient_of_another_kind_is_refused(value, error):
    for x in (mt.Tensor([1.0, 2.0, 3.0], requires_grad=True), nn.Parameter([1.0, 2.0, 3.0])):
        x.grad = before = mt.ones(3)
        with pytest.raises(error, match="grad"):
            x.grad = value(x)
        assert x.grad is before
        x.grad = None
        assert x.grad is None


# -- scaled ----------------------------------------------------------------------------------------------------------


def scaled(*factors, scale=1024.0, **settings):
    """A parameter, an optimizer for each factor, and a scaler, after a backward of their scaled sum."""
    ws = [nn.Parameter(np.ones(2)) for _ in factors]
    optimizers, scaler = [optim.SGD([w], lr=0.5) for w in ws], optim.GradScaler(init_scale=scale, **settings)
    scaler.scale(sum((w * k).sum() for w, k in zip(ws, factors, strict=True))).backward()
    return ws, optimizers, scaler


def test_two_optimizers_each_get_unscaled_gradients():
    (a, b), (one, two), scaler = scaled(1.0, 3.0)
    assert scaler.step(one) and scaler.step(two)
    scaler.update()
    assert a.tolist() == [0.5, 0.5] and b.tolist() == [-0.5, -0.5]


def test_one_optimizer_steps_where_the_others_gradients_are_not_finite():
    (a, b), (one, two), scaler = scaled(1.0, math.inf)
    assert scaler.step(one) and not scaler.step(two)
    scaler.update()
    assert a.tolist() == [0.5, 0.5] and b.tolist() == [1.0, 1.0] and scaler.get_scale() == 512


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ("unscale unscale", "already been called on this optimizer"),
        ("step unscale", "after step"),
        ("step step", "already been called on this optimizer"),
        ("unscale step step", "already been called on this optimizer"),
        ("update", "no gradient was looked at"),
        ("step update update", "no gradient was looked at"),
    ],
)
def test_calls_out_of_order(calls, text):
    (w,), (optimizer,), scaler = scaled(1.0)
    *before, last = calls.split()
    names = {"unscale": lambda: scaler.unscale_(optimizer), "step": lambda: scaler.step(optimizer)}
    names["update"] = scaler.update
    for name in before:
        names[name]()
    kept = w.numpy().copy(), w.grad.numpy().copy()
    with pytest.raises(RuntimeError, match=text):
        names[last]()
    np.testing.assert_array_equal(kept, (w.numpy(), w.grad.numpy()))


def test_what_has_no_gradient_or_was_not_scaled_is_refused():
    (w,), (optimizer,), scaler = scaled(1.0)
    w.grad = None
    with pytest.raises(RuntimeError, match="no parameter of this optimizer has a gradient"):
        scaler.step(optimizer)
    w.grad = mt.ones(2, dtype="float64")
    with pytest.raises(RuntimeError, match="before scale"):
        optim.GradScaler().step(optimizer)
    half = nn.Parameter(np.ones(2, np.float16))
    half.grad = mt.ones(2, dtype="float16")
    _, _, scaler = scaled(1.0)
    with pytest.raises(ValueError, match="float16"):
        scaler.unscale_(optim.SGD([half]))
    with pytest.raises(ValueError, match="a Tensor, or a list"):
        scaler.scale(3.0)


def test_losses_keep_their_dtype_and_come_in_lists():
    scaler = optim.GradScaler(init_scale=8.0)
    y = scaler.scale([mt.ones((), dtype="float64"), mt.ones((), dtype="float16"), (mt.ones(2),)])
    assert [str(x.dtype) for x in y[:2]] == ["float64", "float32"] and y[2][0].tolist() == [8.0, 8.0]


def test_scale_grows_and_a_disabled_scaler_does_nothing():
    (w,), (optimizer,), scaler = scaled(1.0, scale=4.0, growth_interval=2)
    for expected in (4.0, 8.0, 8.0, 16.0):
        optimizer.zero_grad()
        scaler.scale(w.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == expected
    scaler.update(2.0)
    assert scaler.get_scale() == 2.0
    off = optim.GradScaler(enabled=False)
    assert off.scale(w) is w and off.get_scale() == 1 and off.step(optimizer) and off.step(optimizer)
    off.unscale_(optimizer), off.update()


def test_scaler_states():
    (_,), (optimizer,), scaler = scaled(1.0, growth_interval=5)
    with pytest.raises(RuntimeError, match="between iterations"):
        scaler.step(optimizer)
        copy.deepcopy(scaler)
    scaler.update()
    state = scaler.state_dict()
    other = optim.GradScaler()
    before = other.state_dict()
    for broken in ({}, {"scale": 1.0}, state | {"scale": "x"}, state | {"growth_factor": 0.5}, [1], state | {"a": 1}):
        with pytest.raises(StateDictError):
            other.load_state_dict(broken)
        assert other.state_dict() == before
    other.load_state_dict(state)
    assert other.state_dict() == state == copy.deepcopy(scaler).state_dict() and state["_growth_tracker"] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"init_scale": 0.0},
        {"init_scale": math.nan},
        {"init_scale": math.inf},
        {"growth_factor": 1.0},
        {"growth_factor": "2"},
        {"backoff_factor": 1.0},
        {"backoff_factor": 0.0},
        {"growth_interval": 0},
        {"growth_interval": 2.5},
    ],
)
def test_scaler_settings(settings):
    with pytest.raises((ValueError, TypeError), match="GradScaler"):
        optim.GradScaler(**settings)
