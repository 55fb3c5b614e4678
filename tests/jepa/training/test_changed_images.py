"""Going on over images that have moved, or are others than before; with other threads; and what the run says of it."""

import json
import shutil
from pathlib import Path

import pytest

from jepa.__main__ import main
from jepa.config import from_yaml
from jepa.errors import DataError, RunError
from jepa.training.epochs import Epochs
from jepa.training.run import train
from tests.jepa.tiny import config, make_images
from tests.jepa.training.test_resume import assert_same, contents

EPOCHS = ("train.epochs=6", "train.checkpoint_every=null")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 70 images, stopped at the end of its third epoch of 8 steps: 24 of 48."""
    with pytest.raises(KeyboardInterrupt):
        train(config(make_images(tmp_path / "images"), *EPOCHS), out=tmp_path / "run", stop_after=24)
    return tmp_path / "run"


def log(run: Path) -> str:
    return (run / "train.log").read_text()


def learned_from(run: Path) -> Path:
    return run.parent / "images" / "train" / "circle"


def test_moved_images_are_gone_on_with_to_the_same_bits(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "stayed")
    assert main(["train", "--resume", str(tmp_path / "stayed")]) == 0
    (tmp_path / "images").rename(tmp_path / "moved # 1")
    where = r"are not in .*images: say where they are now, .*--resume .*run source.root=PATH"
    with pytest.raises(DataError, match=where):
        train(from_yaml(run / "config.yaml"), resume=run)
    assert main(["train", "--resume", str(run), f"source.root={tmp_path / 'moved # 1'}"]) == 0
    assert from_yaml(run / "config.yaml").source.settings.root == str(tmp_path / "moved # 1")
    a, b = contents(run), contents(tmp_path / "stayed")
    for part in (a[1], a[3], b[1], b[3]):
        part.pop("config")  # which has the path
    assert_same(a, b)


@pytest.mark.parametrize("change", ["add", "remove", "rename", "grow"])
def test_other_images_are_refused_and_accepted_with_the_schedule_of_the_run(
    run: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = learned_from(run)
    first, second, *rest = sorted(folder.iterdir())
    if change == "add":
        for k in range(40):
            shutil.copy(first, folder / f"new{k}.png")
    elif change == "remove":
        for path in sorted(folder.parent.glob("*/*"))[:30]:
            path.unlink()
    elif change == "rename":
        first.rename(folder / "other.png")
    else:
        first.write_bytes(first.read_bytes() + b"more")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(run)]) == 2
    told = capsys.readouterr().err
    assert "have changed" in told and "--accept-changes" in told and told.count("\n") == 1
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["train", "--resume", str(run), "--accept-changes"]) == 0
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1]["step"] == 48 and "resumed from step-00000024.safetensors at step 24 of 48" in log(run)
    assert "warning: the examples have changed" in log(run)
    length = {"add": 13, "remove": 5}.get(change, 8)
    epochs = [line["epoch"] for line in steps if line["kind"] == "epoch"]
    assert epochs == [*range(1, 4 + -(-24 // length))]
    assert f"epoch {epochs[-1]}/{epochs[-1]} " in log(run)


def test_a_run_over_changed_images_is_itself_resumed_to_the_same_bits(run: Path, tmp_path: Path) -> None:
    shutil.copy(next(learned_from(run).iterdir()), learned_from(run) / "new.png")
    for path in sorted(learned_from(run).parent.glob("*/*"))[:30]:
        path.unlink()
    c = from_yaml(run / "config.yaml")
    shutil.copytree(run, tmp_path / "whole")
    train(c, resume=tmp_path / "whole", accept_changes=True)
    with pytest.raises(KeyboardInterrupt):
        train(c, resume=run, accept_changes=True, stop_after=31)
    train(c, resume=run)  # they are the run's images by now
    assert_same(contents(run), contents(tmp_path / "whole"))


def test_more_epochs_over_changed_images(run: Path) -> None:
    for path in sorted(learned_from(run).parent.glob("*/*"))[:30]:
        path.unlink()
    assert main(["train", "--resume", str(run), "--accept-changes", "train.epochs=5"]) == 0
    assert "at step 24 of 34" in log(run)  # two more epochs of 5


def test_another_number_of_threads_is_said(run: Path) -> None:
    env = json.loads((run / "env.json").read_text())
    threads = env["threads"]
    (run / "env.json").write_text(json.dumps(env | {"threads": threads + 1}))
    train(from_yaml(run / "config.yaml"), resume=run)
    assert f"warning: this run was trained with {threads + 1} threads, and goes on with {threads}: the" in log(run)


def test_other_kernels_are_said(run: Path) -> None:
    env = json.loads((run / "env.json").read_text())
    now = env["kernels"]
    before = {"compiled": "numpy", "numpy": "compiled"}[now]
    (run / "env.json").write_text(json.dumps(env | {"kernels": before}))
    train(from_yaml(run / "config.yaml"), resume=run)
    assert f"warning: this run was trained with {before} kernels, and goes on with {now} ones: the" in log(run)


@pytest.mark.parametrize(
    "strange",
    [{"examples": 3}, {"examples": {}}, {"epochs": "x"}, {"epochs": [[1]], "steps": None}, {"epochs": [[5, 5, 5]]}],
)
def test_notes_that_make_no_sense_are_not_followed(run: Path, strange: dict[str, object]) -> None:
    env = json.loads((run / "env.json").read_text())
    (run / "env.json").write_text(json.dumps(env | strange))
    assert train(from_yaml(run / "config.yaml"), resume=run).steps == 48


def test_a_run_that_does_not_know_its_images_is_not_moved_without_a_word(run: Path, tmp_path: Path) -> None:
    env = json.loads((run / "env.json").read_text())
    del env["examples"]
    (run / "env.json").write_text(json.dumps(env))
    (tmp_path / "images").rename(tmp_path / "moved")
    with pytest.raises(RunError, match="source.root was"):
        train(config(tmp_path / "moved", *EPOCHS), out=run, resume=True)
    assert train(config(tmp_path / "moved", *EPOCHS), out=run, resume=True, accept_changes=True).steps == 48


def test_epochs_before_between_and_after_changes() -> None:
    epochs = Epochs([[0, 0, 10]], 40).changed(25, 4)
    assert [epochs.at(step)[0] for step in (0, 9, 10, 24, 25, 28, 29, 39)] == [0, 0, 1, 2, 3, 3, 4, 6]
    assert epochs.at(24) == (2, 20, 25) and epochs.at(39) == (6, 37, 40) and epochs.last == 7
    assert epochs.changed(20, 7).pieces == [[0, 0, 10], [20, 2, 7]]  # back to an earlier checkpoint
    assert epochs.changed(25, 9).pieces == [[0, 0, 10], [25, 3, 9]]
