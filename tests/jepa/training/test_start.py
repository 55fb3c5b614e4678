"""What `train` says at the start, how many steps it makes of how many images, and how it stops."""

import json
import signal
import subprocess
import sys
import time

import pytest

from jepa.config import to_yaml
from jepa.errors import RunError
from jepa.runs.checkpoint import list_checkpoints
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config, make_images

PATIENT = ("target.start=0.5", "target.end=0.5")  # a target that follows within the few steps of a test


def warnings_of(folder):
    lines = (folder / "train.log").read_text().splitlines()
    return [line.partition("warning: ")[2] for line in lines if "warning: " in line]


@pytest.mark.parametrize(("epochs", "most", "steps"), [(2, 40, 16), (2, 10, 10), (2, "null", 16), (2, 16, 16)])
def test_max_steps_is_a_cap(shapes_folder, tmp_path, epochs, most, steps):
    c = config(shapes_folder, f"train.epochs={epochs}", f"train.max_steps={most}")
    assert Trainer(c, tmp_path, "cpu").steps == steps


def test_a_run_that_is_long_enough_has_no_warnings(shapes_folder, tmp_path):
    train(config(shapes_folder, *PATIENT), out=tmp_path / "run")
    assert warnings_of(tmp_path / "run") == []


def test_too_few_steps_to_learn_anything_are_warned_of(shapes_folder, tmp_path):
    short = ("optimizer.warmup_steps=100", "target.start=0.99", "target.end=1.0", "train.epochs=1")
    train(config(shapes_folder, *short), out=tmp_path / "run")
    warm_up, target = warnings_of(tmp_path / "run")
    assert warm_up.startswith("all 8 steps lie in the warm-up, optimizer.warmup_steps=100: raise train.epochs")
    assert target.startswith("after 8 steps the target encoder is still 96 % its untrained self")
    assert target.endswith("target.start=0.74 target.end=0.74")  # 0.74^8 = 0.09
    train(config(shapes_folder, *short[:1], *PATIENT, "train.epochs=1"), out=tmp_path / "a")
    train(config(shapes_folder, short[-1], "optimizer.warmup_steps=2", "target=stopgrad"), out=tmp_path / "b")
    assert [len(warnings_of(tmp_path / name)) for name in "ab"] == [1, 0]


def test_sixty_images_are_enough_for_any_batch_size(tmp_path):
    images = make_images(tmp_path / "images", 60)
    c = config(images, "train.batch_size=64", "train.accumulate=2", "train.epochs=4", *PATIENT)
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=2)
    assert train(c, out=tmp_path / "run", resume=True).steps == 4
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(line["loss"] > 0 for line in steps)
    assert "training in batches of 25" in warnings_of(tmp_path / "run")[0]


@pytest.mark.parametrize(
    ("settings", "cure"),
    [(("train.accumulate=100",), "lower train.accumulate to"), (("source.limit=1",), "add examples")],
)
def test_too_few_images_for_a_step(tmp_path, shapes_folder, settings, cure):
    with pytest.raises(RunError, match=f"training examples make no step of .*{cure}"):
        train(config(shapes_folder, *settings), out=tmp_path / "run")


def test_skipped_images_of_both_parts_are_told_at_the_start(tmp_path):
    images = make_images(tmp_path / "images")
    for part in ("train", "val"):
        (images / part / "circle" / "broken.png").write_bytes(b"no image")
    with pytest.raises(KeyboardInterrupt):
        train(config(images, "source.on_error=skip", *PATIENT), out=tmp_path / "run", stop_after=1)
    training, held_out = warnings_of(tmp_path / "run")
    assert training.startswith("training examples: skipped 1 of") and "train/circle/broken.png" in training
    assert held_out.startswith("held-out examples: skipped 1 of") and "val/circle/broken.png" in held_out


def interrupted(shapes_folder, tmp_path, signals):
    """Run a training with slow steps in a process of its own, send it signals in step 1; return what it says."""
    (tmp_path / "config.yaml").write_text(to_yaml(config(shapes_folder, "train.epochs=50")))
    slow = (
        "import sys, time; from jepa.training.loop import Trainer as T; step = T._train_step\n"
        "def slow(self, batches):\n"
        "    print('in step', self.step, flush=True)\n"
        "    end = time.monotonic() + 1\n"
        "    while time.monotonic() < end: time.sleep(0.01)\n"
        "    return step(self, batches)\n"
        "T._train_step = slow\n"
        "from jepa.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["train", "--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "my run")]
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("in step 0")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    return errors


def test_one_ctrl_c_is_answered_and_saves(shapes_folder, tmp_path):
    errors = interrupted(shapes_folder, tmp_path, 1)
    assert "stopping after this step" in errors
    assert f"stopped at step 1 of 400, saved. Go on with: python -m jepa train --resume '{tmp_path}/my run'" in errors
    assert len(list_checkpoints(tmp_path / "my run")) == 1


def test_two_ctrl_c_say_that_nothing_is_saved(shapes_folder, tmp_path):
    errors = interrupted(shapes_folder, tmp_path, 2)
    assert "stopped at step 0 of 400, before its first checkpoint: nothing is saved" in errors
    assert "--resume" not in errors and not list_checkpoints(tmp_path / "my run")
