"""What the loop does beside resuming: it learns, logs, warns of collapse, stops at nan, follows its schedules."""

import json
import math
import warnings

import numpy as np
import pytest

from jepa.config import OptimConfig
from jepa.errors import ConfigError, RunError
from jepa.methods import build
from jepa.training.loop import Trainer, learning_rate, weight_decay
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
    values = [learning_rate(c, step, 100) for step in range(100)]
    np.testing.assert_allclose(values[:10], np.arange(1, 11) / 10)
    assert values[9:] == sorted(values[9:], reverse=True)
    assert values[99] == pytest.approx(1.0 if schedule == "constant" else 0.1)  # at the last step
    assert schedule == "constant" or values[98] > 0.1


class Official:
    """The schedules of I-JEPA's code, facebookresearch/ijepa src/utils/schedulers.py, written out by hand.

    They count the step and then set the values; training calls them before its step.
    """

    def __init__(self, warmup, start, reference, final, decay, final_decay, momenta, scale, total):
        self.t, self.warmup, self.start, self.reference, self.final = 0, warmup, start, reference, final
        self.decay, self.final_decay, self.momenta, self.total = decay, final_decay, momenta, total
        self.length, self.average = int(scale * total), total * scale

    def step(self):
        self.t += 1
        if self.t < self.warmup:
            lr = self.start + self.t / self.warmup * (self.reference - self.start)
        else:
            progress = (self.t - self.warmup) / max(1, self.length - self.warmup)
            lr = self.final + (self.reference - self.final) * 0.5 * (1 + math.cos(math.pi * progress))
        way = 0.5 * (1 + math.cos(math.pi * self.t / self.length))
        decay = self.final_decay + (self.decay - self.final_decay) * way
        m = self.momenta
        return lr, decay, m[0] + (self.t - 1) * (m[1] - m[0]) / self.average


@pytest.mark.parametrize("scale", [1.0, 1.25, 2.0])
@pytest.mark.parametrize("warmup", [0, 1, 4, 40])
@pytest.mark.parametrize("decays", [(0.04, 0.4), (0.0, 0.4), (0.4, 0.04)])
def test_schedules_are_the_official_ones_step_by_step(shapes_folder, scale, warmup, decays):
    total = 40
    words = [f"optim.lr=1e-3 optim.start_lr=2e-4 optim.final_lr=1e-6 optim.warmup_steps={warmup}"]
    words += [f"optim.weight_decay={decays[0]} optim.weight_decay_end={decays[1]} optim.ipe_scale={scale}"]
    words += ["method=ijepa loss.name=smooth_l1 vit.dim=8 vit.depth=1 vit.heads=1 vit.predictor_dim=8 masks.min_keep=2"]
    words += ["vit.predictor_heads=1 model.ema_start=0.996 model.ema_end=1 model.ema_schedule=linear"]
    c = config(shapes_folder, *" ".join(words).split())
    official, method = Official(warmup, 2e-4, 1e-3, 1e-6, *decays, (0.996, 1.0), scale, total), build(c, total)
    for step in range(total):
        ours = learning_rate(c.optim, step, total), weight_decay(c.optim, step, total), method.momentum(step)
        np.testing.assert_allclose(ours, official.step(), rtol=1e-13, atol=1e-18)
    if scale == 1 and warmup < total:
        assert ours[:2] == pytest.approx((1e-6, decays[1]), rel=1e-12)  # the last step has what the settings say


def test_weight_decay_that_starts_at_0_comes_to_the_weights_and_no_others(tmp_path, shapes_folder):
    c = config(shapes_folder, "optim.weight_decay=0", "optim.weight_decay_end=0.4", "train.max_steps=4")
    trainer = Trainer(c, tmp_path, "cpu")
    batches, seen = trainer._batches(), []
    for _ in range(4):
        trainer._train_step(batches)
        seen.append([g["weight_decay"] for g in trainer.optimizer.param_groups])
    np.testing.assert_allclose(seen, [(weight_decay(c.optim, step, 4), 0) for step in range(4)])
    assert seen[0][0] > 0 and seen[-1] == [0.4, 0.0]


def test_schedules_of_more_steps_than_anybody_will_live_to_see():
    c = OptimConfig(weight_decay_end=0.4, warmup_steps=10**20)
    for step in (0, 10**20, 10**21 - 1):
        assert 0 < learning_rate(c, step, 10**21) <= c.lr and 0.0499 < weight_decay(c, step, 10**21) <= 0.4


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
