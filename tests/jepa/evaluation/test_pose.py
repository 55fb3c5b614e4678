"""The pose read out of pairs of features: what a sum cannot say and products can, and the errors there and back."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Batch
from jepa.evaluation import evaluate_run, pose
from jepa.pictures.report import draw
from jepa.pictures.results import summary
from jepa.tasks.saccade import Pose as Asked
from jepa.training.run import train
from jepa.transforms.pose import moved
from tests.jepa.tiny import config


def test_an_angle_between_views_is_in_products_and_in_no_sum() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(5, 5)).astype(np.float32)

    def pairs(n: int) -> tuple[Any, Any]:
        phi, theta = rng.uniform(-np.pi, np.pi, n), rng.uniform(-0.5, 0.5, n)
        codes = (np.stack([np.cos(a), np.sin(a), *rng.normal(size=(3, n))], axis=1) for a in (phi, phi + theta))
        first, second = (code.astype(np.float32) @ mix for code in codes)
        return (first, second), theta[:, None]

    (train_pair, told), (test_pair, true) = pairs(2000), pairs(500)
    beside = pose.read(np.concatenate(train_pair, axis=1), told, np.concatenate(test_pair, axis=1))
    assert abs(pose.r2(true, beside)) < 0.05
    found = pose.read(told=told, **dict(zip(("train", "test"), pose.joined(train_pair, test_pair), strict=True)))
    assert pose.r2(true, found) > 0.95


def test_a_shift_of_what_has_a_usual_place_is_in_a_sum() -> None:
    rng = np.random.default_rng(0)
    place, shift = rng.normal(size=(600, 2)), rng.uniform(-1, 1, (600, 2))
    pair = (place + shift).astype(np.float32), place.astype(np.float32)
    train, test = pose.joined((pair[0][:400], pair[1][:400]), (pair[0][400:], pair[1][400:]))
    assert train.shape == (400, 2 + 2 + 4) and pose.r2(shift[400:], pose.read(train, shift[:400], test)) > 0.999


def test_directions_without_variance_are_left_out() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    x[:, 2], x[:, 3] = x[:, 0], 7
    assert pose.joined((x, x), (x, x))[0].shape == (50, 2 + 2 + 4)
    assert pose.joined((x, x), (x, x), axes=1)[0].shape == (50, 3)


def test_the_strength_is_chosen_on_training_rows() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 100)).astype(np.float32), rng.normal(size=(400, 1))
    noise = pose.read(x[:300], y[:300], x[300:], grid=(1e-6, 1e6))
    assert np.abs(noise - y[:300].mean()).max() < 1e-3  # nothing to learn: the strong one, which says the mean
    sure = pose.read(x[:300], x[:300, :1], x[300:], grid=(1e-6, 1e6))
    assert pose.r2(x[300:, :1], sure) > 0.99


def plane(bias: float) -> Any:
    """Return a model of points: the target lies where the second view sees them; a prediction is off by bias."""

    def predictor(tokens: mt.Tensor, valid: Any, keep: Any, asked: Any) -> list[mt.Tensor]:
        return [mt.Tensor(moved(asked.back().pose, tokens.numpy()) + bias)]

    return SimpleNamespace(
        training=False,
        eval=lambda: None,
        train=lambda mode: None,
        context=SimpleNamespace(context=lambda seen, keep, asked: (seen[:, None], None)),
        predictor=predictor,
        target=lambda context, true, asked: [true],
    )


def test_there_and_back() -> None:
    rng = np.random.default_rng(0)
    told = np.concatenate([rng.uniform(-1, 1, (500, 1)), rng.normal(size=(500, 2))], axis=1)
    points, asked = rng.normal(size=(500, 2)), Asked(told)
    true = moved(asked.back().pose, points[:, None])
    batches = [
        Batch(points[k : k + 100], None, true[k : k + 100], Asked(told[k : k + 100])) for k in range(0, 500, 100)
    ]
    exact = pose.way(plane(0.0), batches, "cpu")
    assert exact["there"] < 1e-10 and exact["back"] < 1e-10
    off = pose.way(plane(0.1), batches, "cpu")
    assert off["there"] == pytest.approx(0.01 / true.reshape(-1, 2).var(axis=0).mean(), rel=1e-3)
    assert off["back"] > 0.01 / points.var() / 2


@pytest.fixture(scope="module")
def run(shapes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "saccade"
    train(config(shapes_folder, "task=saccade", "predictor.width=8", "train.epochs=1"), out=folder)
    return folder


def test_evaluation_and_report_have_the_pose(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose, "PAIRS", {"train": 100, "val": 40})
    found = evaluate_run(run, device="cpu")["pose"]
    assert set(found["r2"]) == {"rotation", "shift"} and found["pairs"] >= 100
    for row in found["r2"].values():
        assert list(row) == ["jepa", "random", "pixels"] and all(value < 1 for value in row.values())
    assert found["there"] > 0 and found["back"] > 0
    assert json.loads((run / "evaluation.json").read_text())["pose"] == found
    said = " ".join(summary(json.loads((run / "evaluation.json").read_text())))
    assert f"rotation {found['r2']['rotation']['jepa']:.2f}" in said and "the way back" in said
    page = draw(run, device="cpu").read_text()
    assert "Where the second view lies" in page and f">{found['r2']['shift']['pixels']:.2f}<" in page
    assert (run / "plots" / "saccades.png").stat().st_size > 10_000


def test_pairs_are_the_same_for_every_row_and_of_the_asked_number(run: Path) -> None:
    from jepa.runs.run import load_run

    opened = load_run(run, device="cpu")
    once, again = (list(pose._batches(opened, "val", 40)) for _ in range(2))
    assert 40 <= sum(b.size for b in once) < 40 + opened.config.train.batch_size
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.seen, b.seen)
        np.testing.assert_array_equal(a.asked.pose, b.asked.pose)
    poses = np.concatenate([b.asked.pose for b in once])
    assert len(np.unique(poses[:, 0])) == len(poses)  # an example that comes again has another pose
