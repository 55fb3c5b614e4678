"""Casts on the stand-in for a GPU, none on the CPU, and a scaler that keeps small gradients and skips bad steps."""

import warnings

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401
from minitensor import nn
from minitensor import precision as module
from minitensor.declaration import registry
from minitensor.errors import StateDictError


def tensors(*shapes, device="fake", dtype="float32"):
    rng = np.random.default_rng(0)
    return [mt.Tensor(rng.standard_normal(s).astype(dtype), device=device, requires_grad=True) for s in shapes]


def test_which_ops_say_their_precision():
    said = {to: {f.name for f in registry.values() if f.autocast == to} for to in ("half", "float32")}
    assert said["half"] == {"bmm", "linear"}  # of bmm all products of matrices are made: convolution, attention, einsum
    assert said["float32"] == set(
        """exp log log1p power square sum cumsum logsumexp softmax log_softmax masked_softmax mean var std layer_norm
        batch_norm cross_entropy mse_loss smooth_l1_loss cosine_similarity""".split()
    )


def test_another_precision_and_another_trait_are_refused():
    with pytest.raises(TypeError, match='autocast is "half" or "float32"; got \'float16\''):
        mt.op("complex", autocast="float16")(lambda x: x)
    with pytest.raises(TypeError, match="there is no trait 'moves'; there are"):
        mt.op("moves")(lambda x: x)
    with pytest.raises(TypeError, match="there is no trait 'views'; there are"):
        mt.composite("views")(lambda x: x)


def test_products_are_half_and_gradients_come_back_in_float32():
    x, w, b = tensors((4, 3), (5, 3), (5,))
    with mt.autocast("float16"):
        y = nn.functional.linear(x, w)
        assert y.dtype == np.float16
        z = mt.softmax(y) + b  # softmax in float32
        assert z.dtype == np.float32
        loss = nn.functional.cross_entropy(y, mt.Tensor(np.zeros(4, np.int64), device="fake"))
    assert loss.dtype == np.float32
    loss.backward()
    assert x.grad.dtype == w.grad.dtype == np.float32
    exact = nn.functional.linear(x, w)
    np.testing.assert_allclose(y.numpy(), exact.numpy(), atol=2e-3)


def test_convolution_and_norm():
    x, w = tensors((2, 3, 6, 6), (4, 3, 3, 3))
    with mt.autocast("bfloat16"):
        y = nn.functional.conv2d(x, w)
        assert y.dtype.name == "bfloat16"
        assert nn.functional.batch_norm(y, None, None, training=True).dtype == np.float32
    (g,) = mt.grad(y.astype("float32").sum(), w)
    assert g.dtype == np.float32


def test_nothing_is_cast_outside_on_integers_or_on_the_cpu(monkeypatch):
    x, w = tensors((4, 3), (5, 3))
    assert nn.functional.linear(x, w).dtype == np.float32
    monkeypatch.setattr(module, "_told", False)
    x, w = tensors((4, 3), (5, 3), device="cpu")
    with pytest.warns(UserWarning, match="only storage"), mt.autocast("float16"):
        assert nn.functional.linear(x, w).dtype == np.float32
    with warnings.catch_warnings(), mt.autocast("float16"):
        warnings.simplefilter("error")  # once is enough
        nn.functional.linear(x, w)
    with pytest.raises(TypeError, match="float16 or bfloat16"):
        mt.autocast("float32")


def test_scaler_saves_small_gradients():
    def grad(scale):
        w = mt.Tensor(np.ones((1, 1), np.float32), device="fake", requires_grad=True)
        with mt.autocast("float16"):
            loss = (mt.Tensor(np.full((1, 1), 1.0, np.float32), device="fake") @ w).astype("float32").sum() * 1e-8
        (loss * scale).backward()
        return w.grad.numpy().item() / scale

    assert grad(1.0) == 0.0  # below float16's smallest number
    assert grad(2.0**16) == pytest.approx(1e-8, rel=1e-2)


def test_scaler_steps_skips_shrinks_and_grows():
    w = nn.Parameter(np.ones(2, np.float32))
    optimizer = mt.optim.SGD([w], lr=0.5)
    scaler = mt.optim.GradScaler(init_scale=4.0, growth_interval=2)

    def step(factor):
        optimizer.zero_grad()
        scaler.scale((w * mt.Tensor(np.full(2, factor, np.float32))).sum()).backward()
        taken = scaler.step(optimizer)
        scaler.update()
        return taken, scaler.get_scale()

    assert step(1.0) == (True, 4.0)
    np.testing.assert_array_equal(w.numpy(), 0.5)
    assert step(np.inf) == (False, 2.0)
    np.testing.assert_array_equal(w.numpy(), 0.5)
    assert step(0.0) == (True, 2.0) and step(0.0) == (True, 4.0)
    other = mt.optim.GradScaler()
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 4.0


def test_unscaled_before_clipping_once():
    w = nn.Parameter(np.zeros(1, np.float32))
    optimizer, scaler = mt.optim.SGD([w], lr=1.0), mt.optim.GradScaler(init_scale=8.0)
    scaler.scale((w * 3).sum()).backward()
    scaler.unscale_(optimizer)
    assert mt.optim.clip_grad_norm_([w], 1.0).item() == 3.0
    assert scaler.step(optimizer)
    np.testing.assert_allclose(w.numpy(), -1, rtol=1e-6)


def test_scaler_errors_and_disabled():
    off = mt.optim.GradScaler(enabled=False)
    x = mt.ones(())
    assert off.scale(x) is x and off.get_scale() == 1.0
    with pytest.raises(RuntimeError, match="comes after"):
        mt.optim.GradScaler().update()
    with pytest.raises(ValueError, match="growth_factor"):
        mt.optim.GradScaler(growth_factor=0.5)
    with pytest.raises(StateDictError, match="has scale, growth_factor, .*; got nothing"):
        mt.optim.GradScaler().load_state_dict({})
