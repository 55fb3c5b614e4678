"""`checkpoint` gives what the function gives, keeps nothing of its inside, and changes nothing twice."""

import threading
import weakref
from functools import partial

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import GradientError, InPlaceError
from minitensor.graph import state
from minitensor.nn import functional as F


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


def leaf(*values):
    return mt.Tensor(np.array(values), requires_grad=True)


def masks(call, seed=0):
    """Return result and gradient of a dropout of ones: the same, if backward took the mask of the forward."""
    mt.manual_seed(seed)
    x = mt.Tensor(np.ones((32, 50)), requires_grad=True)
    y = call(x)
    stood = mt.default_generator().bit_generator.state
    y.sum().backward()
    assert mt.default_generator().bit_generator.state == stood  # backward draws from nobody else's numbers
    return y.numpy(), x.grad.numpy()


RNG = np.random.default_rng(5)
RANDOM = {
    "dropout": lambda x: F.dropout(x, 0.5),
    "after another draw": lambda x: F.dropout(x * 1, 0.5) if mt.rand(1).item() < 2 else x,
    "own generator": lambda x: F.dropout(x, 0.5, generator=RNG),
    "the default one by name": lambda x: F.dropout(F.dropout(x, 0.2), 0.2, generator=mt.default_generator()),
    "a new generator": lambda x: F.dropout(x, 0.5, generator=np.random.default_rng(1)),
    "seeded inside": lambda x: mt.manual_seed(3) or F.dropout(x, 0.5),
    "rrelu": lambda x: F.rrelu(x * -1, 0.1, 0.9, training=True) * -1,
    "nested": lambda x: mt.checkpoint(lambda h: F.dropout(h, 0.5), F.dropout(x, 0.2)),
    "parts inside": lambda x: mt.data_parallel(lambda h: F.dropout(h, 0.5), x),
    "parts inside, own generator": lambda x: mt.data_parallel(lambda h: F.dropout(h, 0.5, generator=RNG), x),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", RANDOM)
def test_randomness_belongs_to_the_part_that_draws(name, threads):
    before = mt.get_num_threads()
    mt.set_num_threads(threads)
    try:
        for call in (
            lambda x: mt.checkpoint(RANDOM[name], x),
            lambda x: mt.data_parallel(lambda h: mt.checkpoint(RANDOM[name], h), x),
        ):
            for seed in range(3):
                y, g = masks(call, seed)
                np.testing.assert_array_equal(g, y)
                assert 0 < y.std()
    finally:
        mt.set_num_threads(before)


def test_threads_that_draw_at_once_from_one_generator():
    def work():
        w, x = mt.Tensor(np.ones((3, 4000)), requires_grad=True), mt.ones((16, 3), dtype="float64")
        for _ in range(10):
            w.grad = None
            y = mt.checkpoint(lambda x: F.dropout(x @ w, 0.5), x)
            y.sum().backward()
            agrees.append(np.array_equal(w.grad.numpy()[0], 2.0 * (y.numpy() != 0).sum(axis=0)))

    def draw():
        while len(agrees) < 40 and all(thread.is_alive() for thread in threads):
            mt.default_generator().random(1000)

    agrees: list[bool] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    draw()
    for thread in threads:
        thread.join()
    assert agrees == [True] * 40


def test_the_generator_stands_where_it_stands_without_a_checkpoint():
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        numbers = []
        for again in (lambda f, x: f(x), mt.checkpoint, lambda f, x: mt.checkpoint(partial(mt.checkpoint, f), x)):
            g, x = np.random.Generator(kind(7)), mt.ones(9).requires_grad_()
            y = again(lambda x, g=g: F.dropout(x, 0.5, generator=g), x)
            y.sum().backward()
            assert np.array_equal(x.grad.numpy(), y.numpy())
            numbers.append([*y.numpy(), g.random()])
        assert numbers[0] == numbers[1] == numbers[2]


def test_create_graph_draws_the_same_mask():
    mt.manual_seed(0)
    x = mt.Tensor(np.ones(100), requires_grad=True)
    y = mt.checkpoint(lambda x: F.dropout(x * x, 0.5), x)
    (g,) = mt.grad(y.sum(), x, create_graph=True)
    (h,) = mt.grad(g.sum(), x)
    np.testing.assert_array_equal(g.numpy(), 2 * y.numpy())
    np.testing.assert_array_equal(h.numpy(), 2 * y.numpy())


def test_a_failure_in_the_second_run_leaves_generators_and_states_alone():
    runs = []

    def f(x):
        runs.append(mt.default_generator().random())
        if len(runs) == 2:
            raise KeyError("in the second run")
        return F.dropout(x, 0.5)

    x = leaf(1.0, 2.0)
    y = mt.checkpoint(f, x)
    stood = mt.default_generator().bit_generator.state
    with pytest.raises(KeyError):
        y.sum().backward(retain_graph=True)
    assert mt.default_generator().bit_generator.state == stood and not state.replaying and state.source is None
    y.sum().backward()
    assert runs[0] == runs[1] == runs[2]
    np.testing.assert_array_equal(x.grad.numpy() * x.numpy(), y.numpy())


def test_arguments_are_in_the_second_run_what_they_were():
    seen = []
    rng = np.random.default_rng(3)

    def f(x, array, scalar, dtype, tree, generator, *, named):
        seen.append((type(array), type(scalar), dtype, [type(v) for v in (*tree["a"], tree["b"])], list(tree["c"])))
        tree["c"].append("more")
        array += 1  # the caller's own, in the first run
        draw = generator.random()
        return (x * array.copy() * scalar * named["w"] * tree["a"][1] * draw).astype(dtype)

    x, w, v = leaf(1.0, 2.0), leaf(3.0), leaf(5.0)
    array, tree = np.ones(2), {"a": (np.float32(2), v), "b": np.arange(3), "c": []}
    y = mt.checkpoint(f, x, array, np.float64(2.0), np.dtype("float64"), tree, rng, named={"w": w})
    array[:] = 100
    tree["c"].append("later")
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][:2] == (np.ndarray, np.float64) and seen[0][3] == [np.float32, mt.Tensor, np.ndarray]
    draw = np.random.default_rng(3).random()
    np.testing.assert_allclose(x.grad.numpy(), 2 * 2 * 2 * 3 * 5 * draw)
    np.testing.assert_allclose(w.grad.numpy(), 2 * 2 * 2 * 3 * 5 * draw)  # twice, Σ x = 3
    np.testing.assert_allclose(v.grad.numpy(), 2 * 2 * 2 * 3 * 3 * draw)


