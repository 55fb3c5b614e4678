"""What recurrent layers promise beyond PyTorch's numbers."""

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  registers the device "fake"
from minitensor import nn
from minitensor.graph import Node, Output
from minitensor.ops.nn import recurrent

KINDS = [nn.RNN, nn.LSTM, nn.GRU]


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def states(last):
    return list(last) if isinstance(last, tuple) else [last]


@pytest.mark.parametrize("kind", KINDS)
def test_runs_on_the_device(kind):
    found = []
    for device in ("cpu", "fake"):
        mt.manual_seed(0)
        layer = kind(3, 4, 2, bidirectional=True, dropout=0.2).to(device)
        x = mt.Tensor(random(5, 2, 3), device=device, requires_grad=True)
        packed = nn.pack_padded_sequence(x, [2, 5], enforce_sorted=False)
        mt.manual_seed(1)
        y, last = layer(packed)
        padded, lengths = nn.pad_packed_sequence(y)
        assert padded.device == device and lengths.tolist() == [2, 5]
        (padded * padded).sum().backward()
        values = [padded, x.grad, *states(last), *(p.grad for p in layer.parameters())]
        mt.manual_seed(1)
        values.append(layer(x, lengths=[2, 5])[0])
        found.append([v.numpy() for v in values])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[2, 4], np.array([2, 4]), mt.Tensor([2, 4])], ids=["list", "array", "Tensor"])
def test_nothing_in_the_padding_counts(kind, lengths):
    """Not even NaN, forward and backward: the numbers are those of packing."""
    mt.manual_seed(0)
    layer = kind(3, 4, 2, bidirectional=True)
    clean, dirty = random(4, 2, 3), random(4, 2, 3)
    dirty[2:, 0] = np.nan
    grads = []
    for x in (clean, dirty):
        x = mt.Tensor(x, requires_grad=True)
        layer.zero_grad()
        y, last = layer(x, lengths=lengths)
        (y.sum() + sum((s * s).sum() for s in states(last))).backward()
        assert not y.numpy()[2:, 0].any() and not x.grad.numpy()[2:, 0].any()
        grads.append([y.numpy(), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lengths_that_are_all_full_change_nothing():
    layer = nn.GRU(3, 4)
    x = mt.Tensor(random(4, 2, 3))
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x, lengths=[4, 4])[0].numpy())


def nodes(y):
    seen, stack = {}, [y.source]
    while stack:
        node = stack.pop()
        node = node.origin if isinstance(node, Output) else node
        if isinstance(node, Node) and id(node) not in seen:
            seen[id(node)] = node
            stack += [p for p in node.parents if p is not None]
    return [n.op.name for n in seen.values()]


@pytest.mark.parametrize("kind, count", [(nn.RNN, 3), (nn.LSTM, 3), (nn.GRU, 3)])
def test_a_step_is_few_ops(kind, count):
    layer = kind(3, 4)
    with mt.unfused():
        few, many = (len(nodes(layer(mt.Tensor(random(n, 2, 3)))[0])) for n in (10, 30))
    assert many - few == count * 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_where_all_steps_count_is_one_node(kind):
    layer = kind(3, 4, 2, bidirectional=True)
    few, many = (nodes(layer(mt.Tensor(random(n, 2, 3)))[0]) for n in (10, 30))
    assert few == many and sum(name.endswith("_walk") for name in few) == 4


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "walk, arrays",
    [
        (recurrent.rnn_walk, [(5, 2, 3), (3, 3), (2, 3)]),
        (recurrent.gru_walk, [(5, 2, 9), (9, 3), (2, 3), (9,)]),
        (recurrent.lstm_walk, [(5, 2, 12), (12, 3), (2, 3), (2, 3)]),
    ],
)
def test_the_kernel_is_its_composite_whatever_is_used_and_wanted(walk, arrays, reverse):
    """Each result alone, and all; gradients of all arguments, and of each alone; twice."""
    xs = [mt.Tensor(random(*s, seed=i).astype("float64"), requires_grad=True) for i, s in enumerate(arrays)]
    results = 3 if walk is recurrent.lstm_walk else 2
    for used in [*([i] for i in range(results)), range(results)]:
        for wanted in [*([i] for i in range(len(xs))), range(len(xs))]:
            args = [x if i in wanted else x.detach() for i, x in enumerate(xs)]
            found = []
            for context in (mt.enable_grad(), mt.unfused()):
                with context:
                    ys = [walk(*args, reverse=reverse)[i] for i in used]
                vs = [mt.Tensor(random(*y.shape, seed=9).astype("float64")) for y in ys]
                leaves = [args[i] for i in wanted]
                first = mt.grad(ys, leaves, vs, allow_unused=True, retain_graph=True)
                again = mt.grad(ys, leaves, vs, allow_unused=True)
                np.testing.assert_array_equal(first[0].numpy(), again[0].numpy())
                found.append([*ys, *first])
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_written_over_leaves_the_gradient_alone(kind):
    layer, x = kind(3, 4), mt.Tensor(random(5, 2, 3))
    found = []
    for spoil in (False, True):
        y, last = layer(x)
        total = y.sum()
        if spoil:
            for v in (y, *states(last)):
                v.data[...] = 7.0
        found.append([g.numpy() for g in mt.grad(total, list(layer.parameters()))])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_graph_the_numbers_are_the_same(kind):
    layer, x = kind(3, 4, bidirectional=True), mt.Tensor(random(5, 2, 3))
    y = layer(x)[0].numpy()
    with mt.no_grad():
        np.testing.assert_array_equal(layer(x)[0].numpy(), y)


def test_an_unknown_nonlinearity_is_refused_by_the_walk():
    x = mt.Tensor(random(2, 1, 3))
    with pytest.raises(KeyError):
        recurrent.rnn_walk(x, mt.ones((3, 3)), mt.zeros((1, 3)), nonlinearity="sin")


def test_dropout_between_layers_only_and_in_training_only():
    x = mt.Tensor(random(4, 2, 3))
    one = nn.GRU(3, 4, 1, dropout=0.9)
    np.testing.assert_array_equal(one(x)[0].numpy(), one(x)[0].numpy())
    two = nn.GRU(3, 4, 2, dropout=0.5)
    assert not np.array_equal(two(x)[0].numpy(), two(x)[0].numpy())
    assert np.array_equal(two(x)[1][0].numpy(), two(x)[1][0].numpy())  # the first layer's state
    two.eval()
    np.testing.assert_array_equal(two(x)[0].numpy(), two(x)[0].numpy())


def test_a_long_sequence_runs_back():
    layer = nn.RNN(1, 2)
    x = mt.Tensor(random(5000, 1, 1), requires_grad=True)
    layer(x)[0].sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_learns_to_remember_the_first_entry(kind):
    mt.manual_seed(0)
    layer, head = kind(1, 8), nn.Linear(8, 1)
    optimizer = mt.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    x = mt.Tensor(np.sign(random(5, 64, 1)))
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        y, _ = layer(x)
        loss = nn.functional.mse_loss(head(y[-1]), x[0])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_halves_and_repr():
    layer = nn.LSTM(3, 4, 2, bidirectional=True).to(dtype="float16")
    y, (h, c) = layer(mt.Tensor(random(4, 2, 3).astype("float16")))
    assert y.dtype == h.dtype == c.dtype == np.float16
    assert repr(layer) == "LSTM(3 -> 4, num_layers=2, bidirectional=True)"
    assert repr(nn.GRUCell(3, 4, bias=False)) == "GRUCell(3 -> 4, bias=False)"
