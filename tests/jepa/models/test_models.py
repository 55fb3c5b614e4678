"""The encoders, the predictor, and the model's promises: moving average, buffers, gradients, geometry."""

import dataclasses

import numpy as np
import pytest

import minitensor as mt
from jepa.config import JEPAConfig
from jepa.models import ContextEncoder, JEPAModel, encode_geometry

CONFIG = JEPAConfig(
    image_size=16, target_size=16, widths=(4, 8), embedding_dim=8, predictor_width=16, predictor_depth=1
)


def make(**changes):
    mt.manual_seed(0)
    return JEPAModel(dataclasses.replace(CONFIG, **changes))


def batch(n=6, t=2):
    rng = np.random.default_rng(0)
    return [
        mt.Tensor(rng.standard_normal(s).astype(np.float32)) for s in ((n, 3, 16, 16), (n, t, 3, 16, 16), (n, t, 4))
    ]


@pytest.mark.parametrize("target", ["ema", "stopgrad", "shared"])
def test_shapes_and_where_gradients_go(target):
    model = make(target=target)
    e = model(*batch())
    assert (e.context.shape, e.prediction.shape, e.target.shape) == ((6, 8), (6, 2, 8), (6, 2, 8))
    assert e.target.requires_grad == (target == "shared")
    ((e.prediction - e.target) ** 2).mean().backward()
    assert all(p.grad is not None for p in model.context_encoder.parameters())
    if model.target_encoder is not None:
        assert not any(p.requires_grad or p.grad is not None for p in model.target_encoder.parameters())


def test_target_starts_equal_and_follows_in_the_right_direction():
    model = make()
    ours, theirs = (dict(m.named_parameters()) for m in (model.context_encoder, model.target_encoder.encoder))
    for name in ours:
        np.testing.assert_array_equal(ours[name].numpy(), theirs[name].numpy())
    with mt.no_grad():
        for p in ours.values():
            p[...] = p + 1.0
    before = {name: p.numpy().copy() for name, p in theirs.items()}
    model.target_encoder.update(0.9)
    for name, p in theirs.items():
        np.testing.assert_allclose(p.numpy(), 0.9 * before[name] + 0.1 * ours[name].numpy(), rtol=1e-5)


def test_target_uses_batch_statistics_and_leaves_its_buffers_alone():
    model = make()
    model.train()
    buffers = {k: b.numpy().copy() for k, b in model.target_encoder.encoder.named_buffers()}
    x = batch()[0]
    a = model.encode_target(x)
    np.testing.assert_array_equal(a.numpy(), model.encode_target(x).numpy())
    for name, b in model.target_encoder.encoder.named_buffers():
        np.testing.assert_array_equal(b.numpy(), buffers[name], err_msg=name)
    model.context_encoder(x)
    model.target_encoder.update(0.5)
    changed = dict(model.target_encoder.encoder.named_buffers())
    followed = dict(model.context_encoder.named_buffers())
    for name, b in changed.items():
        if "num_batches" in name:
            assert b.item() == followed[name].item() == 1  # copied
        else:
            np.testing.assert_allclose(b.numpy(), (buffers[name] + followed[name].numpy()) / 2, rtol=1e-5)


def test_predictor_is_told_the_geometry():
    context, target, geometry = batch()
    for told in (True, False):
        model = make(geometry=told)
        model.eval()
        a, b = (model(context, target, g).prediction.numpy() for g in (geometry, geometry + 0.3))
        assert np.array_equal(a, b) == (not told)


def test_encoding_tells_neighbours_apart_and_keeps_the_numbers():
    g = np.linspace(-1, 1, 21, dtype=np.float32)[:, None] * np.ones(4, np.float32)
    code = encode_geometry(mt.Tensor(g)).numpy()
    np.testing.assert_array_equal(code[:, :4], g)
    distances = np.linalg.norm(code[:, None] - code, axis=-1) + 9 * np.eye(21)
    assert distances.min() > 0.5


def test_features_do_not_depend_on_the_batch_and_leave_the_mode():
    model = make()
    model.train()
    images = batch(n=10)[0].numpy()
    np.testing.assert_allclose(model.features(images), model.features(images, batch_size=3), rtol=1e-5, atol=1e-6)
    assert model.training and model.context_encoder.training


def test_encoder_of_any_size_of_image():
    encoder = ContextEncoder(1, (4, 8), 5, norm="none")
    for size in (8, 12, 16):
        assert encoder(mt.zeros((2, 1, size, size))).shape == (2, 5)
