"""encoder: every encoder trains, resumes, is evaluated, embedded and drawn; what does not fit is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from jepa.config import Config, encoder_name, load, patch_size
from jepa.errors import ConfigError, RunError
from jepa.evaluation.embed import embed
from jepa.evaluation.evaluate import evaluate_run
from jepa.methods import build
from jepa.models import JEPAModel, PooledEncoder, TokenEncoder
from jepa.models.pretrained import from_pretrained, save_pretrained
from jepa.pictures.report import draw
from jepa.runs import pipeline
from jepa.runs.run import load_run
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_resume import assert_same, contents

SMALL = """
encoder.dim=16 encoder.depth=1 encoder.heads=2 predictor.dim=8 predictor.depth=1 predictor.heads=2 task.min_keep=2
""".split()
CROPS = {"cnn": 8, "resnet18": 512, "convnext": 160, "mlp": 512, "vit": 16}  # size of the features
OTHERS = ("stopgrad", "shared")
MASKED = {"cnn": 8, "resnet18": 512, "convnext": 160}


def made(folder: Path, encoder: str, *overrides: str) -> Config:
    return config(folder, *SMALL, f"encoder={encoder}", *overrides)


def masked(folder: Path, encoder: str, *overrides: str) -> Config:
    return made(folder, encoder, "task=masked", "source.size=32", "objective=smooth_l1", *overrides)


def two_steps(c: Config, folder: Path) -> tuple[int, int]:
    """Train twice on one batch; return how many parameters have moved and are finite, and how many there are."""
    mt.manual_seed(0)
    method = build(c, steps=2)
    batch = next(pipeline.loader(c, pipeline.dataset(c, folder, "train"), seed=0).batches(0))
    trained = [p for p in method.model.parameters() if p.requires_grad]
    before = [p.numpy().copy() for p in trained]
    optimizer = mt.optim.AdamW(trained, lr=1e-3)
    for step in range(2):
        optimizer.zero_grad()
        method.loss(batch)[0]["loss"].backward()
        optimizer.step()
        method.after_step(step)
    pairs = [(old, p.numpy()) for old, p in zip(before, trained, strict=True)]
    return sum(bool(np.isfinite(new).all() and (new != old).any()) for old, new in pairs), len(pairs)


@pytest.mark.parametrize(
    ("encoder", "target"), [*((e, "ema") for e in CROPS), *((e, t) for e in ("cnn", "mlp", "vit") for t in OTHERS)]
)
def test_crops_learn_with_every_encoder_and_every_target(shapes_folder: Path, encoder: str, target: str) -> None:
    c = made(shapes_folder, encoder, f"target={target}", "objective=vicreg")
    moved, count = two_steps(c, shapes_folder)
    assert moved == count > 4
    images = np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype(np.float32)
    features = build(c, steps=2).model.features(images)
    assert features.shape == (3, CROPS[encoder]) and np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0


@pytest.mark.parametrize(
    ("encoder", "method"), [*((encoder, "ijepa") for encoder in MASKED), ("cnn", "hjepa"), ("convnext", "hjepa")]
)
def test_masked_patches_are_predicted_with_every_encoder_that_has_places(
    shapes_folder: Path, encoder: str, method: str
) -> None:
    c = masked(shapes_folder, encoder, f"method={method}", "task.levels=2", "task.weights=1,0.5")
    model = build(c, steps=2).model
    assert isinstance(model.context_encoder, TokenEncoder)
    rows, columns = model.context_encoder.grid
    assert rows == columns == 32 // patch_size(c)
    moved, count = two_steps(c, shapes_folder)
    assert moved == count > 4
    images = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    assert model.tokens(images).shape == (3, rows * columns, MASKED[encoder])
    assert np.allclose(model.features(images), model.tokens(images).mean(axis=1), atol=1e-5)
    with pytest.raises(ValueError, match=r"pool='last4' needs the blocks of a vision transformer; got TokenEncoder"):
        model.features(images, pool="last4")


@pytest.mark.parametrize("encoder", CROPS)
def test_a_run_is_resumed_evaluated_embedded_and_drawn(shapes_folder: Path, tmp_path: Path, encoder: str) -> None:
    c = made(shapes_folder, encoder, "train.max_steps=3", "evaluation.max_images=40")
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
    assert {"masks", "predictions", "features", "neighbours", "embedding"} < drawn
    assert not {"attention", "blocks", "levels"} & drawn


@pytest.mark.parametrize("encoder", CROPS)
def test_models_come_back_from_a_folder_and_from_a_run(shapes_folder: Path, tmp_path: Path, encoder: str) -> None:
    c = made(shapes_folder, encoder)
    model = build(c, steps=1).model.eval()
    assert type(model) is JEPAModel
    again = from_pretrained(save_pretrained(model, tmp_path))
    images = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)
    assert again.config == model.config and np.array_equal(again.features(images), model.features(images))
    alone = from_pretrained(save_pretrained(encoder(), tmp_path / "encoder"))
    with mt.no_grad():
        x = mt.Tensor(images)
        assert np.array_equal(alone(x).numpy(), encoder()(x).numpy())


def test_a_checkpoint_of_another_encoder_is_refused_by_name(shapes_folder: Path, tmp_path: Path) -> None:
    train(made(shapes_folder, "cnn", "train.max_steps=2"), out=tmp_path / "run")
    file = tmp_path / "run" / "config.yaml"
    file.write_text(file.read_text("utf-8").replace('encoder: "cnn"', 'encoder: "mlp"'), "utf-8")
    with pytest.raises(RunError, match=r"model\.encoder was cnn, now mlp"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize("encoder", ["cnn", "resnet18", "convnext", "vit"])
def test_contexts_and_targets_may_have_other_sizes(shapes_folder: Path, encoder: str) -> None:
    c = made(shapes_folder, encoder, "task.target_size=8")
    batch = next(pipeline.loader(c, pipeline.dataset(c, shapes_folder, "train"), seed=0).batches(0))
    z = build(c, steps=1).embed(batch)
    assert batch.target.shape[-2:] == (8, 8) and z.prediction.shape == z.target.shape == (8, 1, 8)


def test_auto_is_what_the_method_was_published_with() -> None:
    assert [encoder_name(load(overrides=[f"method={m}"])) for m in ("crops", "ijepa", "hjepa")] == ["cnn", "vit", "vit"]
    for encoder in ("cnn", "resnet18", "convnext", "vit"):  # what the settings say of a token is true of the encoder
        c = load(overrides=["task=masked", f"encoder={encoder}"])
        assert build(c, steps=1).model.context_encoder.grid == (32 // patch_size(c),) * 2


def test_the_mean_of_a_vision_transformer_is_without_its_class_token() -> None:
    c = load(overrides=["encoder=vit", *SMALL, "encoder.class_token=true"])
    encoder = build(c, steps=1).model.context_encoder
    assert isinstance(encoder, PooledEncoder)
    x = mt.ones((2, 3, 32, 32))
    assert np.allclose(encoder.pooled(x).numpy(), encoder.body(x).numpy()[:, 1:].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (
            ["encoder=resnet"],
            "encoder=resnet: expected one of 'auto', 'cnn', 'resnet18', 'convnext', 'mlp', 'vit'",
        ),
        (
            ["encoder=mlp", "task.target_size=24"],
            "source.size makes contexts of 3 x 32 x 32 and task.target_size targets of 3 x 24 x 24: set both",
        ),
        (["encoder=mlp", "task=masked"], "encoder=mlp with task=masked: an MLP sees the whole image as"),
        (["encoder=vit", "task.target_size=30"], "encoder.patch=4 must divide task.target_size=30"),
        (["encoder=vit", "encoder.heads=5"], "encoder.heads=5 must divide encoder.dim=192"),
        (["encoder=convnext", "task.target_size=6"], "one token stands for 8 x 8 pixels, and images of 6 have"),
        (["encoder=resnet18", "task=levels", "source.size=36"], "8 must divide source.size=36"),
        (["encoder=resnet18", "task=masked", "evaluation.pool=last4"], "evaluation.pool=last4 needs model.enco"),
        (["encoder=convnext", "task=masked", "task.min_keep=15"], "task.min_keep=15 of 16 patches leaves"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(overrides: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)) as caught:
        load(overrides=overrides)
    assert str(caught.value).count(";") <= 1
