"""The predictor of saccades: what it is told counts, whatever its range, and nothing else of the question does."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.predictors import Pose
from jepa.tasks.saccade import Pose as Asked

RNG = np.random.default_rng(0)
POSES = RNG.uniform(-1, 1, (64, 3)).astype(np.float32)


def made() -> Any:
    mt.manual_seed(0)
    return Pose(8, (2, 2), width=32, depth=1)


@pytest.mark.parametrize("share", [1.0, 0.02])
def test_poses_of_any_range_count_alike(share: float) -> None:
    predictor, c = made(), mt.randn((1, 1, 8)) * mt.ones((64, 1, 1))
    (y,) = predictor(c, None, None, Asked(share * POSES))
    assert y.shape == (64, 1, 8)
    assert 0.1 < float(y.std()) and float(y.std(axis=0).mean()) > 0.1  # of one context, from pose to pose


def test_a_prediction_is_of_its_own_context_and_pose() -> None:
    predictor, c = made().eval(), mt.randn((64, 1, 8))
    (y,) = predictor(c, None, None, Asked(POSES))
    (turned,) = predictor(c, None, None, Asked(POSES).rolled())
    assert np.abs(y.numpy() - turned.numpy()).max() > 0.01
    (alone,) = predictor(c[5:6], None, None, Asked(POSES[5:6]))
    np.testing.assert_allclose(alone.numpy()[0], y.numpy()[5], atol=1e-5)


def test_the_gradient_reaches_what_it_is_told_with_and_the_context() -> None:
    predictor, c = made(), mt.randn((64, 1, 8)).requires_grad_()
    (y,) = predictor(c, None, None, Asked(POSES))
    found = mt.grad((y * y).sum(), [c, *predictor.parameters()])
    assert all(np.abs(g.numpy()).max() > 0 for g in found)
