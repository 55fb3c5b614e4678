"""Health figures: known values, invariances, and the edges."""

import numpy as np
import pytest

from jepa.health import alignment, cosine, effective_rank, feature_std, is_collapsed, uniformity

GENERATOR = np.random.default_rng(0)
NORMAL = GENERATOR.normal(size=(4000, 16))


def whitened(z):
    z = z - z.mean(axis=0)
    return z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T


@pytest.mark.parametrize(
    ("z", "rank"),
    [
        (whitened(NORMAL), 16),
        (np.full((50, 8), 3.0), 1),
        (np.zeros((50, 8)), 1),
        (np.outer(np.arange(1, 51), np.arange(1, 9)), 1),
        (np.eye(6)[:, :4], 4),
        (np.eye(4, 100), 4),  # fewer rows than columns
        (np.diag([3.0, 1.0]), np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))),
    ],
)
def test_effective_rank_of_known_matrices(z, rank):
    assert effective_rank(z) == pytest.approx(rank, rel=1e-6)


def test_effective_rank_does_not_change_under_scale_and_rotation():
    z = NORMAL[:300] * np.linspace(0.1, 2, 16)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0]
    assert effective_rank(7 * z @ rotation) == pytest.approx(effective_rank(z), rel=1e-9)


def test_feature_std_is_one_on_the_whole_sphere_and_zero_in_a_point():
    assert feature_std(NORMAL) == pytest.approx(1, abs=0.01)
    assert feature_std(100 * NORMAL) == pytest.approx(feature_std(NORMAL))  # the length does not count
    assert feature_std(np.outer(np.arange(1, 9), np.ones(5))) == pytest.approx(0, abs=1e-12)
    assert feature_std(np.zeros((4, 3))) == 0
    assert feature_std(NORMAL + 10) < 0.15


def test_alignment_and_cosine_agree_on_the_sphere():
    prediction, target = NORMAL[:100], NORMAL[100:200]
    assert alignment(prediction, target) == pytest.approx(2 - 2 * cosine(prediction, target))
    assert cosine(prediction, 3 * prediction) == pytest.approx(1)
    assert cosine(prediction[None], -prediction[None]) == pytest.approx(-1)
    assert alignment(np.eye(2), -np.eye(2), alpha=1) == pytest.approx(2)


def test_uniformity_equals_all_pairs_by_hand_and_does_not_depend_on_the_chunk():
    z = NORMAL[:60]
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    pairs = [np.sum((unit[i] - unit[j]) ** 2) for i in range(60) for j in range(i)]
    expected = np.log(np.mean(np.exp(-2 * np.array(pairs))))
    assert uniformity(z) == pytest.approx(expected)
    assert uniformity(z, chunk=7) == pytest.approx(expected)
    assert uniformity(np.ones((5, 3))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("z", "collapsed"),
    [
        (NORMAL, False),
        (NORMAL + 3, False),
        (1 + 1e-3 * NORMAL, True),  # all in one point
        (np.outer(NORMAL[:, 0], np.ones(8)), True),  # all on one line
        (np.zeros((10, 4)), True),
    ],
)
def test_collapse_is_seen(z, collapsed):
    assert is_collapsed(feature_std(z), effective_rank(z)) is collapsed


def test_nan_counts_as_collapsed():
    assert is_collapsed(float("nan"), 10.0) and is_collapsed(0.5, float("nan"))
