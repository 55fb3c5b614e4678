"""Parity: recurrent layers and cells."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.twins import agree, twins

pytestmark = pytest.mark.parity
rnn = torch.nn.utils.rnn
T, B, IN, H = 4, 3, 2, 3
X = normal(T, B, IN)
LAYERS = {
    "rnn": (lambda m, **s: m.RNN(IN, H, **s), 1),
    "rnn, relu": (lambda m, **s: m.RNN(IN, H, nonlinearity="relu", **s), 1),
    "lstm": (lambda m, **s: m.LSTM(IN, H, **s), 2),
    "gru": (lambda m, **s: m.GRU(IN, H, **s), 1),
    "lstm, projected": (lambda m, **s: m.LSTM(IN, H, proj_size=2, **s), 2),
}
SETTINGS = [
    {},
    {"bias": False},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]
every_layer = pytest.mark.parametrize("kind", LAYERS)


def first_states(kind, parts, batch=(B,)):
    out = 2 if "projected" in kind else H
    sizes = (out, H)[: LAYERS[kind][1]]
    states = tuple(normal(parts, *batch, size) for size in sizes)
    return states if len(states) > 1 else states[0]


def packing(lengths, batch_first=False, enforce_sorted=False):
    """Run a layer on packed input, in either engine."""

    def call(layer):
        of = nn if isinstance(layer, nn.Layer) else rnn
        pack = lambda x: of.pack_padded_sequence(x, lengths, batch_first, enforce_sorted)  # noqa: E731
        return lambda x, *hx: layer(pack(x), *hx)

    return call


def padding(lengths, batch_first=False):
    """Run ours with `lengths=`, PyTorch's by packing and padding."""

    def call(layer):
        if isinstance(layer, nn.Layer):
            return lambda x, *hx: layer(x, *hx, lengths=lengths)

        def run(x, *hx):
            y, last = layer(rnn.pack_padded_sequence(x, lengths, batch_first, False), *hx)
            steps = x.shape[1 if batch_first else 0]
            return rnn.pad_packed_sequence(y, batch_first, total_length=steps)[0], last

        return run

    return call


@every_layer
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers(kind, settings, dtype):
    pair = twins(lambda m: LAYERS[kind][0](m, **settings), dtype)
    parts = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    x = X.swapaxes(0, 1) if settings.get("batch_first") else X
    agree(*pair, x, dtype=dtype)
    agree(*pair, x, first_states(kind, parts), dtype=dtype)


@every_layer
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("lengths", [[4, 2, 1], [1, 4, 2], [3, 3, 3], [2, 1, 2]], ids=str)
def test_packed_and_masked_lengths(kind, settings, lengths):
    pair = twins(lambda m: LAYERS[kind][0](m, **settings))
    parts = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    first = settings.get("batch_first", False)
    x = X.swapaxes(0, 1) if first else X
    hx = first_states(kind, parts)
    order = 2 if not settings or first else 1
    for call in (packing(lengths, first), padding(lengths, first)):
        agree(*pair, x, call=call, order=1)
        agree(*pair, x, hx, call=call, order=order)
    if lengths == sorted(lengths, reverse=True):
        agree(*pair, x, call=packing(lengths, first, True), order=1)


@every_layer
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_a_batch(kind, batch_first):
    pair = twins(lambda m: LAYERS[kind][0](m, batch_first=batch_first, bidirectional=True))
    agree(*pair, X[:, 0])
    agree(*pair, X[:, 0], first_states(kind, 2, ()))


@every_layer
def test_single_steps_and_empty_batches(kind):
    pair = twins(lambda m: LAYERS[kind][0](m))
    agree(*pair, X[:1])
    agree(*pair, X[:1, :1])
    agree(*pair, X[:, :0], order=1)
    agree(*pair, X[:, ::-1])


def test_large_inputs_saturate():
    for kind in ("lstm", "gru", "rnn"):
        agree(*twins(lambda m, kind=kind: LAYERS[kind][0](m)), 1e3 * X)


