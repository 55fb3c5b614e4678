"""The whole training on a device that is not the CPU: the strict stand-in, which refuses what CuPy refuses.

The same weights, batches and regions as on the CPU, so the losses agree to rounding. On a real GPU the same test runs
with CuPy.
"""

import json

import numpy as np
import pytest

import minitensor as mt
from jepa.frozen import features
from jepa.runs.run import load_run
from jepa.training.log import RunLog
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.minitensor import fake_cupy  # noqa: F401  (registers the device "fake")

DEVICES = ["fake", pytest.param("cuda", marks=pytest.mark.gpu)]


def losses(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line["kind"] == "step"]


def run_on(device, c, folder):
    folder.mkdir()
    trainer = Trainer(c, folder, device)
    log = RunLog(folder, step=0, steps=trainer.steps)
    trainer.run(log)
    log.close()
    return trainer


@pytest.mark.parametrize("loss", ["infonce", "vicreg", "l2", "smooth_l1", "cosine"])
@pytest.mark.parametrize("device", DEVICES)
def test_trains_as_on_the_cpu(shapes_folder, tmp_path, device, loss):
    c = config(shapes_folder, "train.epochs=1", "train.log_every=1", "optimizer.clip=1.0", f"objective={loss}")
    trainer = run_on(device, c, tmp_path / "device")
    assert all(p.device.startswith(device) for p in trainer.model.parameters())
    run_on("cpu", c, tmp_path / "host")
    # BatchNorm over 8 images of 16 x 16 and sums in another order: 1e-3 after 8 steps of Adam
    np.testing.assert_allclose(losses(tmp_path / "device"), losses(tmp_path / "host"), rtol=2e-3)


@pytest.mark.parametrize("task", ["crops", "masked", "levels"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_gpu_takes_batches_whole_whatever_the_threads(shapes_folder, tmp_path, device, task):
    """`data_parallel` cuts them for threads of the CPU; in parts on a GPU they would be computed one after another."""
    c = config(shapes_folder, "train.epochs=1", "train.log_every=1", "train.batch_size=16", f"task={task}")
    threads = mt.get_num_threads()
    try:
        mt.set_num_threads(2)
        trainer = run_on(device, c, tmp_path / "two")
        images = np.zeros((16, 3, 16, 16), np.float32)
        assert np.isfinite(features(trainer.model, images)).all()
        mt.set_num_threads(1)
        run_on(device, c, tmp_path / "one")
    finally:
        mt.set_num_threads(threads)
    np.testing.assert_array_equal(losses(tmp_path / "two"), losses(tmp_path / "one"))


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_is_opened_on_the_device(shapes_folder, tmp_path, device):
    train(config(shapes_folder, "train.epochs=1"), out=tmp_path / "run")
    here, there = load_run(tmp_path / "run", device="cpu"), load_run(tmp_path / "run", device=device)
    val = here.source("val")
    images = val.normalize(val.read(range(len(val))))
    np.testing.assert_allclose(there.features(images), here.features(images), rtol=1e-3, atol=1e-4)
    for name, value in here.held_out().items():
        assert there.held_out()[name] == pytest.approx(value, rel=1e-3)
    np.testing.assert_allclose(
        there.features(images, there.random_twin(0, images)), here.features(images, here.random_twin(0, images)),
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("device", DEVICES)
def test_half_precision_trains_with_float32_weights(shapes_folder, tmp_path, device, precision):
    c = config(
        shapes_folder, "train.epochs=1", "train.log_every=1", "optimizer.clip=1.0", f"train.precision={precision}"
    )
    trainer = run_on(device, c, tmp_path / "half")
    assert {p.dtype for p in trainer.model.parameters()} == {np.dtype("float32")}
    run_on("cpu", config(shapes_folder, "train.epochs=1", "train.log_every=1", "optimizer.clip=1.0"), tmp_path / "host")
    half, host = losses(tmp_path / "half"), losses(tmp_path / "host")
    assert half != host
    # the first step sees the same weights: 8 bits of mantissa in bfloat16
    assert half[0] == pytest.approx(host[0], rel=5e-2) and np.isfinite(half).all()


def test_half_precision_on_the_cpu_says_so_and_changes_nothing(shapes_folder, tmp_path):
    words = ["train.epochs=1", "train.log_every=1"]
    train(config(shapes_folder, *words), out=tmp_path / "a")
    train(config(shapes_folder, *words, "train.precision=float16"), out=tmp_path / "b")
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert "only storage" in (tmp_path / "b" / "train.log").read_text()
