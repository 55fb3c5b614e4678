"""Tasks of places in the loop: they train, resume bit by bit, are evaluated and drawn; collapse is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from jepa.config import Config
from jepa.evaluation.evaluate import evaluate_run
from jepa.pictures.report import draw
from jepa.runs.run import load_run
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_resume import assert_same, contents

SMALL = """
projector=none objective=smooth_l1 encoder.dim=16 encoder.depth=2 encoder.heads=2 predictor.dim=8 predictor.depth=1
predictor.heads=2 task.min_keep=2 augment.jitter_p=0 augment.grayscale=0
""".split()
KINDS = {
    "masked": ["task=masked", "encoder=vit", "encoder.drop_path=0.2", "predictor=places"],
    "levels": ["task=levels", "task.weights=1,0.5", "encoder=vit", "predictor=levels", "predictor.levels=2"],
    "energy": ["task=masked", "encoder=energy", "predictor=places"],
    "cross": ["task=masked", "encoder=vit", "predictor=cross"],
    "padded": [
        "task=masked", "task.collate=pad", "task.sizes=sample", "encoder=vit", "encoder.class_token=true",
        "predictor=places",
    ],
}  # fmt: skip


def masked(folder: Path, name: str, *overrides: str) -> Config:
    return config(folder, *KINDS[name], *SMALL, *overrides)


@pytest.mark.parametrize("name", KINDS)
def test_stopped_and_resumed_evaluated_and_drawn(shapes_folder: Path, tmp_path: Path, name: str) -> None:
    c = masked(shapes_folder, name)
    train(c, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=7)
    train(c, out=tmp_path / "run", resume=True)
    assert_same(contents(tmp_path / "run"), contents(tmp_path / "whole"))
    found = evaluate_run(tmp_path / "run")
    assert set(found["linear"]) == set(found["knn"]) == {"jepa", "random", "pixels", "chance"}
    assert found["feature_dim"] == 16 and found["geometry"]["ratio"] > 0
    draw(tmp_path / "run")
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Pictures of what the model does" not in report  # nothing is missing
    drawn = {path.stem for path in (tmp_path / "run" / "plots").iterdir()}
    assert {"loss", "health", "schedules", "probes", "masks", "predictions", "attention", "embedding"} <= drawn
    assert ("levels" in drawn) == (name == "levels")


def test_a_run_that_collapses_warns_within_100_steps_and_its_report_says_so(
    shapes_folder: Path, tmp_path: Path
) -> None:
    nothing = "objective=vicreg objective.invariance=1 objective.variance=1e-6 objective.covariance=0".split()
    c = masked(
        shapes_folder, "masked", "target=shared", *nothing, "optimizer.lr=0.01", "train.epochs=12",
        "train.max_steps=100", "encoder.drop_path=0",
    )  # fmt: skip
    train(c, out=tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text("utf-8")
    assert log.count("the embeddings have collapsed") == 1
    assert " not collapsed (feature std" in log and log.splitlines()[-2].count(" collapsed (feature std 0.0") == 1
    evaluate_run(tmp_path / "run")
    draw(tmp_path / "run")
    assert "The representation has collapsed" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_the_mask_schedule_moves_from_its_first_to_its_last_step(shapes_folder: Path, tmp_path: Path) -> None:
    c = config(
        shapes_folder, *KINDS["masked"], "predictor.dim=8", "predictor.heads=2", "encoder.dim=16", "encoder.heads=2",
        "task.masks=random", "task.ratio=0.25,0.25", "task.ratio_end=0.75,0.75", "train.log_every=1",
    )  # fmt: skip
    train(c, out=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    ratios = [line["curriculum/ratio_min"] for line in lines if "curriculum/ratio_min" in line]
    assert ratios[0] == 0.25 and ratios[-1] == 0.75 and all(np.diff(ratios) > 0)
    run = load_run(tmp_path / "run")
    first, last = (run.batches("train").batch([0, 1], progress=t).asked.index.shape[2] for t in (0.0, 1.0))
    assert (first, last) == (4, 12)


def test_weight_decay_rises_along_a_cosine_and_leaves_biases_alone(shapes_folder: Path, tmp_path: Path) -> None:
    c = masked(shapes_folder, "masked", "optimizer.weight_decay=0.04", "optimizer.weight_decay_end=0.4")
    assert np.allclose([c.optimizer.settings.decay(s, 10) for s in (4, 9)], [0.22, 0.4])
    train(c, out=tmp_path / "run")
    model = load_run(tmp_path / "run").model
    weights, vectors = model.groups(0.04)
    assert {p.ndim for p in vectors["params"]} == {1} and vectors["weight_decay"] == 0
    assert any(p is model.predictor.mask_token for p in weights["params"])  # as in the official code
    assert not any(p is model.context.encoder.pos_embed for g in (weights, vectors) for p in g["params"])
