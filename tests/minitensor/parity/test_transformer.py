"""Parity: transformers."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.twins import agree, twins

pytestmark = pytest.mark.parity
N, M, B, E = 3, 4, 2, 4
X, MEMORY = normal(N, B, E), normal(M, B, E)
LATER = np.where(np.tri(N, dtype=bool), 0.0, -np.inf)
PADDED = np.array([[False] * N, [False, False, True]])
PADDED_MEMORY = np.array([[False, False, True, True], [False] * M])
SETTINGS = {
    "plain": {},
    "norm first": {"norm_first": True},
    "gelu": {"activation": "gelu"},
    "no bias": {"bias": False, "layer_norm_eps": 1e-3},
    "function": {"activation": "tanh"},
}


def _activation(m, settings):
    if settings.get("activation") == "tanh":
        return settings | {"activation": mt.nn.functional.tanh if m is nn else torch.tanh}
    return settings


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("masks", [{}, {"src_mask": LATER}, {"src_mask": LATER, "src_key_padding_mask": PADDED}])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_encoder_layer(settings, masks, dtype):
    make = lambda m: m.TransformerEncoderLayer(E, 2, 5, 0.0, **_activation(m, SETTINGS[settings]))  # noqa: E731
    agree(*twins(make, dtype), X, dtype=dtype, **masks)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    "masks",
    [
        {},
        {"tgt_mask": LATER, "tgt_is_causal": True},
        {"tgt_mask": LATER, "memory_key_padding_mask": PADDED_MEMORY},
        {"tgt_key_padding_mask": PADDED, "memory_mask": normal(N, M)},
    ],
)
def test_decoder_layer(settings, masks):
    make = lambda m: m.TransformerDecoderLayer(E, 2, 5, 0.0, **_activation(m, SETTINGS[settings]))  # noqa: E731
    agree(*twins(make), X, MEMORY, **masks)


@pytest.mark.parametrize("norm", [False, True])
def test_stacks(norm):
    def encoder(m):
        return m.TransformerEncoder(m.TransformerEncoderLayer(E, 2, 5, 0.0), 2, m.LayerNorm(E) if norm else None)

    def decoder(m):
        return m.TransformerDecoder(m.TransformerDecoderLayer(E, 2, 5, 0.0), 2, m.LayerNorm(E) if norm else None)

    agree(*twins(encoder), X, mask=LATER, is_causal=True)
    agree(*twins(encoder), X, src_key_padding_mask=PADDED)
    agree(*twins(encoder), X[:, 0], mask=LATER)
    agree(*twins(decoder), X, MEMORY, tgt_mask=LATER)
    agree(*twins(decoder), X[:, 0], MEMORY[:, 0], tgt_mask=LATER)


@pytest.mark.parametrize("batch_first", [False, True])
def test_transformer(batch_first):
    pair = twins(lambda m: m.Transformer(E, 2, 1, 2, 5, 0.0, batch_first=batch_first))
    src, tgt = (MEMORY, X) if not batch_first else (MEMORY.swapaxes(0, 1), X.swapaxes(0, 1))
    agree(*pair, src, tgt)
    agree(*pair, src, tgt, tgt_mask=LATER, src_key_padding_mask=PADDED_MEMORY, memory_key_padding_mask=PADDED_MEMORY)
    agree(*pair, MEMORY[:, 0], X[:, 0], order=1)


def test_evaluation_agrees_where_nothing_is_padded():
    ours, theirs = twins(lambda m: m.TransformerEncoder(m.TransformerEncoderLayer(E, 2, 5, batch_first=True), 2))
    ours.eval(), theirs.eval()
    with mt.no_grad(), torch.no_grad():
        y, t = ours(mt.Tensor(X)), theirs(torch.tensor(X))
    np.testing.assert_allclose(y.numpy(), t.numpy(), rtol=1e-9, atol=1e-9)


def test_the_mask():
    for n in (0, 1, 3):
        ours, theirs = (m.Transformer.generate_square_subsequent_mask(n) for m in (nn, torch.nn))
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        assert ours.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m, x: m.Transformer(4, 2, 1, 1, 5)(x((3, 2, 4)), x((3, 1, 4))), "differ in their batch, axis 1"),
        (lambda m, x: m.Transformer(4, 2, 1, 1, 5)(x((3, 2, 5)), x((3, 2, 4))), "src has 4 features"),
        (lambda m, x: m.Transformer(4, 2, 1, 1, 5)(x((3, 2, 4)), x((3, 2, 5))), "tgt has 4 features"),
        (lambda m, x: m.TransformerEncoderLayer(4, 3), "num_heads divides embed_dim"),
        (lambda m, x: m.TransformerEncoderLayer(4, 2, activation="tanh"), "activation is 'relu', 'gelu'"),
        (lambda m, x: m.TransformerEncoderLayer(4, 2, 5)(x((3, 2, 4)), is_causal=True), "none was passed"),
    ],
)
def test_error_inputs(call, text):
    with pytest.raises(ValueError, match=text):
        call(nn, mt.ones)
    with pytest.raises((RuntimeError, AssertionError)):
        call(torch.nn, torch.ones)


def test_a_negative_number_of_layers_is_refused():
    for stack, block in (
        (nn.TransformerEncoder, nn.TransformerEncoderLayer),
        (nn.TransformerDecoder, nn.TransformerDecoderLayer),
    ):
        with pytest.raises(ValueError, match="num_layers is at least 0; got -1"):
            stack(block(4, 2), -1)


def test_initial_laws():
    mt.manual_seed(0), torch.manual_seed(0)
    ours, theirs = (m.Transformer(64, 2, 1, 1, 128) for m in (nn, torch.nn))
    for key, b in theirs.state_dict().items():
        a, b = ours.state_dict()[key], b.numpy()
        assert abs(a.std() - b.std()) <= (0.05 if b.ndim > 1 else 0.2) * b.std(), key
        assert a.mean() == pytest.approx(b.mean(), abs=0.03), key


def test_copies_start_alike_and_learn_apart():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 5), 2)
    a, b = (encoder.layers[i].linear1.weight for i in range(2))
    assert a is not b and np.array_equal(a.numpy(), b.numpy()) and not np.shares_memory(a.data, b.data)
