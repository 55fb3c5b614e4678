"""The folder of a run: what a start may do to it, what it is resumed from, what opening it again says."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

import jepa
import minitensor as mt
import tests.minitensor.fake_cupy  # noqa: F401  (registers the device "fake")
from jepa.__main__ import main
from jepa.config import load
from jepa.errors import ConfigError, DataError, JEPAError, RunError
from jepa.evaluation.evaluate import evaluate_run
from jepa.pictures import page, style
from jepa.runs.checkpoint import list_checkpoints, read_checkpoint
from jepa.runs.folder import find_run, read_config
from jepa.runs.run import load_run
from jepa.training.log import RunLog
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config, make_images


def tree(folder):
    """Every file's content by its path."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def run(shapes_folder, tmp_path):
    """A run of one epoch, 8 steps, as if evaluated and drawn."""
    folder = tmp_path / "runs" / "old"
    train(config(shapes_folder, "train.epochs=1"), out=folder)
    for name in ("evaluation.json", "evaluation-birds.json"):
        (folder / name).write_text(json.dumps({"data": "a", "step": 8, "encoder": "target", "feature_dim": 8}))
    (folder / "report.html").write_text(page.document("JEPA run: old", []))
    style.save(style.new_figure(1), folder / "plots" / "loss.png")
    return folder


BAD_STARTS = [("source.root=nowhere",), ("evaluation.data=nowhere",), ("device=cuda:99",), ("train.accumulate=100",)]


@pytest.mark.parametrize("bad", BAD_STARTS, ids=str)
def test_a_start_that_fails_leaves_the_run_alone(shapes_folder, run, bad):
    before = tree(run)
    with pytest.raises((JEPAError, mt.errors.DeviceError)):
        train(config(shapes_folder, *bad), out=run, overwrite=True)
    assert tree(run) == before


@pytest.mark.parametrize("bad", BAD_STARTS, ids=str)
def test_a_start_that_fails_does_not_block_the_next(shapes_folder, tmp_path, bad):
    with pytest.raises((JEPAError, mt.errors.DeviceError)):
        train(config(shapes_folder, *bad), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_does_not_count(shapes_folder, run):
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    (run / "checkpoints" / ".step-00000002.safetensors.1.tmp").touch()
    with pytest.raises(RunError, match="stopped before the first"):
        train(config(shapes_folder), out=run, resume=True)
    with pytest.raises(RunError, match="not empty"):  # it was evaluated: somebody took its checkpoints away
        train(config(shapes_folder), out=run)
    for name in ("evaluation.json", "evaluation-birds.json", "report.html", "plots/loss.png"):
        (run / name).unlink()
    (run / "plots").rmdir()
    with pytest.raises(RunError, match="not empty"):  # it had come to the end of an epoch
        train(config(shapes_folder), out=run)
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text(lines[0])
    train(config(shapes_folder, "train.epochs=1"), out=run)
    assert len(list_checkpoints(run)) == 4


def test_overwrite_leaves_nothing_of_the_old_run_and_all_else(shapes_folder, run):
    (run / "notes.txt").write_text("mine")
    train(config(shapes_folder, "train.epochs=1", "train.checkpoint_every=null"), out=run, overwrite=True)
    names = {path.name for path in run.iterdir()}
    assert names == {
        "checkpoints", "config.yaml", "env.json", "metrics.jsonl", "model.txt", "train.log", "notes.txt",
    }  # fmt: skip
    assert len(list_checkpoints(run)) == 1


def test_a_resume_that_fails_changes_nothing(run, monkeypatch):
    before = tree(run)
    images = Path(read_config(run).source.settings.root)
    images.rename(images.with_name("away"))
    try:
        with pytest.raises(DataError):
            train(load(file=run / "config.yaml", overrides=["train.epochs=9"]), out=run, resume=True)
    finally:
        images.with_name("away").rename(images)
    with pytest.raises(RunError, match=r"is at step 8, but these settings end at step 5: raise train.max_steps"):
        train(load(file=run / "config.yaml", overrides=["train.max_steps=5"]), out=run, resume=True)
    assert tree(run) == before


def test_a_finished_run_has_nothing_to_resume(shapes_folder, run, caplog):
    before = tree(run)
    result = train(config(shapes_folder, "train.epochs=1"), out=run, resume=True)
    losses = [line["loss"] for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())]
    assert (result.folder, result.steps, result.loss) == (run, 8, losses[-1])
    assert "already trained to step 8 of 8: a larger train.epochs goes on" in caplog.text
    assert tree(run) == before


def test_going_on_from_an_earlier_checkpoint_leaves_no_later_one(shapes_folder, run):
    c = config(shapes_folder, "train.epochs=1")
    *_, earlier, last = list_checkpoints(run)
    best, arrays = run / "checkpoints" / "best.safetensors", read_checkpoint(last)[0]
    assert read_checkpoint(best)[1]["step"] == 8 and earlier.stem.endswith("6")
    last.write_bytes(b"damaged")
    with pytest.raises(KeyboardInterrupt):
        train(c, resume=earlier, stop_after=7)
    assert [path.stem[-1] for path in list_checkpoints(run)] == ["2", "4", "6", "7"]
    assert not best.exists() and load_run(run, device="cpu").step == 7
    train(c, out=run, resume=True)
    again = read_checkpoint(last)[0]
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_a_damaged_checkpoint_is_named_once_and_a_whole_one_before_it_offered(run):
    first, *damaged = list_checkpoints(run)
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match=f"whole: python -m jepa train --resume {first} goes on") as caught:
        load_run(run)
    assert str(caught.value).count(str(damaged[-1])) == 1
    first.write_bytes(b"")
    with pytest.raises(RunError, match="No whole one is before it: train again with --overwrite"):
        load_run(run)
    mt.save(first, {"x": np.zeros(3)})
    with pytest.raises(RunError, match="is no checkpoint of a training"):
        load_run(run, checkpoint=str(first))


