"""What the loop does beside resuming: it learns, logs, warns of collapse, stops at nan, follows its schedules."""

import json
import math
import re
import warnings

import numpy as np
import pytest

import minitensor as mt
from jepa.errors import ConfigError, RunError
from jepa.targets import EMA
from jepa.training.loop import Trainer
from jepa.training.optimizer import AdamW
from jepa.training.run import train
from jepa.transforms import loops
from tests.jepa.tiny import config

LOGGED = set(
    "step epoch loss lr ema grad_norm/encoder grad_norm/predictor examples_per_second feature_std effective_rank "
    "prediction_cosine seconds waiting".split()
)
PLAIN = """
augment.flip=0 augment.vertical_flip=0 augment.jitter_p=0 augment.grayscale=0 task.context_scale=[1,1]
task.target_scale=[1,1]
""".split()


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_overfits_eight_images(tmp_path, shapes_folder):
    settings = ("source.limit=8", "train.epochs=150", "train.checkpoint_every=null", "target.end=0.9")
    c = config(shapes_folder, *settings, *PLAIN)
    train(c, out=tmp_path / "run")
    steps = [line for line in metrics(tmp_path / "run") if line["kind"] == "step"]
    assert steps[0]["loss"] > 1.5 and steps[-1]["loss"] < 0.5  # ln 8 = 2.08 is chance


def test_logs_everything(tmp_path, shapes_folder):
    train(config(shapes_folder, "objective=vicreg", "train.epochs=1"), out=tmp_path / "run")
    step, *_, epoch = metrics(tmp_path / "run")
    assert LOGGED | {"loss/invariance", "loss/variance", "loss/covariance"} <= step.keys()
    assert {"validation_loss", "validation_loss_shuffled"} <= epoch.keys()
    parts = 25 * step["loss/invariance"] + 25 * step["loss/variance"] + step["loss/covariance"]
    assert step["loss"] == pytest.approx(parts, rel=1e-4)
    assert "epoch 1/1" in (tmp_path / "run" / "train.log").read_text()


def test_says_once_what_it_compiled(tmp_path, shapes_folder, monkeypatch):
    pytest.importorskip("numba")
    c, before, said = config(shapes_folder, "train.epochs=1"), mt.get_kernels(), {}
    mt.set_kernels("compiled")
    try:
        train(c, out=tmp_path / "warm")  # whatever else is needed
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
        for run in ("compiles", "finds it on disk"):
            monkeypatch.setattr(loops, "color", mt.compiled(loops.color.function))
            train(c, out=tmp_path / run)
            said[run] = re.findall(r"compiled .*", (tmp_path / run / "train.log").read_text())
    finally:
        mt.set_kernels(before)
    assert len(said["compiles"]) == 1 and re.match(r"compiled 1 loop in \d+\.\d s", said["compiles"][0])
    assert said["finds it on disk"] == []


COLLAPSING = ("target=shared", "optimizer.lr=0.02", "train.epochs=25")


def test_collapse_is_warned_of(tmp_path, shapes_folder):
    nothing = "objective=vicreg objective.invariance=1 objective.variance=1e-6 objective.covariance=0".split()
    train(config(shapes_folder, *COLLAPSING, *nothing), out=tmp_path / "run")
    assert (tmp_path / "run" / "train.log").read_text().count("embeddings have collapsed") == 1


def test_collapsing_configuration_is_refused(tmp_path, shapes_folder):
    with pytest.raises(ConfigError, match="target=shared with objective=l2 must collapse"):
        train(config(shapes_folder, *COLLAPSING, "objective=l2"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_with_one_sentence(tmp_path, shapes_folder, capfd):
    c = config(shapes_folder, "objective=l2", "optimizer=sgd", "optimizer.lr=1e30", "optimizer.warmup_steps=0")
    with warnings.catch_warnings(), pytest.raises(RunError, match="the loss is .* lower optimizer.lr"):
        warnings.simplefilter("error")
        train(c, out=tmp_path / "run")
    assert "the loss is" not in capfd.readouterr().err  # whoever catches the error prints it
    assert "the loss is" in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_learning_rate(schedule):
    c = AdamW(lr=1.0, warmup_steps=10, final_lr=0.1, schedule=schedule)
    values = [c.learning_rate(step, 100) for step in range(100)]
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
def test_schedules_are_the_official_ones_step_by_step(scale, warmup, decays):
    total = 40
    rates = {"lr": 1e-3, "start_lr": 2e-4, "final_lr": 1e-6, "warmup_steps": warmup}
    c = AdamW(**rates, weight_decay=decays[0], weight_decay_end=decays[1], ipe_scale=scale)
    target = EMA(start=0.996, end=1.0, schedule="linear")
    official = Official(warmup, 2e-4, 1e-3, 1e-6, *decays, (0.996, 1.0), scale, total)
    for step in range(total):
        ours = c.learning_rate(step, total), c.decay(step, total), target.momentum(step, scale * total)
        np.testing.assert_allclose(ours, official.step(), rtol=1e-13, atol=1e-18)
    if scale == 1 and warmup < total:
        assert ours[:2] == pytest.approx((1e-6, decays[1]), rel=1e-12)  # the last step has what the settings say


def test_weight_decay_that_starts_at_0_comes_to_the_weights_and_no_others(tmp_path, shapes_folder):
    c = config(shapes_folder, "optimizer.weight_decay=0", "optimizer.weight_decay_end=0.4", "train.max_steps=4")
    trainer = Trainer(c, tmp_path, "cpu")
    batches, seen = trainer._batches(), []
    for _ in range(4):
        trainer._train_step(batches)
        seen.append([g["weight_decay"] for g in trainer.optimizer.param_groups])
    np.testing.assert_allclose(seen, [(c.optimizer.settings.decay(step, 4), 0) for step in range(4)])
    assert seen[0][0] > 0 and seen[-1] == [0.4, 0.0]


def test_schedules_of_more_steps_than_anybody_will_live_to_see():
    c = AdamW(weight_decay_end=0.4, warmup_steps=10**9)
    for step in (0, 10**20, 10**21 - 1):
        assert 0 < c.learning_rate(step, 10**21) <= c.lr and 0.0499 < c.decay(step, 10**21) <= 0.4
    assert EMA(start=0.5).kept(10**21, 1e21) == 0


def test_accumulation_equals_one_large_batch_where_no_statistics_are_shared(tmp_path, shapes_folder):
    common = (
        "encoder.norm=none",
        "objective=l2",
        "train.max_steps=1",
        "optimizer=sgd",
        "augment.jitter_p=0",
        "train.prefetch=0",
    )
    gradients = []
    for i, sizes in enumerate((("train.batch_size=16",), ("train.batch_size=8", "train.accumulate=2"))):
        train(config(shapes_folder, *common, *sizes), out=tmp_path / str(i))
        gradients.append(metrics(tmp_path / str(i))[0]["grad_norm/encoder"])
    assert gradients[0] == pytest.approx(gradients[1], rel=0.2)  # the predictor's batch norm still sees 8 or 16
