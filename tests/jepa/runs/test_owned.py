"""Only what a run of ours has written is deleted or replaced, and one training at a time writes to a folder."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minitensor as mt
from jepa.__main__ import main
from jepa.errors import ConfigError, JEPAError, RunError
from jepa.files.atomic import replacing, write_text
from jepa.files.lock import Taken, writing
from jepa.files.mark import UNMARKED, is_run
from jepa.pictures.report import draw
from jepa.runs.checkpoint import list_checkpoints, read_checkpoint
from jepa.runs.owned import is_ours
from jepa.runs.run import load_run
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config

FOREIGN = {
    "config.yaml": "model:\n  name: resnet\ntrain:\n  epochs: 3\n",
    "checkpoints/best.pt": "weights of years",
    "checkpoints/best.safetensors": "of another tool",
    "checkpoints/step-00000100.safetensors": "of another tool",
    "plots/loss.png": "a picture",
    "report.html": "<html>my report</html>",
    "evaluation.json": "{}",
    "metrics.jsonl": '{"loss": 1}\n',
    "train.log": "epoch 1\n",
    "env.json": '{"python": "3.11"}',
}


def tree(folder):
    """Every file's content by its path."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def written(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def one(shapes_folder, tmp_path_factory):
    """A run of one epoch, drawn; not to be changed."""
    folder = tmp_path_factory.mktemp("one") / "run"
    train(config(shapes_folder, "train.epochs=1"), out=folder)
    draw(folder, device="cpu")
    return folder


@pytest.fixture
def run(one, tmp_path):
    """A copy of it."""
    for path, content in tree(one).items():
        copy = tmp_path / "run" / path.relative_to(one)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return tmp_path / "run"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("left_out", [(), ("env.json",), ("config.yaml",), tuple(FOREIGN)[1:], tuple(FOREIGN)[2:]])
def test_the_folder_of_another_program_stays_as_it_is(shapes_folder, tmp_path, overwrite, left_out):
    files = {name: text for name, text in FOREIGN.items() if name not in left_out}
    folder = written(tmp_path / "theirs", files)
    before = tree(folder)
    with pytest.raises(RunError, match="holds no run"):
        train(config(shapes_folder), out=folder, overwrite=overwrite)
    assert tree(folder) == before and not is_run(folder)


def test_overwrite_deletes_what_is_ours_by_name_and_content(shapes_folder, run):
    theirs = {
        "checkpoints/best.pt": "weights of years",
        "plots/regions.png": "a picture",
        "plots/mine.png": "a picture",
        "report.html": "<html>my report</html>",
        "evaluation.json": "{}",
        "notes.txt": "mine",
    }
    written(run, theirs)
    train(config(shapes_folder, "train.epochs=1", "train.checkpoint_every=null"), out=run, overwrite=True)
    assert all((run / name).read_text() == text for name, text in theirs.items())
    assert {path.name for path in (run / "plots").iterdir()} == {"regions.png", "mine.png"}
    assert [path.name for path in list_checkpoints(run)] == ["step-00000008.safetensors"]


@pytest.mark.parametrize("name", ["config.yaml", "train.log", "metrics.jsonl", "model.txt", "checkpoints"])
def test_what_is_in_the_way_is_named_and_nothing_changes(shapes_folder, run, name):
    if name == "checkpoints":
        for path in (run / name).iterdir():
            path.unlink()
        (run / name).rmdir()
    (run / name).write_text("mine")
    before = tree(run)
    with pytest.raises(RunError, match=f"{name} is in the way of a new run"):
        train(config(shapes_folder), out=run, overwrite=True)
    assert tree(run) == before


def test_a_damaged_checkpoint_is_put_aside_and_not_deleted(shapes_folder, run):
    last = list_checkpoints(run)[-1]
    last.write_bytes(b"damaged")
    train(config(shapes_folder, "train.epochs=1"), out=run, overwrite=True)
    (aside,) = (run / "checkpoints").glob("*.damaged")
    assert aside.read_bytes() == b"damaged" and load_run(run, device="cpu").step == 8


