"""What an error advises is tried: with it, the error is gone."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from jepa.assembly import assemble
from jepa.config import load
from jepa.errors import ConfigError, JEPAError
from jepa.frozen import check_features
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_start import warnings_of

WHOLE = "task.overlap=0,0 task.context_scale=1,1"
ADVICE = [
    ("target=shared", "target=ema", ["target=ema"]),
    ("target=shared", "or stopgrad", ["target=stopgrad"]),
    ("target=own", "such as vicreg", ["objective=vicreg"]),
    ("target=shared", "or infonce", ["objective=infonce"]),
    ("target=stopgrad predictor=none", "use target=ema", ["target=ema"]),
    ("target=stopgrad predictor=none", "another predictor", ["predictor=mlp"]),
    ("source.channels=2", "must be 1", ["source.channels=1"]),
    ("source.channels=2", "or 3", ["source.channels=3"]),
    ("source.mean=[0.5,0.4]", "one number", ["source.mean=0.5"]),
    ("source.std=[0.5,0.4]", "one for each of source.channels=3", ["source.std=0.5,0.4,0.3"]),
    ("encoder.widths=2,2,2,2,2,2,2", "use at most 6", ["encoder.widths=2,2,2,2,2,2"]),
    ("encoder.widths=2,2,2,2,2,2,2", "or larger images", ["source.size=64", "task.target_size=64"]),
    ("task.regions=blocks", "[0.15, 0.2] is I-JEPA's", ["task.target_scale=[0.15, 0.2]"]),
    (WHOLE, "lower task.context_scale", ["task.context_scale=0.3,0.9"]),
    (WHOLE, "let the overlap reach 1", ["task.overlap=0,1"]),
    ("encoder=mlp task.target_size=16", "takes examples of one shape alone, 3 x 32 x 32", ["task.target_size=32"]),
    ("encoder=mlp task.target_size=16", "take another encoder", ["encoder=cnn"]),
    ("task=masked encoder=mlp", "take task=views", ["task=views"]),
    ("task=masked encoder.patch=5", "must divide an example's 32 x 32: take another patch", ["encoder.patch=8"]),
    ("task=masked encoder.patch=5", "or a source of examples of another size", ["source.size=40"]),
    ("task=masked predictor=geometry", "take predictor=places", ["predictor=places"]),
    ("evaluation.layer=3", "take at most 1", ["evaluation.layer=1"]),
    ("evaluation.layer=3", "0 for the encoder", ["evaluation.layer=0"]),
    ("evaluation.layer=3", "a run with a deeper projector", ["projector=mlp"]),
    (
        "task=masked evaluation.layer=1 projector=linear evaluation.pool=last4",
        "take evaluation.pool=mean",
        ["evaluation.pool=mean"],
    ),
    (
        "task=masked evaluation.layer=1 projector=linear evaluation.pool=last4",
        "or evaluation.layer=0",
        ["evaluation.layer=0"],
    ),
    ("encoder.patch=4", "encoder=cnn has no setting patch; encoder=vit, ", ["encoder=vit"]),
    ("task=masked evaluation.pool=cls", "has mean, max, attentive, last4", ["evaluation.pool=last4"]),
    ("task=masked encoder=cnn evaluation.pool=last4", "CNN has mean", ["evaluation.pool=mean"]),
    ("task=masked task.min_keep=64", "lower it", ["task.min_keep=4"]),
    ("task=masked task.min_keep=64", "a smaller encoder.patch", ["encoder.patch=2"]),
    ("task=masked encoder.patch=32 task.min_keep=1", "a smaller encoder.patch", ["encoder.patch=8"]),
    ("task=masked encoder=cnn task.min_keep=64", "or a larger source.size", ["source.size=64"]),
    ("task=levels task.levels=2", "one weight for each", ["task.weights=1,1", "predictor.levels=2"]),
    ("task=levels predictor.levels=2", "set the two alike", ["predictor.levels=3"]),
]


def made(words: Sequence[str]) -> None:
    """Make the parts, and look at what a training looks at before it starts."""
    config = load(overrides=words)
    check_features(assemble(config.choices, config.seed).model, config.evaluation.pool, config.evaluation.layer)


@pytest.mark.parametrize(("words", "advice", "remedy"), ADVICE)
def test_the_advice_of_a_broken_rule_mends_it(words: str, advice: str, remedy: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        made(words.split())
    assert advice in str(caught.value)
    made([*words.split(), *remedy])


SHORT = ["optimizer.warmup_steps=100", "target.start=0.99", "target.end=1.0"]


@pytest.mark.parametrize(
    ("limit", "advice", "remedy"),
    [
        ("train.epochs=1", "raise train.epochs, or", "train.epochs=14"),
        ("train.max_steps=2", "raise train.max_steps, or", "train.max_steps=110"),
        ("train.max_steps=2", "set optimizer.warmup_steps=0", "optimizer.warmup_steps=0"),
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
