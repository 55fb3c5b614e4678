"""Parity: MultiheadAttention."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from tests.minitensor.parity.oracle import normal, rng, torch
from tests.minitensor.parity.twins import agree, twins

pytestmark = pytest.mark.parity
N, M, B, E, H = 3, 5, 2, 4, 2
Q, K, V = normal(N, B, E), normal(M, B, E), normal(M, B, E)
HIDDEN = rng.random((N, M)) > 0.6
HIDDEN[:, 0] = False
PADDED = np.array([[False] * 5, [False, False, False, True, True]])
FLOOR = np.where(HIDDEN, -np.inf, 0.0)
MAKE = {
    "plain": lambda m: m.MultiheadAttention(E, H),
    "one head, no bias": lambda m: m.MultiheadAttention(E, 1, bias=False),
    "more keys": lambda m: m.MultiheadAttention(E, H, add_bias_kv=True),
    "zero": lambda m: m.MultiheadAttention(E, H, add_zero_attn=True),
    "both": lambda m: m.MultiheadAttention(E, H, 0.0, True, True, True),
}
MASKS = {
    "none": {},
    "bool": {"attn_mask": HIDDEN},
    "float": {"attn_mask": normal(N, M)},
    "floor": {"attn_mask": FLOOR},
    "heads": {"attn_mask": rng.random((B * H, N, M)) > 0.8},
    "heads, float": {"attn_mask": normal(B * H, N, M)},
    "padding": {"key_padding_mask": PADDED},
    "padding, float": {"key_padding_mask": normal(B, M)},
    "padding and bool": {"key_padding_mask": PADDED, "attn_mask": HIDDEN},
    "padding and float": {"key_padding_mask": PADDED, "attn_mask": normal(N, M)},
    "float padding and bool": {"key_padding_mask": normal(B, M), "attn_mask": HIDDEN},
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("need_weights", [True, False])
def test_masks(make, mask, need_weights):
    if "heads" in mask and "one head" in make:
        pytest.skip("a mask for two heads")
    agree(*twins(MAKE[make]), Q, K, V, need_weights=need_weights, **MASKS[mask])


@pytest.mark.parametrize("shared", ["query, key, value", "key, value", "nothing"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shared_inputs(shared, batch_first, dtype):
    ours, theirs = twins(lambda m: m.MultiheadAttention(E, H, batch_first=batch_first), dtype)

    def call(layer):
        if shared == "query, key, value":
            return lambda q, k: layer(q, q, q, average_attn_weights=False)
        return lambda q, k: layer(q, k, k if shared == "key, value" else k * 2)

    k = K if not batch_first else normal(N, M, E)
    agree(ours, theirs, Q, k, dtype=dtype, call=call)


@pytest.mark.parametrize("kdim, vdim", [(3, 5), (None, 6), (7, None), (4, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_other_widths(kdim, vdim, bias):
    make = lambda m: m.MultiheadAttention(E, H, kdim=kdim, vdim=vdim, bias=bias, add_bias_kv=bias)  # noqa: E731
    agree(*twins(make), Q, normal(M, B, kdim or E), normal(M, B, vdim or E))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("average", [False, True])
def test_without_a_batch(batch_first, average):
    pair = twins(lambda m: m.MultiheadAttention(E, H, batch_first=batch_first))
    agree(*pair, Q[:, 0], K[:, 0], V[:, 0], average_attn_weights=average)
    agree(*pair, Q[:, 0], K[:, 0], V[:, 0], key_padding_mask=PADDED[1], attn_mask=HIDDEN, need_weights=average)
    agree(*pair, Q[:, 0], K[:, 0], V[:, 0], attn_mask=np.stack([HIDDEN] * H))


def test_empty():
    pair = twins(MAKE["plain"])
    agree(*pair, Q, K[:0], V[:0], order=1)
    agree(*pair, Q[:0], K, V, order=1)
    agree(*pair, Q[:, :0], K[:, :0], V[:, :0], order=1)


def test_causal_hint():
    mask = np.where(np.tri(N, M, dtype=bool), 0.0, -np.inf)
    for need_weights in (True, False):
        agree(*twins(MAKE["plain"]), Q, K, V, attn_mask=mask, is_causal=True, need_weights=need_weights)


def test_a_query_that_may_look_nowhere_gives_the_bias_alone():
    ours, theirs = twins(MAKE["plain"])
    padding = np.array([[False] * M, [True] * M])
    agree(ours, theirs, Q, K, V, key_padding_mask=padding, need_weights=False)
    y, weights = ours(*map(mt.Tensor, (Q, K, V)), key_padding_mask=mt.Tensor(padding))
    np.testing.assert_allclose(y.numpy()[:, 1], np.tile(ours.out_proj.bias.numpy(), (N, 1)))
    assert not weights.numpy()[1].any() and np.isfinite(y.numpy()).all()


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"query": np.ones((N, B, 3))}, ValueError, "query has 4 features on its last axis"),
        ({"key": np.ones((M, B, 3))}, ValueError, "key has 4 features on its last axis"),
        ({"value": np.ones((2, B, E))}, ValueError, "differ before their last axis"),
        ({"key": np.ones((M, 1, E)), "value": np.ones((M, 1, E))}, ValueError, "differ in their batch, axis 1"),
        ({"key": np.ones((M, E)), "value": np.ones((M, E))}, ValueError, "of 3 axes, or of 2 without a batch"),
        ({"query": np.ones((1, N, B, E))}, ValueError, "of 3 axes, or of 2 without a batch"),
        ({"attn_mask": np.ones((1, M))}, ValueError, r"attn_mask has shape \(3, 5\) or \(4, 3, 5\); got \(1, 5\)"),
        ({"attn_mask": np.ones((B, N, M))}, ValueError, r"attn_mask has shape"),
        ({"attn_mask": np.ones((N, M), int)}, TypeError, r"attn_mask is bool \(True hides\) or float"),
        ({"key_padding_mask": np.ones((M, B), bool)}, ValueError, r"key_padding_mask has shape \(2, 5\)"),
        ({"is_causal": True}, ValueError, "is_causal says that attn_mask is causal, and none was passed"),
    ],
)
def test_error_inputs(settings, error, text):
    full = {"query": Q, "key": K, "value": V} | settings
    ours = {k: mt.Tensor(v) if isinstance(v, np.ndarray) else v for k, v in full.items()}
    other = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in full.items()}
    layer, theirs = twins(MAKE["plain"])
    with pytest.raises(error, match=text):
        layer(**ours)
    with pytest.raises((RuntimeError, AssertionError)):
        theirs(**other)


def test_settings_that_are_refused():
    for args in ((5, 2), (0, 2), (4, -2)):
        with pytest.raises(ValueError, match="num_heads divides embed_dim"):
            nn.MultiheadAttention(*args)
    with pytest.raises(ValueError, match="dropout is a share"):
        nn.MultiheadAttention(4, 2, 1.5)


def test_initial_laws():
    settings = {"add_bias_kv": True}
    ours, theirs = nn.MultiheadAttention(200, 4, **settings), torch.nn.MultiheadAttention(200, 4, **settings)
    for key, b in theirs.state_dict().items():
        a, b = ours.state_dict()[key], b.numpy()
        assert abs(a.std() - b.std()) <= 0.02 * b.std() if a.size > 1000 else abs(a.std() - b.std()) <= 0.3 * b.std()
        if key.endswith("weight"):
            assert abs(a).max() == pytest.approx(abs(b).max(), rel=0.01)


def test_dropout_in_training_only():
    layer = nn.MultiheadAttention(E, H, 0.5).to(dtype="float64")
    q, k, v = map(mt.Tensor, (Q, K, V))
    _, weights = layer(q, k, v, average_attn_weights=False)
    assert (weights.numpy() == 0).any()
    assert (layer.eval()(q, k, v, average_attn_weights=False)[1].numpy() > 0).all()
    mt.manual_seed(1)
    a = layer.train()(q, k, v)[0].numpy()
    mt.manual_seed(1)
    np.testing.assert_allclose(layer(q, k, v, need_weights=False)[0].numpy(), a)