CELLS = {
    "rnn": lambda m, b: m.RNNCell(IN, H, b),
    "rnn, relu": lambda m, b: m.RNNCell(IN, H, b, "relu"),
    "lstm": lambda m, b: m.LSTMCell(IN, H, b),
    "gru": lambda m, b: m.GRUCell(IN, H, b),
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lead", [(B,), (), (1,)])
def test_cells(kind, bias, dtype, lead):
    pair = twins(lambda m: CELLS[kind](m, bias), dtype)
    x, h, c = normal(*lead, IN), normal(*lead, H), normal(*lead, H)
    agree(*pair, x, dtype=dtype)
    agree(*pair, x, (h, c) if kind == "lstm" else h, dtype=dtype)


@pytest.mark.parametrize("name, args", [("RNN", (3, 50, 2)), ("LSTM", (3, 50)), ("GRUCell", (3, 50))])
def test_initial_laws(name, args):
    mt.manual_seed(0), torch.manual_seed(0)
    theirs, ours = getattr(torch.nn, name)(*args).state_dict(), getattr(nn, name)(*args).state_dict()
    assert set(theirs) == set(ours)
    for key, a in ours.items():
        for v in (a, theirs[key].numpy()):
            assert 0.8 < abs(v).max() * 50**0.5 <= 1 and v.std() == pytest.approx((1 / 150) ** 0.5, rel=0.25), key


@pytest.mark.parametrize("lengths", [[4, 2, 1], [1, 4, 2], [3, 3, 3]], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_packing(lengths, batch_first):
    for x in (X, X[..., 0], normal(T, B, 2, 2)):
        x = x.swapaxes(0, 1) if batch_first else x
        a, b = mt.Tensor(x), torch.tensor(x)
        p, q = (m.pack_padded_sequence(t, lengths, batch_first, False) for m, t in ((nn, a), (rnn, b)))
        for u, v in zip(p, q, strict=True):
            np.testing.assert_array_equal(u.numpy(), v.numpy())
        for settings in ({}, {"padding_value": -1.5}, {"total_length": 6}, {"batch_first": True}):
            for u, v in zip(nn.pad_packed_sequence(p, **settings), rnn.pad_packed_sequence(q, **settings), strict=True):
                np.testing.assert_array_equal(u.numpy(), v.numpy())
                assert str(v.dtype) == f"torch.{u.dtype}"
        for u, v in zip(nn.unpack_sequence(p), rnn.unpack_sequence(q), strict=True):
            np.testing.assert_array_equal(u.numpy(), v.numpy())


def test_integers_are_packed_too():
    x = np.arange(6).reshape(3, 2)
    p, q = (m.pack_padded_sequence(t, [3, 1]) for m, t in ((nn, mt.Tensor(x)), (rnn, torch.tensor(x))))
    for value in (0.0, -1):
        u, v = (m.pad_packed_sequence(s, padding_value=value)[0] for m, s in ((nn, p), (rnn, q)))
        np.testing.assert_array_equal(u.numpy(), v.numpy())
        assert u.dtype == np.int64


@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"padding_value": 2.5}, {"padding_side": "left"}])
def test_pad_sequence(settings):
    for shapes in ([(2, 3), (4, 3), (1, 3)], [(2,), (3,)], [(0, 2), (2, 2)], [(3, 1)]):
        xs = [normal(*s) for s in shapes]
        u = nn.pad_sequence([mt.Tensor(x) for x in xs], **settings)
        v = rnn.pad_sequence([torch.tensor(x) for x in xs], **settings)
        np.testing.assert_array_equal(u.numpy(), v.numpy())


def test_pack_sequence():
    xs = [normal(n, 2) for n in (3, 3, 1)]
    p, q = nn.pack_sequence([mt.Tensor(x) for x in xs]), rnn.pack_sequence([torch.tensor(x) for x in xs])
    np.testing.assert_array_equal(p.data.numpy(), q.data.numpy())
    assert p.sorted_indices is None is q.sorted_indices
    lengths = torch.tensor([3, 3, 1])
    padded = np.stack([np.pad(x, ((0, 3 - len(x)), (0, 0))) for x in xs])
    u, v = (
        nn.unpad_sequence(mt.Tensor(padded), lengths.numpy(), True),
        rnn.unpad_sequence(torch.tensor(padded), lengths, True),
    )
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(u, v, strict=True))


