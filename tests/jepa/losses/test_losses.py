"""Known values and invariances of each loss."""

import numpy as np
import pytest

import minitensor as mt
from jepa import losses
from jepa.config import LossConfig
from jepa.losses.vicreg import covariance_penalty, variance_hinge
from jepa.models import Embeddings

rng = np.random.default_rng(0)


def draw(n=64, t=2, d=8):
    return (mt.Tensor(rng.standard_normal(s).astype(np.float64)) for s in ((n, d), (n, t, d), (n, t, d)))


@pytest.mark.parametrize("name", ["l2", "smooth_l1", "cosine", "infonce", "vicreg"])
def test_falls_towards_the_target_and_has_a_gradient(name):
    loss = losses.build(LossConfig(name=name))
    context, prediction, target = draw()
    losses_on_the_way = [
        float(loss(Embeddings(context, prediction + (target - prediction) * s, target))["loss"])
        for s in (0.0, 0.5, 1.0)
    ]
    assert losses_on_the_way == sorted(losses_on_the_way, reverse=True)
    prediction = prediction.requires_grad_()
    (g,) = mt.grad(loss(Embeddings(context, prediction, target))["loss"], prediction)
    assert np.isfinite(g.numpy()).all() and np.abs(g.numpy()).max() > 0


def test_vicreg_is_zero_on_whitened_identical_views():
    n, d = 512, 8
    z = np.linalg.qr(np.concatenate([np.ones((n, 1)), rng.standard_normal((n, d))], axis=1))[0][
        :, 1:
    ]  # centred, orthonormal
    z = mt.Tensor(z * np.sqrt(n - 1) * 1.001)  # unbiased variance 1, a hair above the hinge
    parts = losses.vicreg(z[:, None], z[:, None], z)
    assert {k: round(float(v), 10) for k, v in parts.items()} == {
        "loss": 0,
        "invariance": 0,
        "variance": 0,
        "covariance": 0,
    }


def test_vicreg_by_hand():
    z = mt.Tensor(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]) / 4)  # variance 1/4 in both, covariance 1/4
    assert float(variance_hinge(z)) == pytest.approx(1 - np.sqrt(0.25 + 1e-4))
    assert float(covariance_penalty(z)) == pytest.approx(2 * 0.25**2 / 2)


def test_vicreg_regularises_the_targets_only_where_they_have_a_gradient():
    context, prediction, target = draw()
    constant = mt.zeros(target.shape, dtype="float64")
    without = float(losses.vicreg(prediction, constant, context)["variance"])
    with_ = float(losses.vicreg(prediction, constant.requires_grad_(), context)["variance"])
    assert with_ == pytest.approx(without + 0.99)


def test_infonce_of_chance_is_log_n():
    z = mt.ones((50, 1, 8))
    assert float(losses.infonce(z, z)["loss"]) == pytest.approx(np.log(50), rel=1e-5)
