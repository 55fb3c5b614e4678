"""The baseline of k-means on whitened patches, beside scikit-learn's k-means and the formula written out."""

import json

import numpy as np
import pytest

from jepa.__main__ import main
from jepa.evaluation.kmeans import PatchFeatures, _kmeans, patch_features
from jepa.evaluation.probes import row_titles
from jepa.evaluation.split import Part
from jepa.sources.arrays import Arrays
from jepa.training.run import train
from tests.jepa.tiny import config


@pytest.mark.parametrize(
    ("shape", "halves"), [((3, 9, 8), 4), ((1, 6, 13), 4), ((2, 30), 2), ((2, 4), 2), ((1, 7, 7, 7), 8)]
)
def test_the_formula_written_out(shape, halves):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, *shape))
    side = [min(6, length) for length in shape[1:]]
    width, places = shape[0] * int(np.prod(side)), [n - s + 1 for n, s in zip(shape[1:], side, strict=True)]
    centroids, mean = generator.normal(size=(5, width)), generator.normal(size=width)
    whitening = generator.normal(size=(width, width)) / 9
    wanted = np.zeros((2, halves, 5))
    for n in range(2):
        for place in np.ndindex(*places):
            p = x[(n, slice(None), *(slice(a, a + s) for a, s in zip(place, side, strict=True)))].reshape(-1)
            p = ((p - p.mean()) / np.sqrt(p.var() + 0.3) - mean) @ whitening
            d = np.sqrt(((p - centroids) ** 2).sum(axis=1))
            half = [int(a >= (count + 1) // 2) for a, count in zip(place, places, strict=True)]
            wanted[n, int("".join(map(str, half)), 2)] += np.maximum(0, d.mean() - d)
    given = (a.astype(np.float32) for a in (centroids, mean, whitening))
    got = PatchFeatures(*given, floor=0.3)(x.astype(np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted.reshape(2, -1), rtol=2e-4, atol=2e-4)  # float32, distances by squares


def test_rounds_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(5000, 6)).astype(np.float32)
    cluster = pytest.importorskip("sklearn.cluster")
    theirs = cluster.KMeans(20, init=x[:20], n_init=1, max_iter=4, tol=0, algorithm="lloyd").fit(x)
    np.testing.assert_allclose(_kmeans(x, x[:20], 4, generator), theirs.cluster_centers_, atol=1e-4)


def test_an_empty_centroid_moves_to_a_patch():
    x = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    far = np.concatenate([x[:2], np.full((1, 3), 1e6, np.float32)])
    assert np.abs(_kmeans(x, far, 1, np.random.default_rng(0))).max() < 10


def test_patches_are_whitened_whatever_the_scale():
    x = np.random.default_rng(3).normal(size=(40, 3, 16, 16)).astype(np.float32).cumsum(axis=3)
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    small, large = (patch_features(Part.of(Arrays(x * s, **plain)), 8, rounds=2)["kmeans"] for s in (1.0, 1000.0))
    np.testing.assert_allclose(small(x[:3]), large(1000 * x[:3]), rtol=1e-2, atol=1e-2)
    flat = patch_features(Part.of(Arrays(np.ones((4, 1, 8, 8)))), 3)["kmeans"]
    assert np.isfinite(flat(np.ones((1, 1, 8, 8), np.float32))).all()


def test_they_stand_beside_the_other_baselines(shapes_folder, tmp_path, capsys):
    train(config(shapes_folder, "train.max_steps=1"), out=tmp_path / "run")
    assert main(["eval", str(tmp_path / "run"), "evaluation.kmeans=6", "evaluation.random_seeds=1"]) == 0
    printed, found = capsys.readouterr().out, json.loads((tmp_path / "run" / "evaluation.json").read_text())
    for name in ("kmeans", "patches"):
        assert row_titles()[name] in printed and 0 <= found["linear"][name] <= 1 and 0 <= found["knn"][name] <= 1
    assert main(["plot", str(tmp_path / "run")]) == 0
