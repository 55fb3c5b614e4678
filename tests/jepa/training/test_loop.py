"""What the loop does beside resuming: it learns, logs, warns of collapse, stops at nan, follows its schedules."""

import json
import warnings

import numpy as np
import pytest

from jepa.config import OptimConfig
from jepa.errors import ConfigError, RunError
from jepa.training.loop import learning_rate
from jepa.training.run import train
from tests.jepa.tiny import config

LOGGED = set(
    "step epoch loss lr ema grad_norm/encoder grad_norm/predictor images_per_second feature_std effective_rank "
    "prediction_cosine seconds waiting".split()
)
PLAIN = """
augment.flip=0 augment.vertical_flip=0 augment.jitter_p=0 augment.grayscale=0 regions.context_scale=[1,1]
regions.target_scale=[1,1]
""".split()


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_overfits_eight_images(tmp_path, shapes_folder):
    settings = ("data.limit=8", "train.epochs=150", "train.checkpoint_every=0", "model.ema_end=0.9")
    c = config(shapes_folder, *settings, *PLAIN)
    train(c, out=tmp_path / "run")
    steps = [line for line in metrics(tmp_path / "run") if line["kind"] == "step"]
    assert steps[0]["loss"] > 1.5 and steps[-1]["loss"] < 0.5  # ln 8 = 2.08 is chance


def test_logs_everything(tmp_path, shapes_folder):
    train(config(shapes_folder, "loss.name=vicreg", "train.epochs=1"), out=tmp_path / "run")
    step, *_, epoch = metrics(tmp_path / "run")
    assert LOGGED | {"loss/invariance", "loss/variance", "loss/covariance"} <= step.keys()
    assert {"validation_loss", "validation_loss_shuffled"} <= epoch.keys()
    parts = 25 * step["loss/invariance"] + 25 * step["loss/variance"] + step["loss/covariance"]
    assert step["loss"] == pytest.approx(parts, rel=1e-4)
    assert "epoch 1/1" in (tmp_path / "run" / "train.log").read_text()


COLLAPSING = ("model.target=shared", "loss.name=l2", "loss.normalize_targets=false", "optim.lr=0.02", "train.epochs=25")


def test_collapse_is_warned_of(tmp_path, shapes_folder):
    train(config(shapes_folder, *COLLAPSING, "loss.force=true"), out=tmp_path / "run")
    assert (tmp_path / "run" / "train.log").read_text().count("embeddings have collapsed") == 1


def test_collapsing_configuration_is_refused(shapes_folder):
    with pytest.raises(ConfigError, match="loss.force"):
        config(shapes_folder, *COLLAPSING)


def test_a_loss_that_is_not_finite_stops_the_run_with_one_sentence(tmp_path, shapes_folder, capfd):
    c = config(shapes_folder, "loss.name=l2", "optim.name=sgd", "optim.lr=1e30", "optim.warmup_steps=0")
    with warnings.catch_warnings(), pytest.raises(RunError, match="the loss is .* lower optim.lr"):
        warnings.simplefilter("error")
        train(c, out=tmp_path / "run")
    assert "the loss is" not in capfd.readouterr().err  # whoever catches the error prints it
    assert "the loss is" in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_learning_rate(schedule):
    c = OptimConfig(lr=1.0, warmup_steps=10, final_lr=0.1, schedule=schedule)
    values = [learning_rate(c, step, 100) for step in range(101)]
    np.testing.assert_allclose(values[:10], np.arange(1, 11) / 10)
    assert values[10:] == sorted(values[10:], reverse=True)
    assert values[100] == pytest.approx(1.0 if schedule == "constant" else 0.1)


def test_accumulation_equals_one_large_batch_where_no_statistics_are_shared(tmp_path, shapes_folder):
    common = (
        "model.norm=none",
        "loss.name=l2",
        "train.max_steps=1",
        "optim.name=sgd",
        "augment.jitter_p=0",
        "data.prefetch=0",
    )
    gradients = []
    for i, sizes in enumerate((("train.batch_size=16",), ("train.batch_size=8", "train.accumulate=2"))):
        train(config(shapes_folder, *common, *sizes), out=tmp_path / str(i))
        gradients.append(metrics(tmp_path / str(i))[0]["grad_norm/encoder"])
    assert gradients[0] == pytest.approx(gradients[1], rel=0.2)  # the predictor's batch norm still sees 8 or 16
