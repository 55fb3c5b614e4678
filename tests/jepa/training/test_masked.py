"""The masked methods in the loop: they train, resume bit by bit, are evaluated and drawn; collapse is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.config import Config
from jepa.data.masked import MaskedLoader
from jepa.evaluation.evaluate import evaluate_run
from jepa.masks import MultiBlockMasks
from jepa.pictures.report import draw
from jepa.runs import pipeline
from jepa.runs.run import load_run
from jepa.training.loop import weight_decay
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_resume import assert_same, contents

SMALL = """
objective=smooth_l1 encoder.dim=16 encoder.depth=2 encoder.heads=2 predictor.dim=8 predictor.depth=1 predictor.heads=2
task.min_keep=2 augment.jitter_p=0 augment.grayscale=0
""".split()
METHODS = {
    "ijepa": ["task=masked", "encoder.drop_path=0.2"],
    "hjepa": ["task=levels", "task.levels=2", "task.weights=1,0.5"],
    "energy": ["task=masked", "encoder.body=energy"],
    "padded": ["task=masked", "task.collate=pad", "task.sizes=sample", "encoder.class_token=true"],
}


def masked(folder: Path, name: str, *overrides: str) -> Config:
    return config(folder, *SMALL, *METHODS[name], *overrides)


@pytest.mark.parametrize("name", METHODS)
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
    shared = {"loss", "health", "schedules", "probes", "masks", "predictions", "attention", "blocks", "features"}
    assert drawn == shared | {"neighbours", "similarity", "embedding"} | ({"levels"} if name == "hjepa" else set())


def test_a_run_that_collapses_warns_within_100_steps_and_its_report_says_so(
    shapes_folder: Path, tmp_path: Path
) -> None:
    c = masked(
        shapes_folder, "ijepa", "target=shared", "objective.force=true", "objective.normalize=false",
        "objective=l2", "optimizer.lr=0.01", "train.epochs=12", "train.max_steps=100", "encoder.drop_path=0",
    )  # fmt: skip
    train(c, out=tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text("utf-8")
    assert log.count("the embeddings have collapsed") == 1
    evaluate_run(tmp_path / "run")
    draw(tmp_path / "run")
    assert "The representation has collapsed" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_batches_do_not_depend_on_threads_or_where_the_epoch_is_entered(shapes_folder: Path) -> None:
    images = pipeline.dataset(masked(shapes_folder, "ijepa"), shapes_folder, "train")

    def batches(start: int = 0, **settings: Any) -> list[Any]:
        loader = MaskedLoader(
            images, masks=MultiBlockMasks(min_keep=2), grid=(4, 4), crop=(0.3, 1.0), batch_size=16, seed=3, **settings
        )
        return list(loader.batches(2, start=start))

    one, many = batches(prefetch=0), batches(prefetch=3, threads=3)
    for a, b in zip(one, many, strict=True):
        assert np.array_equal(a.images, b.images) and np.array_equal(a.indices, b.indices)
        assert all(np.array_equal(x, y) for x, y in zip(a.task.target, b.task.target, strict=True))
    assert np.array_equal(batches(start=2)[0].images, one[2].images)
    assert not np.array_equal(one[0].task.target[0], one[1].task.target[0][: len(one[0].task.target[0])])


def test_target_images_have_colours_of_their_own_if_colours_change(shapes_folder: Path) -> None:
    same, other = (
        next(pipeline.loader(c, pipeline.dataset(c, shapes_folder, "train"), seed=0).batches(0))
        for c in (masked(shapes_folder, "ijepa"), masked(shapes_folder, "ijepa", "augment.jitter_p=1"))
    )
    assert np.array_equal(same.images, same.target_images)
    assert np.array_equal(same.indices, other.indices) and not np.allclose(other.images, other.target_images)


def test_the_mask_schedule_moves_from_its_first_to_its_last_step(shapes_folder: Path, tmp_path: Path) -> None:
    c = masked(
        shapes_folder, "ijepa", "task.masks=random", "task.ratio=0.25,0.25", "task.ratio_end=0.75,0.75",
        "train.log_every=1",
    )  # fmt: skip
    train(c, out=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    ratios = [line["curriculum/ratio_min"] for line in lines if "curriculum/ratio_min" in line]
    assert ratios[0] == 0.25 and ratios[-1] == 0.75 and all(np.diff(ratios) > 0)
    sampler = pipeline.token_masks(c)
    sizes = [sampler.at(t).sample((4, 4), 2, np.random.default_rng(0)).target[0].shape[1] for t in (0, 1)]
    assert sizes == [4, 12]


def test_weight_decay_rises_along_a_cosine_and_leaves_biases_alone(shapes_folder: Path, tmp_path: Path) -> None:
    c = masked(shapes_folder, "ijepa", "optimizer.weight_decay=0.04", "optimizer.weight_decay_end=0.4")
    assert np.allclose([weight_decay(c.optim, s, 10) for s in (4, 9)], [0.22, 0.4])
    train(c, out=tmp_path / "run")
    method = load_run(tmp_path / "run").method
    weights, vectors = method.groups(0.04)
    assert {p.ndim for p in vectors["params"]} == {1} and vectors["weight_decay"] == 0
    assert any(p is method.model.predictor.mask_token for p in weights["params"])  # as in the official code
    assert not any(p is method.model.context_encoder.pos_embed for g in (weights, vectors) for p in g["params"])
