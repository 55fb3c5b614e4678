"""What transformers promise beyond PyTorch's numbers."""

import numpy as np

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  registers the device "fake"
from minitensor import nn


def model(**settings):
    mt.manual_seed(0)
    return nn.Transformer(8, 2, 1, 1, 16, **settings)


def test_an_encoder_as_root_is_found_through():
    """PyTorch's attribute `layers` hides the method `layers()` of an encoder: nothing may rely on it."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2)
    assert not any(layer.training for _, layer in encoder.eval().named_layers())
    assert encoder.train().layers[1].dropout1.training
    seen = []
    encoder.apply(lambda layer: seen.append(type(layer).__name__))
    assert seen.count("TransformerEncoderLayer") == 2 and seen[-1] == "TransformerEncoder"
    assert "layers.0.self_attn" in encoder.summary((5, 1, 8))
    with nn.frozen_statistics(encoder):
        pass
    assert len(list(encoder.parameters())) == 24


def test_runs_on_the_device():
    src, tgt = (np.random.default_rng(i).standard_normal((n, 2, 8)).astype("float32") for i, n in enumerate((5, 3)))
    padding = np.array([[False] * 5, [False, False, False, True, True]])
    found = []
    for device in ("cpu", "fake"):
        net = model(dropout=0.1).to(device)
        mt.manual_seed(1)  # the same masks
        on = lambda x, device=device: mt.Tensor(x, device=device)  # noqa: E731
        mask = nn.Transformer.generate_square_subsequent_mask(3, device=device)
        y = net(on(src), on(tgt), tgt_mask=mask, src_key_padding_mask=on(padding), memory_key_padding_mask=on(padding))
        (y * y).sum().backward()
        found.append([y.numpy(), *(p.grad.numpy() for p in net.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_multihead_with_extra_keys_runs_on_the_device():
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, kdim=3).to("fake")
    q, k, v = (mt.Tensor(np.ones(s, np.float32), device="fake") for s in ((3, 2, 8), (4, 2, 3), (4, 2, 8)))
    mask = mt.Tensor(np.zeros((3, 4), np.float32), device="fake")
    y, weights = layer(q, k, v, attn_mask=mask, key_padding_mask=mt.Tensor(np.zeros((2, 4), bool), device="fake"))
    assert y.shape == (3, 2, 8) and weights.shape == (2, 3, 6) and y.device == "fake"


def test_what_is_padded_changes_nothing_elsewhere():
    net = model(dropout=0.0, batch_first=True)
    src, tgt = (mt.randn(1, n, 8, generator=np.random.default_rng(n)) for n in (4, 3))
    short = net(src[:, :2], tgt)
    hidden = mt.Tensor(np.array([[False, False, True, True]]))
    long = net(src, tgt, src_key_padding_mask=hidden, memory_key_padding_mask=hidden)
    np.testing.assert_allclose(short.numpy(), long.numpy(), rtol=1e-4, atol=1e-5)


def test_causal_masks_hide_the_future():
    block = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    x = mt.Tensor(np.random.default_rng(0).standard_normal((4, 1, 8)).astype("float32"), requires_grad=True)
    (g,) = mt.grad((block(x, mask)[1] ** 3).sum(), x)
    assert g.numpy()[:2].any() and not g.numpy()[2:].any()


def test_dropout_follows_the_mode_and_the_seed():
    net = model(dropout=0.5)
    src, tgt = mt.ones((5, 1, 8)), mt.ones((3, 1, 8))
    mt.manual_seed(3)
    a = net(src, tgt).numpy()
    assert not np.array_equal(a, net(src, tgt).numpy())
    mt.manual_seed(3)
    assert np.array_equal(a, net(src, tgt).numpy())
    net.eval()
    assert np.array_equal(net(src, tgt).numpy(), net(src, tgt).numpy())
