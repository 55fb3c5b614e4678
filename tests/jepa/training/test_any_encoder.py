"""Every encoder trains, resumes, is evaluated, embedded and drawn; what does not fit is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import Assembly, assemble
from jepa.config import Config, to_yaml
from jepa.errors import ConfigError, RunError
from jepa.evaluation.embed import embed
from jepa.evaluation.evaluate import evaluate_run
from jepa.frozen import features, tokens
from jepa.pictures.report import draw
from jepa.runs.run import load_run
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_resume import assert_same, contents

CROPS = {"cnn": 8, "resnet": 512, "convnext": 160, "mlp": 512, "vit": 16}  # size of the features
VIT = "encoder.dim=16 encoder.depth=1 encoder.heads=2".split()
PLACES = "projector=none predictor.dim=8 predictor.depth=1 predictor.heads=2 task.min_keep=2".split()
MASKED = {"cnn": 128, "resnet": 512, "convnext": 160}


def crops(folder: Path, encoder: str, *overrides: str) -> Config:
    return config(folder, f"encoder={encoder}", *(VIT if encoder == "vit" else []), *overrides)


def masked(folder: Path, encoder: str, *overrides: str, task: str = "masked") -> Config:
    predictor = {"masked": ["predictor=places"], "levels": ["predictor=levels", "predictor.levels=2"]}[task]
    words = [f"task={task}", f"encoder={encoder}", "source.size=32", "objective=smooth_l1", *predictor, *PLACES]
    return config(folder, *words, *overrides)


def parts_of(c: Config) -> Assembly:
    return assemble(c.choices, 0)


def two_steps(c: Config, parts: Assembly) -> tuple[int, int]:
    """Train twice on one batch; return how many parameters have moved and are finite, and how many there are."""
    model = parts.model
    batch = next(parts.batches(parts.source.split("train"), c.train, seed=0).batches(0))
    trained = [p for p in model.parameters() if p.requires_grad]
    before = [p.numpy().copy() for p in trained]
    optimizer = mt.optim.AdamW(trained, lr=1e-3)
    for step in range(2):
        optimizer.zero_grad()
        model.loss(batch)[0]["loss"].backward()
        optimizer.step()
        model.after_step(step, 2)
    pairs = [(old, p.numpy()) for old, p in zip(before, trained, strict=True)]
    return sum(bool(np.isfinite(new).all() and (new != old).any()) for old, new in pairs), len(pairs)


@pytest.mark.parametrize(
    ("encoder", "target"),
    [*((e, "ema") for e in CROPS), *((e, t) for e in ("cnn", "mlp", "vit") for t in ("stopgrad", "shared", "own"))],
)
def test_crops_learn_with_every_encoder_and_every_target(shapes_folder: Path, encoder: str, target: str) -> None:
    c = crops(shapes_folder, encoder, f"target={target}", "objective=vicreg")
    parts = parts_of(c)
    moved, count = two_steps(c, parts)
    assert moved == count > 4
    images = np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype(np.float32)
    found = features(parts.model, images)
    assert found.shape == (3, CROPS[encoder]) and np.isfinite(found).all()
    assert np.abs(found[0] - found[1]).max() > 0


@pytest.mark.parametrize(
    ("encoder", "task"), [*((encoder, "masked") for encoder in MASKED), ("cnn", "levels"), ("convnext", "levels")]
)
def test_masked_places_are_predicted_with_every_encoder_that_has_some(
    shapes_folder: Path, encoder: str, task: str
) -> None:
    c = masked(shapes_folder, encoder, task=task)
    parts = parts_of(c)
    rows, columns = parts.model.context.encoder.grid
    moved, count = two_steps(c, parts)
    assert moved == count > 4
    images = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    found = tokens(parts.model, images)
    assert found.shape == (3, rows * columns, MASKED[encoder])
    assert np.allclose(features(parts.model, images), found.mean(axis=1), atol=1e-5)
    with pytest.raises(ConfigError, match=r"evaluation.pool='last4': \w+ has mean"):
        train(masked(shapes_folder, encoder, "evaluation.pool=last4", task=task), out="never")
    assert not Path("never").exists()


@pytest.mark.parametrize("encoder", CROPS)
def test_a_run_is_resumed_evaluated_embedded_and_drawn(shapes_folder: Path, tmp_path: Path, encoder: str) -> None:
    c = crops(shapes_folder, encoder, "train.max_steps=3", "evaluation.max_images=40")
    train(c, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=2)
    train(c, out=tmp_path / "run", resume=True)
    assert_same(contents(tmp_path / "run"), contents(tmp_path / "whole"))
    found = evaluate_run(tmp_path / "run")
    assert set(found["linear"]) == {"jepa", "random", "pixels", "chance"} and found["feature_dim"] == CROPS[encoder]
    with np.load(embed(tmp_path / "run", None, tmp_path / "z.npz")) as z:
        assert z["embeddings"].shape == (80, CROPS[encoder]) and np.isfinite(z["embeddings"]).all()
    draw(tmp_path / "run")
    assert "Pictures of what the model does" not in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_masked_run_with_a_convolutional_encoder_has_every_picture_but_attention(
    shapes_folder: Path, tmp_path: Path
) -> None:
    train(masked(shapes_folder, "cnn", "train.max_steps=3", "encoder.norm=none"), out=tmp_path / "run")
    assert set(evaluate_run(tmp_path / "run")["attentive"]) == {"jepa", "random", "pixels", "chance"}
    draw(tmp_path / "run")
    drawn = {path.stem for path in (tmp_path / "run" / "plots").iterdir()}
    assert {"masks", "predictions", "embedding"} < drawn
    assert not {"attention", "levels"} & drawn


def test_a_checkpoint_of_another_encoder_is_refused_by_name(shapes_folder: Path, tmp_path: Path) -> None:
    train(crops(shapes_folder, "cnn", "train.max_steps=2"), out=tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text(to_yaml(crops(shapes_folder, "mlp")), "utf-8")
    with pytest.raises(RunError, match=r"encoder was cnn, now mlp"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize("encoder", ["cnn", "resnet", "convnext", "vit"])
def test_contexts_and_targets_may_have_other_sizes(shapes_folder: Path, encoder: str) -> None:
    c = crops(shapes_folder, encoder, "task.target_size=8")
    parts = parts_of(c)
    batch = next(parts.batches(parts.source.split("train"), c.train, seed=0).batches(0))
    z = parts.model.embed(batch)
    assert batch.true.shape[-2:] == (8, 8)
    assert [x.shape for side in (z.predictions, z.targets) for x in side] == [(8, 1, 8)] * 2


@pytest.mark.parametrize(
    ("task", "encoder", "overrides", "text"),
    [
        ("crops", "mlp", ["task.target_size=24"], "task.target_size=24"),
        ("masked", "mlp", [], "an encoder of one token, such as mlp, has no places to hide"),
        ("crops", "vit", ["task.target_size=30"], "task.target_size=30: encoder.patch=4"),
        ("crops", "convnext", ["task.target_size=6"], "task.target_size=6"),
        ("masked", "convnext", ["task.min_keep=15"], "task.min_keep=15"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    shapes_folder: Path, task: str, encoder: str, overrides: list[str], text: str
) -> None:
    made = crops if task == "crops" else masked
    with pytest.raises(ConfigError, match=re.escape(text)) as caught:
        parts_of(made(shapes_folder, encoder, *overrides, **({} if task == "crops" else {"task": task})))
    assert str(caught.value).count(";") <= 1