def test_a_config_that_does_not_fit_the_weights_names_the_settings(run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("dim: 8", "dim: 12"))
    with pytest.raises(RunError, match=r"projector\.dim was 8, now 12"):
        load_run(run)
    with pytest.raises(RunError, match=r"projector\.dim was 8, now 12"):
        train(load(file=run / "config.yaml", overrides=["train.epochs=2"]), out=run, resume=True)


def test_a_run_may_move_to_another_device(run):
    c = load(file=run / "config.yaml", overrides=["train.epochs=2", "device=auto"])
    trainer = Trainer(c, run, "fake")
    trainer.restore(list_checkpoints(run)[-1])
    log = RunLog(run, step=8, steps=16)
    trainer.run(log)
    log.close()
    assert train(c, out=run, resume=True).steps == 16


def test_resume_finds_the_folder(shapes_folder, run):
    c = config(shapes_folder, "train.epochs=2")
    assert find_run(run / "checkpoints") == (run, None)
    last = list_checkpoints(run)[-1]
    assert find_run(last) == (run, last)
    with pytest.raises(
        RunError, match="there is no checkpoint .*step-9.safetensors; those of the run are: .*step-0000"
    ):
        find_run(run / "checkpoints" / "step-9.safetensors")
    with pytest.raises(RunError, match="leave --out away"):
        train(c, out=run.with_name("other"), resume=str(run))
    with pytest.raises(RunError, match="both resumed and overwritten"):
        train(c, out=run, resume=True, overwrite=True)
    assert train(c, resume=str(run)).folder == run


@pytest.mark.parametrize("what", [{"train": 1}, None, "demo"])
def test_only_a_config_is_trained(what):
    with pytest.raises(ConfigError, match="train needs a Config, but got a"):
        jepa.train(what)


def test_a_config_is_checked_wherever_it_comes_from(shapes_folder, tmp_path):
    c = config(shapes_folder)
    with pytest.raises(ConfigError, match="epochs=0"):
        train(dataclasses.replace(c, train=dataclasses.replace(c.train, epochs=0)), out=tmp_path / "run")


@pytest.mark.parametrize("out", ["file", "file/run"])
def test_a_place_that_cannot_be_written_to(shapes_folder, tmp_path, out):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=f"cannot write a run to .*{out}: .*file is a file"):
        train(config(shapes_folder), out=tmp_path / out)


def test_a_link_to_nothing_is_no_place(shapes_folder, tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    with pytest.raises(RunError, match="it is a link to nothing"):
        train(config(shapes_folder), out=tmp_path / "run")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("name", ["checkpoints", "plots"])
def test_a_run_of_which_a_part_is_read_only_is_not_half_deleted(shapes_folder, run, monkeypatch, name):
    before = tree(run)
    monkeypatch.setattr(os, "access", lambda path, mode: path != run / name)  # root may write anywhere
    with pytest.raises(RunError, match=f"{name} may not be written to, so the run in .*old cannot be replaced"):
        train(config(shapes_folder), out=run, overwrite=True)
    assert tree(run) == before


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(run, monkeypatch):
    last = list_checkpoints(run)[-1]
    monkeypatch.setattr(os, "access", lambda path, mode: path != last)  # root may read anything
    with pytest.raises(RunError, match="may not be read: change its permissions"):
        read_checkpoint(last)


def test_a_folder_that_is_read_only(shapes_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    with pytest.raises(RunError, match=f"cannot write a run to .*run: {tmp_path} may not be written to"):
        train(config(shapes_folder), out=tmp_path / "run")


def test_a_run_is_opened_from_any_working_directory(tmp_path, monkeypatch):
    make_images(tmp_path / "images")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(config(Path("images"), "evaluation.data=images"), out="run", stop_after=2)
    written = read_config(tmp_path / "run")
    assert written.source.settings.root == written.evaluation.data == str(tmp_path / "images")
    with pytest.raises(KeyboardInterrupt):  # another spelling of the same folder
        train(config("./elsewhere/../images", "evaluation.data=images"), out="run", resume=True, stop_after=4)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["train", "--resume", "../run"]) == 0
    assert evaluate_run("../run", device="cpu")["step"] == 24


def test_the_default_data_are_found_again_and_not_made_again(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    c = config("shapes", "source.count=60", "train.epochs=1")
    with pytest.raises(KeyboardInterrupt):
        train(c, out="run", stop_after=2)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_run(tmp_path / "run").source("train").path == tmp_path / "data" / "shapes-16-60"
    assert not list((tmp_path / "elsewhere").iterdir())
    train(c, out=tmp_path / "run", resume=True)
    assert evaluate_run(tmp_path / "run", device="cpu")["data"] == "shapes"
    (tmp_path / "data").rename(tmp_path / "gone")
    assert load_run(tmp_path / "run").source("train").path.resolve() == Path("data/shapes-16-60").resolve()


def test_skipped_images_are_told_once(tmp_path, caplog):
    images = make_images(tmp_path / "images")
    (images / "train" / "circle" / "broken.png").write_bytes(b"no image")
    train(config(images, "source.on_error=skip", "train.epochs=1"), out=tmp_path / "run")
    evaluate_run(tmp_path / "run", device="cpu")
    assert caplog.text.count("broken.png") == 1
