"""Poses as a group, and images seen from them: inverse, composition, bilinear interpolation, what must lie inside."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.errors import DataError
from jepa.transforms.pose import composed, inverse, moved, seen_from

RNG = np.random.default_rng(0)


def poses(n: int = 50) -> Any:
    return np.concatenate([RNG.uniform(-np.pi, np.pi, (n, 1)), RNG.normal(size=(n, 2))], axis=1)


def test_a_pose_and_its_inverse_leave_each_point_where_it_was() -> None:
    pose, p = poses(), RNG.normal(size=(50, 7, 2))
    np.testing.assert_allclose(moved(inverse(pose), moved(pose, p)), p, atol=1e-12)
    np.testing.assert_allclose(moved(pose, moved(inverse(pose), p)), p, atol=1e-12)
    np.testing.assert_allclose(inverse(inverse(pose)), pose, atol=1e-12)
    for both in (composed(pose, inverse(pose)), composed(inverse(pose), pose)):
        np.testing.assert_allclose(both, 0, atol=1e-12)


def test_negated_numbers_are_no_inverse() -> None:
    pose, p = poses(), RNG.normal(size=(50, 7, 2))
    assert np.abs(moved(-pose, moved(pose, p)) - p).max() > 0.1
    shifts = pose * [0, 1, 1]
    np.testing.assert_allclose(inverse(shifts), -shifts, atol=1e-12)  # without a rotation they are


def test_one_pose_after_another() -> None:
    a, b, c, p = poses(), poses(), poses(), RNG.normal(size=(50, 7, 2))
    np.testing.assert_allclose(moved(composed(a, b), p), moved(b, moved(a, p)), atol=1e-12)
    np.testing.assert_allclose(composed(composed(a, b), c), composed(a, composed(b, c)), atol=1e-12)
    np.testing.assert_allclose(inverse(composed(a, b)), composed(inverse(b), inverse(a)), atol=1e-12)


def test_by_hand() -> None:
    quarter = np.array([[np.pi / 2, 2.0, 0.0]])  # x turns towards y, which is down
    np.testing.assert_allclose(moved(quarter, np.array([[[1.0, 0.0], [0.0, 1.0]]])), [[[2, 1], [1, 0]]], atol=1e-12)
    np.testing.assert_allclose(inverse(quarter), [[-np.pi / 2, 0.0, 2.0]], atol=1e-12)


# -- images ------------------------------------------------------------------------------------------------------------


def smooth(n: int, side: int, channels: int = 2) -> Any:
    """Return images of a few slow waves."""
    y, x = np.mgrid[:side, :side] / side
    waves = RNG.uniform(-6, 6, (n, channels, 3, 2))
    phases = RNG.uniform(0, 6, (n, channels, 3, 1, 1))
    return np.sin(waves[..., :1, None] * x + waves[..., 1:, None] * y + phases).mean(axis=2).astype(np.float32)


def test_the_way_back_restores_a_smooth_picture() -> None:
    x, pose = smooth(6, 95), np.concatenate([RNG.uniform(-0.6, 0.6, (6, 1)), RNG.uniform(-8, 8, (6, 2))], axis=1)
    there = seen_from(x, pose, (57, 57))
    back = seen_from(there, inverse(pose), (21, 21))
    np.testing.assert_allclose(back, x[:, :, 37:58, 37:58], atol=2e-3)
    assert np.abs(there[:, :, 18:39, 18:39] - x[:, :, 37:58, 37:58]).max() > 0.1  # it was moved


def test_whole_steps_copy_pixels_and_quarter_turns_turn_them() -> None:
    x = RNG.random((1, 3, 9, 9)).astype(np.float32)
    np.testing.assert_allclose(seen_from(x, np.array([[0.0, 2.0, -1.0]]), (3, 5)), x[:, :, 2:5, 4:9], atol=1e-6)
    turned = seen_from(x, np.array([[np.pi / 2, 0.0, 0.0]]), (9, 9))
    np.testing.assert_allclose(turned, np.rot90(x, 1, axes=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("step", [1.0, 0.7])
def test_it_is_the_engine_s_grid_sample(step: float) -> None:
    x = RNG.random((5, 3, 20, 26)).astype(np.float32)
    pose = np.concatenate([RNG.uniform(-0.5, 0.5, (5, 1)), RNG.uniform(-2, 2, (5, 2))], axis=1)
    y, x_ = np.mgrid[:11, :9]
    window = np.stack([step * (x_ - 4), step * (y - 5)], axis=-1).reshape(1, -1, 2)
    grid = (moved(pose, window) / [26 / 2, 20 / 2]).reshape(5, 11, 9, 2).astype(np.float32)
    expected = mt.nn.functional.grid_sample(mt.Tensor(x), mt.Tensor(grid)).numpy()
    np.testing.assert_allclose(seen_from(x, pose, (11, 9), (step, step)), expected, atol=1e-5)


def test_a_window_that_leaves_its_image_is_refused() -> None:
    x = np.ones((2, 1, 9, 9), np.float32)
    seen_from(x, np.zeros((2, 3)), (9, 9))
    with pytest.raises(DataError, match=r"the window of 9 x 9 in the pose \(0, 0.1, 0\) leaves an image of 9 x 9"):
        seen_from(x, np.array([[0.0, 0.0, 0.0], [0.0, 0.1, 0.0]]), (9, 9))
    with pytest.raises(DataError, match="leaves an image"):
        seen_from(x, np.full((2, 3), 0.1) * [1, 0, 0], (9, 9))