@pytest.mark.parametrize("name", ["checkpoints", "plots"])
def test_what_is_behind_a_link_stays_and_the_new_weights_are_kept(shapes_folder, run, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    (run / name).rename(elsewhere)
    (run / name).symlink_to(elsewhere)
    before = tree(elsewhere)
    train(config(shapes_folder, "train.epochs=1", "seed=5"), out=run, overwrite=True)
    assert tree(elsewhere) == before and f"{name} was a link to {elsewhere}" in (run / "train.log").read_text()
    assert "seed: 5" in read_checkpoint(list_checkpoints(run)[-1])[1]["config"]
    assert load_run(run, device="cpu").config.seed == 5 and not (run / "checkpoints").is_symlink()


def test_a_run_behind_a_link_is_replaced_there(shapes_folder, run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    train(config(shapes_folder, "train.epochs=1", "seed=5"), out=tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink() and load_run(run, device="cpu").config.seed == 5


def test_a_run_of_version_0_1_0_is_one(shapes_folder, run):
    env = json.loads((run / "env.json").read_text())
    (run / "env.json").write_text(json.dumps({key: env[key] for key in UNMARKED}))
    report = (run / "report.html").read_text().replace('<meta name="generator" content="minitensor-jepa">\n', "")
    (run / "report.html").write_text(report)
    image = Image.open(run / "plots" / "loss.png")
    image.load()
    image.save(run / "plots" / "loss.png", dpi=(150, 150))  # without a word on the software
    assert is_run(run) and is_ours(run / "report.html") and is_ours(run / "plots" / "loss.png")
    assert train(config(shapes_folder, "train.epochs=2"), out=run, resume=True).steps == 16
    train(config(shapes_folder, "train.epochs=1"), out=run, overwrite=True)
    assert not (run / "report.html").exists() and not (run / "plots").exists()


def test_every_file_of_a_run_is_known_as_ours(run):
    files = {path for path in run.rglob("*") if path.is_file()}
    assert len(files) > 12 and all(is_ours(path) for path in files)


@pytest.mark.parametrize("name", ["report.html", "plots/loss.png"])
def test_pictures_and_report_replace_nothing_of_others(run, name):
    (run / name).write_text("mine")
    with pytest.raises(RunError, match=f"{name} is in the way"):
        draw(run, device="cpu")
    assert (run / name).read_text() == "mine"


def test_nothing_is_deleted_before_the_first_batch_was_computed(shapes_folder, run, monkeypatch):
    before = tree(run)
    monkeypatch.setattr("jepa.learner.JEPA.loss", lambda *_: 1 / 0)
    for way in ({"overwrite": True}, {"resume": True}):
        with pytest.raises(ConfigError, match="a step with these settings fails: division by zero"):
            train(config(shapes_folder, "train.epochs=2"), out=run, **way)
        assert tree(run) == before


def test_the_rehearsal_changes_no_bit(shapes_folder, run, tmp_path):
    c = config(shapes_folder, "train.epochs=1")
    train(c, out=tmp_path / "fresh")
    train(c, out=run, overwrite=True)
    a, b = (read_checkpoint(list_checkpoints(folder)[-1]) for folder in (tmp_path / "fresh", run))
    assert a[1] == b[1] and all(np.array_equal(a[0][name], b[0][name]) for name in a[0])


# -- one at a time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [{"overwrite": True}, {"resume": True}])
def test_a_second_training_is_refused(shapes_folder, run, way):
    before = tree(run)
    with (
        writing(run),
        pytest.raises(RunError, match=rf"is being written by another training \(process {os.getpid()}\)"),
    ):
        train(config(shapes_folder, "train.epochs=2"), out=run, **way)
    assert tree(run) == before


def test_the_lock_is_held_to_the_end_and_gone_after(shapes_folder, tmp_path, monkeypatch):
    seen = []
    step = Trainer._train_step

    def look(self, batches):
        with pytest.raises(Taken), writing(tmp_path / "run"):
            pass
        seen.append((tmp_path / "run" / ".lock").exists())
        return step(self, batches)

    monkeypatch.setattr(Trainer, "_train_step", look)
    train(config(shapes_folder, "train.max_steps=2"), out=tmp_path / "run")
    assert seen == [True, True] and not (tmp_path / "run" / ".lock").exists()


def test_a_killed_process_holds_no_lock(tmp_path):
    code = f"import os; from jepa.files.lock import writing\nwith writing({str(tmp_path)!r}): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert (tmp_path / ".lock").exists()
    with writing(tmp_path):
        pass
    assert not (tmp_path / ".lock").exists()


WINDOWS = """
import fcntl, importlib, os, sys, types
import jepa.files.lock
def locking(descriptor, mode, count):  # as msvcrt's: `count` bytes from where the file stands, an OSError where taken
    assert mode == 2
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, os.lseek(descriptor, 0, os.SEEK_CUR))
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
sys.platform = "win32"
lock = importlib.reload(jepa.files.lock)
try:
    with lock.writing(sys.argv[1]):
        print("held by", os.getpid(), flush=True)
        sys.stdin.readline()
except lock.Taken as taken:
    print("taken by", taken)
"""


def test_the_lock_of_windows(tmp_path):
    def start():
        command = [sys.executable, "-c", WINDOWS, str(tmp_path)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first = start()
    assert first.stdout.readline() == f"held by {first.pid}\n"
    assert start().communicate()[0] == f"taken by process {first.pid}\n"
    first.kill()
    first.communicate()
    second = start()
    assert second.communicate("\n")[0] == f"held by {second.pid}\n"
    assert not (tmp_path / ".lock").exists()


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_says_who_may_read(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "a")
        mt.save(tmp_path / "a.safetensors", {"x": np.ones(2)})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


def test_temporary_names_cannot_be_guessed(tmp_path, monkeypatch):
    names = []
    for _ in range(3):
        with replacing(tmp_path / "a.txt") as temporary:
            names.append(temporary.name)
    opened = []
    monkeypatch.setattr(
        "builtins.open", lambda path, *a, **k: opened.append((Path(path).name, a)) or os.fdopen(os.dup(1), "wb")
    )
    for _ in range(3):
        with pytest.raises(OSError):
            mt.save(tmp_path / "b.safetensors", {"x": np.ones(2)})
    assert len(set(names)) == 3 and len({name for name, _ in opened}) == 3 and all(a == ("xb",) for _, a in opened)


def test_a_full_disk_is_told_of_with_the_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (lambda path: write_text(path, "a"), lambda path: mt.save(path, {"x": np.ones(2)})):
        with pytest.raises(OSError, match=r"No space left on device: '.*a\.x'"):
            write(tmp_path / "a.x")
    assert not list(tmp_path.iterdir())


def test_halves_of_files_are_swept_away_at_the_next_start(shapes_folder, run):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout
    halves = [
        f".env.json.{dead.strip()}-0123456789abcdef.tmp",
        f"checkpoints/.step-00000002.safetensors.{os.getpid()}-0123456789abcdef.tmp",
        "checkpoints/.best.safetensors.1.tmp",
        f"plots/.loss.png.{dead.strip()}-0123456789abcdef.tmp",
    ]
    others = {
        ".notes.txt.5.tmp": "a",
        "checkpoints/.best.pt.5.tmp": "b",
        f".env.json.{os.getpid()}-0123456789abcdef.tmp": "",
    }
    written(run, dict.fromkeys(halves, "half") | others)
    train(config(shapes_folder, "train.epochs=1"), out=run, resume=True)  # which has nothing left to do
    assert not any((run / name).exists() for name in halves) and all((run / name).exists() for name in others)


def test_a_finished_run_keeps_what_is_later_than_the_checkpoint_that_was_named(shapes_folder, run):
    first = list_checkpoints(run)[0]
    before = tree(run)
    train(config(shapes_folder, "train.epochs=1", "train.max_steps=2"), resume=first)  # which is at step 2
    with pytest.raises(RunError, match="end at step 1"):
        train(config(shapes_folder, "train.epochs=1", "train.max_steps=1"), resume=first)
    assert tree(run) == before


def test_a_run_does_not_go_on_over_another_programs_mark(shapes_folder, run):
    (run / "env.json").write_text('{"python": "3.11"}')
    before = tree(run)
    with pytest.raises(RunError, match="env.json is damaged, or was not written by a run"):
        train(config(shapes_folder, "train.epochs=2"), out=run, resume=True)
    assert tree(run) == before
    (run / "env.json").unlink()  # as the sentence says
    assert train(config(shapes_folder, "train.epochs=2"), out=run, resume=True).steps == 16


def test_what_a_kill_before_the_pruning_left_is_pruned(shapes_folder, run):
    last = list_checkpoints(run)[-1].read_bytes()
    (run / "checkpoints" / "step-00000001.safetensors").write_bytes(last)
    train(config(shapes_folder, "train.epochs=1"), out=run, resume=True)
    assert [path.stem[-1] for path in list_checkpoints(run)] == list("2468")


def test_checkpoints_are_in_the_order_of_their_steps(tmp_path):
    written(tmp_path, {f"checkpoints/step-{step:08d}.safetensors": "" for step in (10**8, 99_999_999, 5)})
    assert [int(path.stem[5:]) for path in list_checkpoints(tmp_path)] == [5, 99_999_999, 10**8]


# -- files of another shape --------------------------------------------------------------------------------------------

ODD = [
    "",
    "[]",
    "3",
    "null",
    '{"a": 1}',
    "[" * 100_000,
    '{"step": "x", "linear": 3, "images": null}',
    "\udcff",
    '{"linear": {"jepa": []}}',
]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:20] or "empty")
@pytest.mark.parametrize("name", ["evaluation.json", "metrics.jsonl", "env.json", "config.yaml"])
def test_a_report_of_odd_files_is_drawn_or_refused_in_a_sentence(run, name, text):
    (run / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    for path in (run / "checkpoints").iterdir():  # pictures of the model take their time
        path.unlink()
    try:
        report = draw(run, device="cpu")
    except JEPAError as error:
        assert len(str(error)) < 1000
    else:
        assert report.read_text("utf-8")


METADATA = [
    *({"step": value} for value in ("x", -1, 10**30, None)),
    *({"window": value} for value in ({}, [3], [{"a": 1}], [{"loss": "x"}])),
    *({"optimizer": value} for value in ([], {}, {"state": {"0": 3}})),
    *({"generator": value} for value in ({}, {"bit_generator": "MT19937"})),
    *({"best": "x"}, {"scaler": 3}, {"config": 3}),
]


@pytest.mark.parametrize("change", METADATA, ids=str)
def test_a_checkpoint_with_odd_metadata_is_refused(shapes_folder, run, change):
    last = list_checkpoints(run)[-1]
    arrays, metadata = mt.load(last)
    mt.save(last, arrays, metadata | change)
    assert main(["train", "--resume", str(run), "train.epochs=2"]) == 2


def test_a_checkpoint_that_lacks_its_arrays(run, capsys):
    last = list_checkpoints(run)[-1]
    arrays, metadata = mt.load(last)
    for kept in ("model.", "optimizer."):
        mt.save(last, {name: x for name, x in arrays.items() if name.startswith(kept)}, metadata)
        assert main(["train", "--resume", str(run), "train.epochs=2"]) == 2
    mt.save(last, {name: np.zeros(3) if name.startswith("optimizer") else x for name, x in arrays.items()}, metadata)
    assert main(["train", "--resume", str(run), "train.epochs=2"]) == 2
    assert capsys.readouterr().err.count("jepa: error: ") == 3


# -- memory ------------------------------------------------------------------------------------------------------------


def test_nothing_waits_for_the_collector(shapes_folder, tmp_path):
    trainer = Trainer(config(shapes_folder), tmp_path, "cpu")
    batches = trainer._batches()
    for _ in range(2):  # what is made once, such as caches, is made
        trainer._train_step(batches)
        trainer.save()
        trainer.restore(list_checkpoints(tmp_path)[-1])
    gc.collect()
    gc.disable()
    try:
        trainer._train_step(batches)
        trainer.save()
        trainer.restore(list_checkpoints(tmp_path)[-1])
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_settings_of_a_run_are_written_after_its_mark(shapes_folder, tmp_path, monkeypatch):
    from jepa.runs import folder

    names = []
    monkeypatch.setattr(folder, "write_text", lambda path, text: names.append(path.name))
    folder.write_settings(tmp_path, config(shapes_folder), {})
    assert names == ["env.json", "config.yaml"]
