"""What an error advises is tried: with it, the error is gone."""

from pathlib import Path

import pytest

from jepa.config import load
from jepa.errors import ConfigError, JEPAError
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_start import warnings_of

ADVICE = [
    ("model.target=shared", "model.target=ema", ["model.target=ema"]),
    ("model.target=shared", "or stopgrad", ["model.target=stopgrad"]),
    ("model.target=shared", "loss.name=vicreg", ["loss.name=vicreg"]),
    ("model.target=shared", "or infonce", ["loss.name=infonce"]),
    ("model.target=shared", "loss.force=true", ["loss.force=true"]),
    ("data.make=", "data.root=FOLDER", ["data.root=FOLDER"]),
    ("data.make=", "data.make=shapes", ["data.make=shapes"]),
    ("data.channels=1", "set both to 1", ["model.channels=1"]),
    ("data.channels=1", "or 3", ["data.channels=3"]),
    ("data.mean=[0.5,0.4]", "one number", ["data.mean=0.5"]),
    ("data.std=[0.5,0.4]", "one for each of data.channels=3", ["data.std=0.5,0.4,0.3"]),
    ("model.widths=2,2,2,2,2,2", "use at most 5", ["model.widths=2,2,2,2,2"]),
    ("model.widths=2,2,2,2,2,2", "or larger images", ["model.image_size=64", "model.target_size=64"]),
    ("regions.kind=blocks", "[0.15, 0.2] is I-JEPA's", ["regions.target_scale=[0.15, 0.2]"]),
    ("regions.overlap=0,0 regions.context_scale=1,1", "lower regions.context_scale", ["regions.context_scale=0.3,0.9"]),
    ("regions.overlap=0,0 regions.context_scale=1,1", "let the overlap reach 1", ["regions.overlap=0,1"]),
    ("model.encoder=mlp model.target_size=16", "set both to one size", ["model.target_size=32"]),
    ("model.encoder=mlp model.target_size=16", "take another encoder", ["model.encoder=cnn"]),
    ("method=ijepa model.encoder=mlp", "take method=crops", ["method=crops"]),
    ("method=ijepa model.encoder=mlp", "model.encoder=cnn", ["model.encoder=cnn"]),
    ("method=ijepa model.encoder=mlp", "or vit", ["model.encoder=vit"]),
    ("method=ijepa vit.dim=90", "or set vit.positions=learned", ["vit.positions=learned"]),
    ("method=ijepa evaluation.pool=cls", "needs vit.class_token=true", ["vit.class_token=true"]),
    ("method=ijepa model.encoder=cnn evaluation.pool=last4", "needs model.encoder=vit;", ["model.encoder=vit"]),
    ("method=ijepa model.encoder=cnn evaluation.pool=cls", "needs model.encoder=vit vit.class_token=true;",
     ["model.encoder=vit", "vit.class_token=true"]),
    ("method=ijepa masks.min_keep=64", "lower it", ["masks.min_keep=4"]),
    ("method=ijepa masks.min_keep=64", "or lower vit.patch_size", ["vit.patch_size=2"]),
    ("method=ijepa vit.patch_size=32 masks.min_keep=1", "predict: lower vit.patch_size", ["vit.patch_size=8"]),
    ("method=ijepa model.encoder=cnn masks.min_keep=64", "take a larger model.image_size", ["model.image_size=64"]),
    ("method=hjepa hierarchy.levels=2", "one weight for each", ["hierarchy.weights=1,1"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "advice", "remedy"), ADVICE)
def test_the_advice_of_a_broken_rule_mends_it(words: str, advice: str, remedy: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(overrides=words.split())
    assert advice in str(caught.value)
    load(overrides=[*words.split(), *remedy])


SHORT = ["optim.warmup_steps=100", "model.ema_start=0.99", "model.ema_end=1.0"]


@pytest.mark.parametrize(
    ("limit", "advice", "remedy"),
    [
        ("train.epochs=1", "raise train.epochs, or", "train.epochs=14"),
        ("train.max_steps=2", "raise train.max_steps, or", "train.max_steps=110"),
        ("train.max_steps=2", "set optim.warmup_steps=0", "optim.warmup_steps=0"),
    ],
)
def test_the_limit_that_is_named_is_the_one_that_holds(
    shapes_folder: Path, tmp_path: Path, limit: str, advice: str, remedy: str
) -> None:
    words = ["train.epochs=14", limit, *SHORT]
    train(config(shapes_folder, *words), out=tmp_path / "a")
    assert advice in next(text for text in warnings_of(tmp_path / "a") if "warm-up" in text)
    train(config(shapes_folder, *words, remedy), out=tmp_path / "b")
    assert not [text for text in warnings_of(tmp_path / "b") if "warm-up" in text]


def test_too_many_accumulated_batches(shapes_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(JEPAError, match="lower train.accumulate to 35 or less"):
        train(config(shapes_folder, "train.accumulate=100"), out=tmp_path / "run")
    train(config(shapes_folder, "train.accumulate=35", "train.epochs=1"), out=tmp_path / "run")
