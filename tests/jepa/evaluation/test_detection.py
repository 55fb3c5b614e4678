"""Average precision by hand, what a bounce does to constant velocity, and a head that finds what can be found."""

import json
from pathlib import Path

import numpy as np
import pytest

from jepa.config import load
from jepa.evaluation import detection, evaluate_run
from jepa.evaluation.detection import average_precision, cells, fit_head
from jepa.pictures.report import draw
from jepa.pictures.results import summary
from jepa.training.run import train


@pytest.mark.parametrize(
    ("scores", "truth", "expected"),
    [
        ([3, 2, 1, 0], [1, 1, 0, 0], 1.0),
        ([3, 2, 1, 0], [0, 0, 1, 1], (1 / 3 + 2 / 4) / 2),
        ([3, 2, 1, 0], [1, 0, 0, 1], (1 + 2 / 4) / 2),
        ([1, 1, 1, 1], [1, 0, 0, 0], 1 / 4),  # one threshold: all cells or none
        ([2, 2, 1, 1], [1, 0, 1, 0], 1 / 2 * 1 / 2 + 1 / 2 * 2 / 4),
    ],
)
def test_average_precision_by_hand(scores: list[int], truth: list[int], expected: float) -> None:
    assert average_precision(np.array(scores, float), np.array(truth, bool)) == pytest.approx(expected)


def test_average_precision_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for levels in (3, 10**6):
        scores, truth = rng.integers(levels, size=500).astype(float), rng.random(500) < 0.1
        assert average_precision(scores, truth) == pytest.approx(metrics.average_precision_score(truth, scores))
    assert np.isnan(average_precision(np.ones(3), np.zeros(3, bool)))


def test_centers_lie_in_cells_of_rows_and_columns() -> None:
    found = cells(np.array([[[0.0, 7.9], [3.9, 0.0]], [[4.0, 4.0], [4.1, 4.1]]]), 8, (2, 4))
    assert [np.argwhere(f).tolist() for f in found] == [[[0, 1], [1, 0]], [[1, 2]]]


def test_constant_velocity_is_right_until_the_first_bounce() -> None:
    """Two frames are seen; one clip goes on straight, the other one has come to the edge in frame 3."""
    along = np.array([[1.0, 3, 5, 7, 9, 11, 13], [9.0, 11, 13, 15, 13, 11, 9]])
    positions = np.stack([along, np.full((2, 7), 9.0)], axis=-1)[:, :, None]  # (clips, frames, things, 2)
    scores, truth = detection._straight_on(positions, 2, 16, (8, 8)), cells(positions, 16, (8, 8))
    assert scores.shape == (2, 5, 8, 8)
    found = [[average_precision(scores[n, k], truth[n, 2 + k]) for k in range(5)] for n in (0, 1)]
    assert found[0] == [1] * 5 and found[1][:2] == [1, 1]  # then it is thought to stay where no thing goes further
    assert found[1][2] == 1 / 4  # the cell at the edge, and three as near to it, one of which is right
    assert found[1][4] < found[1][3] < 1 / 4


def test_a_head_finds_what_is_in_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "STEPS", 150)
    rng = np.random.default_rng(0)
    truth = rng.random((80, 3, 6, 6)) < 0.05
    maps = rng.normal(size=(80, 3, 4, 6, 6)).astype(np.float32)
    nothing = fit_head(maps[:60], truth[:60], "cpu")
    assert average_precision(nothing(maps[60:]), truth[60:]) < 0.15
    maps[:, :, 2] += 5 * truth
    head = fit_head(maps[:60], truth[:60], "cpu")
    assert average_precision(head(maps[60:]), truth[60:]) > 0.9


WORDS = (
    "task=forecast encoder=frames predictor=conv projector=linear target=shared augment=none source=moving-digits "
    "source.count=100 source.size=16 source.frames=6 encoder.widths=[4,8] projector.dim=8 "
    "predictor.width=8 predictor.depth=1 objective=vicreg train.epochs=1 train.batch_size=16 optimizer.warmup_steps=1 "
    "evaluation.random_seeds=1 device=cpu"
).split()


def test_a_run_is_measured_at_each_horizon_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(detection, "STEPS", 30)
    train(load("demo", overrides=WORDS), out=tmp_path / "run")
    found = evaluate_run(tmp_path / "run", device="cpu")["detection"]
    assert list(found["ap"]) == list(detection.ROWS) and {len(row) for row in found["ap"].values()} == {4}
    assert found["map"]["velocity"] == pytest.approx(np.mean(found["ap"]["velocity"]))
    assert set(found["read"]) == {"jepa", "random"} and found["clips"] == 20
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation["detection"] == found
    assert any("Average precision 4 frames ahead" in sentence for sentence in summary(evaluation))
    report = draw(tmp_path / "run", device="cpu").read_text()
    assert "average precision, frames ahead" in report and "constant velocity (of the true places)" in report