def test_results_are_trees_of_tensors():
    x = leaf(1.0, 2.0)
    out = mt.checkpoint(lambda x: {"y": [x * 2, None], "z": (x.detach(), x * 3)}, x)
    assert out["y"][1] is None and not out["z"][0].requires_grad
    (out["y"][0] + out["z"][1]).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 5)
    lstm = nn.LSTM(2, 3)
    y, (h, c) = mt.checkpoint(lstm, mt.ones((4, 1, 2)))
    (y.sum() + h.sum() + c.sum()).backward()
    assert lstm.weight_hh_l0.grad is not None


W = [leaf(2.0, 3.0), leaf(4.0, 5.0)]
ANOTHER_WAY = {
    "another op": lambda k, x: mt.exp(x) if k == 1 else mt.sin(x),
    "one more op": lambda k, x: x * 2 if k == 1 else x * 2 * 2,
    "another shape": lambda k, x: x[: 1 if k == 1 else 2] * 2,
    "another inner shape": lambda k, x: (x[: 1 if k == 1 else 2] * 2).sum(),
    "another weight": lambda k, x: x * W[k - 1],
    "another number of results": lambda k, x: (x * 2, x * 3)[: 3 - k],
    "no gradient": lambda k, x: x * 2 if k == 1 else x.detach(),
    "another dtype": lambda k, x: (x * 2).astype("float64" if k == 1 else "float32"),
}


@pytest.mark.parametrize("name", ANOTHER_WAY)
def test_a_second_run_that_goes_another_way_is_noticed(name):
    runs = []

    def f(x):
        runs.append(1)
        return ANOTHER_WAY[name](len(runs), x)

    y = mt.checkpoint(f, leaf(1.0, 2.0))
    y = y if isinstance(y, mt.Tensor) else sum(y)
    with pytest.raises(GradientError, match="the second run of the function went another way"):
        y.sum().backward()


