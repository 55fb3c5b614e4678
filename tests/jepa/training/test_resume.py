"""A run that is killed at any moment and resumed gives the same bits as one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import minitensor as mt
from jepa.config import to_yaml
from jepa.errors import RunError
from jepa.runs import checkpoint
from jepa.runs.checkpoint import list_checkpoints, read_checkpoint
from jepa.training.run import train
from tests.jepa.tiny import config

KILLS = int(os.environ.get("KILLS", "10"))
WALL_CLOCK = {"examples_per_second", "seconds", "waiting"}


def contents(folder):
    """The last and the best checkpoint's arrays and metadata, and the metrics without what a clock says."""
    last = read_checkpoint(list_checkpoints(folder)[-1])
    best = read_checkpoint(folder / "checkpoints" / "best.safetensors")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return *last, *best, [{k: v for k, v in line.items() if k not in WALL_CLOCK} for line in lines]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        if isinstance(x, dict) and all(isinstance(v, np.ndarray) for v in x.values()):
            assert x.keys() == y.keys()
            for name in x:
                np.testing.assert_array_equal(x[name], y[name], err_msg=name)
        else:
            assert x == y


@pytest.fixture(scope="module")
def whole(shapes_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(config(shapes_folder), out=folder)
    return contents(folder)


@pytest.mark.parametrize("step", [1, 2, 7, 8, 9, 15])
def test_stopped_and_resumed(shapes_folder, tmp_path, whole, step):
    c = config(shapes_folder)
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=step)
    train(c, out=tmp_path / "run", resume=True)
    assert_same(contents(tmp_path / "run"), whole)


@pytest.mark.parametrize("written", [0, 1])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_power_fails_just_before_or_after_a_checkpoint_is_written(
    shapes_folder, tmp_path, whole, monkeypatch, count, written
):
    calls, real = [], checkpoint.write_checkpoint

    def write(*args):
        calls.append(args)
        if len(calls) < count + written:
            real(*args)
        if len(calls) == count:
            raise SystemExit

    with monkeypatch.context() as m, pytest.raises(SystemExit):
        m.setattr(checkpoint, "write_checkpoint", write)
        train(config(shapes_folder), out=tmp_path / "run")
    train(config(shapes_folder), out=tmp_path / "run", resume=True)
    assert_same(contents(tmp_path / "run"), whole)


def test_accumulation_and_curriculum_resume_too(shapes_folder, tmp_path):
    c = config(
        shapes_folder, "train.accumulate=2", "task.target_scale_end=[0.5,0.9]", "task.targets=2", "optimizer=sgd"
    )
    train(c, out=tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "b", stop_after=3)
    train(c, out=tmp_path / "b", resume=True)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert_same(a, b)
    first, last = (line["curriculum/target_scale_min"] for line in (a[-1][0], a[-1][-2]))
    assert last > first


def command(folder, yaml, resume):
    way = ["--resume", str(folder)] if resume else ["--out", str(folder)]
    return [sys.executable, "-m", "jepa", "train", "--config", str(yaml), "--threads", "1", *way]


@pytest.mark.timeout(60 + 10 * KILLS)
def test_killed_at_any_moment(shapes_folder, tmp_path):
    """SIGKILL at random moments, also in the writing of a checkpoint; KILLS=100 in the environment for more."""
    c = config(shapes_folder, f"train.epochs={6 * KILLS // 10}", "train.checkpoint_every=1")
    yaml = tmp_path / "config.yaml"
    yaml.write_text(to_yaml(c))
    subprocess.run(command(tmp_path / "whole", yaml, resume=False), check=True, capture_output=True)
    draw, folder, kills = random.Random(0), tmp_path / "killed", 0
    while kills < KILLS:
        before = len(list_checkpoints(folder)) and list_checkpoints(folder)[-1]
        process = subprocess.Popen(
            command(folder, yaml, resume=bool(before)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:  # until it has come further than last time
            now = list_checkpoints(folder)
            if now and now[-1] != before:
                break
            time.sleep(0.002)
        time.sleep(draw.random() * 0.02)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
    if process.poll() != 0:
        subprocess.run(command(folder, yaml, resume=True), check=True, capture_output=True)
    assert kills >= KILLS // 2, "the run ended before it could be killed often enough: make it longer"
    assert_same(contents(folder), contents(tmp_path / "whole"))


def test_interrupt_saves_and_says_how_to_go_on(shapes_folder, tmp_path):
    yaml = tmp_path / "config.yaml"
    yaml.write_text(to_yaml(config(shapes_folder, "train.epochs=200", "train.checkpoint_every=null")))
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, yaml, resume=False), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list_checkpoints(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume {folder}" in errors and "Traceback" not in errors


def test_damaged_checkpoint_is_named_and_the_one_before_offered(shapes_folder, tmp_path):
    c = config(shapes_folder)
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=7)
    *_, before, last = list_checkpoints(tmp_path / "run")
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(RunError, match="is damaged") as caught:
        train(c, out=tmp_path / "run", resume=True)
    assert str(last) in str(caught.value) and f"--resume {before}" in str(caught.value)
    train(c, out=tmp_path / "run", resume=before)


def test_folders(shapes_folder, tmp_path):
    c = config(shapes_folder, "train.epochs=1")
    train(c, out=tmp_path / "run")
    with pytest.raises(RunError, match="--resume .* --overwrite.* --out"):
        train(c, out=tmp_path / "run")
    with pytest.raises(RunError, match="optimizer.lr was"):
        train(config(shapes_folder, "train.epochs=1", "optimizer.lr=0.5"), out=tmp_path / "run", resume=True)
    train(c, out=tmp_path / "run", overwrite=True)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(RunError, match="holds no run"):
        train(c, out=tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.txt").exists()


def test_keeps_the_last_the_best_and_n(shapes_folder, tmp_path):
    train(config(shapes_folder, "train.keep=2", "train.checkpoint_every=1"), out=tmp_path / "run")
    names = [p.name for p in list_checkpoints(tmp_path / "run")]
    assert len(names) == 3 and names[-1] == "step-00000024.safetensors"
    assert (tmp_path / "run" / "checkpoints" / "best.safetensors").exists()
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_checkpoint_holds_moments_target_and_generator(shapes_folder, tmp_path):
    train(config(shapes_folder, "train.epochs=1"), out=tmp_path / "run")
    arrays, metadata, *_ = contents(tmp_path / "run")
    assert any(k.startswith("model.target.copy.") and k.endswith("running_mean") for k in arrays)
    assert any(k.startswith("optimizer.") for k in arrays) and metadata["generator"]["bit_generator"] == "PCG64"
    loaded, _ = mt.load(list_checkpoints(tmp_path / "run")[-1])
    assert loaded.keys() == arrays.keys()
