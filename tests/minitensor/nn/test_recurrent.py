"""What recurrent layers promise beyond PyTorch's numbers."""

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  registers the device "fake"
from minitensor import nn
from minitensor.graph import Node, Output

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
        node = node.node if isinstance(node, Output) else node
        if isinstance(node, Node) and id(node) not in seen:
            seen[id(node)] = node
            stack += [p for p in node.parents if p is not None]
    return [n.op.name for n in seen.values()]


@pytest.mark.parametrize("kind, count", [(nn.RNN, 3), (nn.LSTM, 3), (nn.GRU, 3)])
def test_a_step_is_few_ops(kind, count):
    layer = kind(3, 4)
    few, many = (len(nodes(layer(mt.Tensor(random(n, 2, 3)))[0])) for n in (10, 30))
    assert many - few == count * 20


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