ONES = (4, 2, IN)
ERRORS = [
    (lambda m, r, x: m.LSTM(IN, H)(x((0, 2, IN))), ValueError, "at least one step"),
    (lambda m, r, x: m.GRU(0, H), ValueError, "input_size is a whole number, 1 or more; got 0"),
    (lambda m, r, x: m.GRU(IN, 0), ValueError, "hidden_size is a whole number, 1 or more"),
    (lambda m, r, x: m.GRU(IN, H, 0), ValueError, "num_layers is a whole number, 1 or more"),
    (lambda m, r, x: m.GRU(IN, 2.0), TypeError, "hidden_size is a whole number, 1 or more; got 2.0"),
    (lambda m, r, x: m.LSTM(IN, H, proj_size=-1), ValueError, "proj_size is less than hidden_size"),
    (lambda m, r, x: m.LSTM(IN, H, proj_size=H), ValueError, "proj_size is less than hidden_size 3; got 3"),
    (lambda m, r, x: m.LSTM(IN, H, dropout=1.1), ValueError, "dropout is a share"),
    (lambda m, r, x: m.LSTM(IN, H, dropout=True), ValueError, "dropout is a share"),
    (lambda m, r, x: m.RNN(IN, H, nonlinearity="sin"), ValueError, "'tanh' or 'relu'; got 'sin'"),
    (lambda m, r, x: m.LSTM(IN, H)(x((1, 4, 2, IN))), ValueError, r"LSTM takes \(steps, batch, features\)"),
    (lambda m, r, x: m.LSTM(IN, H)(x((IN,))), ValueError, r"LSTM takes \(steps, batch, features\)"),
    (lambda m, r, x: m.LSTM(5, H)(x(ONES)), ValueError, "takes 5 features on the last axis"),
    (lambda m, r, x: m.GRU(IN, H)(x(ONES), x((1, 3, H))), ValueError, r"has shape \(1, 2, 3\)"),
    (lambda m, r, x: m.GRU(IN, H)(x(ONES)[:, 0], x((1, 1, H))), ValueError, r"has shape \(1, 3\)"),
    (lambda m, r, x: m.LSTM(IN, H)(x(ONES), x((1, 2, H))), ValueError, r"hx is \(h, c\)"),
    (lambda m, r, x: m.LSTMCell(IN, H)(x(ONES)), ValueError, "LSTMCell takes floats"),
    (lambda m, r, x: m.GRUCell(IN, H)(x((2, IN)), x((3, H))), ValueError, r"has shape \(2, 3\)"),
    (lambda m, r, x: m.GRUCell(IN, H)(x((2, IN)), x((H,))), ValueError, r"has shape \(2, 3\)"),
    (lambda m, r, x: m.RNNCell(5, H)(x((2, IN))), ValueError, "RNNCell takes floats"),
    (lambda m, r, x: m.RNNCell(IN, H, nonlinearity="sin")(x((2, IN))), ValueError, "'tanh' or 'relu'"),
    (lambda m, r, x: r.pack_padded_sequence(x(ONES), [2, 3]), ValueError, "with enforce_sorted the lengths fall"),
    (lambda m, r, x: r.pack_padded_sequence(x(ONES), [2, 0]), ValueError, "lengths are from 1 to 4; got 0 to 2"),
    (lambda m, r, x: r.pack_padded_sequence(x(ONES), [2]), ValueError, "one for each of 2 sequences"),
    (lambda m, r, x: r.pack_padded_sequence(x(ONES)[:, :0], []), ValueError, "at least one sequence"),
    (lambda m, r, x: r.pack_padded_sequence(x((3,)), [3]), ValueError, r"takes \(steps, batch, ...\)"),
    (lambda m, r, x: r.pad_sequence([]), ValueError, "at least one sequence"),
    (lambda m, r, x: r.pad_sequence([x((2,))], padding_side="top"), ValueError, "'left' or 'right'; got 'top'"),
    (lambda m, r, x: r.pad_sequence([x((2, 2)), x((2, 3))]), ValueError, "alike after axis 0"),
    (lambda m, r, x: r.pack_sequence([x((2,)), x((3,))]), ValueError, "the lengths fall"),
    (
        lambda m, r, x: r.pad_packed_sequence(r.pack_padded_sequence(x(ONES), [3, 1]), total_length=2),
        ValueError,
        "total_length 2 is less than the longest, 3",
    ),
    (lambda m, r, x: m.LSTM(5, H)(r.pack_padded_sequence(x(ONES), [3, 1])), ValueError, "takes 5 features"),
]


@pytest.mark.parametrize("call, error, text", ERRORS)
def test_error_inputs(call, error, text):
    with pytest.raises(error, match=text):
        call(nn, nn, mt.ones)
    with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)):
        call(torch.nn, rnn, torch.ones)


def test_integers_are_refused():
    with pytest.raises(TypeError, match="GRU takes floats; got Tensor int64"):
        nn.GRU(IN, H)(mt.zeros((4, 2, IN), "int64"))


@pytest.mark.parametrize("lengths", [[5, 1], [0, 1], [1], [1.0, 2.0]], ids=str)
def test_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="GRU: lengths are"):
        nn.GRU(IN, H)(mt.ones(ONES), lengths=lengths)


def test_lengths_are_for_padded_batches():
    layer, x = nn.GRU(IN, H), mt.ones(ONES)
    with pytest.raises(ValueError, match="knows its lengths"):
        layer(nn.pack_padded_sequence(x, [3, 1]), lengths=[3, 1])
    with pytest.raises(ValueError, match="without lengths"):
        layer(x[:, 0], lengths=[3])