def test_leaves_that_the_function_makes_itself():
    def f(x):
        z = x.detach().requires_grad_()
        (g,) = mt.grad((z * z * W[0]).sum(), z, create_graph=True)
        return g * x

    def grads(call):
        x = leaf(1.0, 2.0)
        return [g.numpy() for g in mt.grad(call(f, x).sum(), [x, W[0]])]

    np.testing.assert_array_equal(grads(mt.checkpoint), grads(lambda f, x: f(x)))


def change(t):
    with mt.no_grad():
        t[0] = 9.0


CHANGED = {
    "an argument": lambda x, m, w: (mt.checkpoint(lambda x: x * x, x), x),
    "an argument without gradient": lambda x, m, w: (mt.checkpoint(lambda x, m: x * m, x, m), m),
    "an argument by name": lambda x, m, w: (mt.checkpoint(lambda x, m: x * m, x, m=m), m),
    "one in a list": lambda x, m, w: (mt.checkpoint(lambda x, ms: x * ms[0]["m"], x, [{"m": m}]), m),
    "a weight": lambda x, m, w: (mt.checkpoint(lambda x: (x + w).exp(), x), w),
    "a constant that was saved": lambda x, m, w: (mt.checkpoint(lambda x: x * m, x), m),
    "a result that is an argument": lambda x, m, w: (lambda y: (y * y, y))(mt.checkpoint(lambda x: x[:], x)),
    "the argument of a result that is a view": lambda x, m, w: (mt.checkpoint(lambda x: x.reshape(2, 1), x) ** 2, x),
}


@pytest.mark.parametrize("name", CHANGED)
def test_changes_in_place_are_noticed(name):
    x, m, w = leaf(1.0, 2.0) * 1, mt.Tensor(np.array([3.0, 4.0])), leaf(5.0, 6.0)
    y, t = CHANGED[name](x, m, w)
    change(t)
    with pytest.raises(InPlaceError):
        y.sum().backward()


def test_a_change_of_the_result_has_no_effect():
    x = leaf(1.0, 2.0)
    y = mt.checkpoint(mt.exp, x)
    change(y)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 2.0]))


def test_the_second_run_has_the_precision_of_the_first():
    seen = []

    def f(x):
        seen.append((state.autocast, state.fused))
        return x * 2

    x = leaf(1.0)
    with mt.autocast("float16"), mt.unfused():
        y = mt.checkpoint(f, x)
    y.backward()
    assert seen[0] == seen[1] == (np.dtype("float16"), False)


def stateful():
    """Return layers whose state moves in forward, by name, with the input that they take."""
    table = nn.Embedding(5, 3, max_norm=0.5)
    return {
        "spectral norm": (nn.parametrizations.spectral_norm(nn.Linear(3, 3)), mt.randn(16, 3)),
        "weight norm": (nn.parametrizations.weight_norm(nn.Linear(3, 3)), mt.randn(16, 3)),
        "batch norm": (nn.BatchNorm1d(3, momentum=None), mt.randn(16, 3)),
        "instance norm": (nn.InstanceNorm1d(3, track_running_stats=True, affine=True), mt.randn(16, 3, 4)),
        "embedding with max_norm": (table, mt.Tensor(np.arange(16) % 5)),
        "rrelu": (nn.Sequential(nn.Linear(3, 3), nn.RReLU()), mt.randn(16, 3)),
        "gru with dropout": (nn.GRU(3, 3, num_layers=2, dropout=0.5), mt.randn(4, 16, 3)),
        "attention with dropout": (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3), mt.randn(3, 16, 4)),
    }


@pytest.mark.parametrize("name", stateful())
def test_layers_with_state_move_once_and_give_the_same_gradients(name):
    def run(call):
        mt.manual_seed(0)
        layer, x = stateful()[name]
        mt.manual_seed(1)
        ys = [call(layer, x), call(layer, x)]  # the state has moved on when the first is computed again
        total = sum((y[0] if isinstance(y, tuple) else y) for y in ys)
        (total * total).sum().backward()
        return [p.grad.numpy() for p in layer.parameters()] + [np.asarray(v) for v in layer.state_dict().values()]

    for a, b in zip(run(mt.checkpoint), run(lambda f, x: f(x)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
