"""`train --from RUN`: the weights of another run are where the training starts, as far as they fit."""

from pathlib import Path

import numpy as np
import pytest

from jepa.__main__ import main
from jepa.config import to_yaml
from jepa.errors import RunError
from jepa.runs.run import load_run
from jepa.training.init import PARTS
from jepa.training.loop import Trainer
from jepa.training.run import train
from tests.jepa.tiny import config


@pytest.fixture(scope="module")
def run(shapes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "run"
    train(config(shapes_folder, "train.epochs=1"), out=folder)
    return folder


@pytest.mark.parametrize(
    ("change", "fresh"),
    [
        ("seed=5", []),
        ("predictor.width=8", ["predictor"]),
        ("projector.dim=4", ["projector", "predictor", "target"]),
        ("target=stopgrad", []),
    ],
)
def test_every_part_is_taken_or_said_to_be_fresh(
    run: Path, shapes_folder: Path, tmp_path: Path, change: str, fresh: list[str]
) -> None:
    c = config(shapes_folder, change, f"train.init={run}")
    trainer, untouched = (Trainer(x, tmp_path, "cpu") for x in (c, config(shapes_folder, change)))
    said, _, others = trainer.taken.partition("; fresh: ")
    assert [role for role in PARTS if f"{role} (" in others] == fresh
    before, first = load_run(run).model.state_dict(), untouched.model.state_dict()
    state = trainer.model.state_dict()
    for role, prefix in PARTS.items():
        mine = [k for k in state if k.startswith(prefix)]
        if role not in fresh and mine:
            assert role in said and all(np.array_equal(state[k], before[k]) for k in mine)
        elif mine and role != "target":
            assert all(np.array_equal(state[k], first[k]) for k in mine)
    if "target" in fresh:  # the moving average starts as the context's branch
        copied = {k.replace("target.copy.", "context."): v for k, v in state.items() if k.startswith("target.copy.")}
        assert copied and all(np.array_equal(state[k], v) for k, v in copied.items())


def test_another_encoder_is_refused_before_anything_is_written(run: Path, shapes_folder: Path, tmp_path: Path) -> None:
    c = config(shapes_folder, "encoder.widths=[4,16]", f"train.init={run}")
    with pytest.raises(RunError, match=r"stages.4.weight is 8 x 4 x 3 x 3 in the run, 16 x 4 x 3 x 3 here"):
        train(c, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(RunError, match="holds no run"):
        train(config(shapes_folder, "train.init=nowhere"), out=tmp_path / "new")


def test_the_command_line_says_what_was_taken_and_a_resumed_run_keeps_its_own(
    run: Path, shapes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text(to_yaml(config(shapes_folder, "train.max_steps=2", "train.checkpoint_every=1")))
    words = ["train", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "new")]
    monkeypatch.chdir(run.parent)
    assert main([*words, "--from", "run"]) == 0
    log = (tmp_path / "new" / "train.log").read_text()
    assert "started from" in log and "its encoder, projector, predictor and target" in log
    assert f'init: "{run}"' in (tmp_path / "new" / "config.yaml").read_text()
    assert main([*words, "--resume", "--from", "run"]) == 2
    assert "leave --from or --resume away" in capsys.readouterr().err
    assert main(["train", "--resume", str(tmp_path / "new"), "train.max_steps=4"]) == 0
    assert (tmp_path / "new" / "train.log").read_text().count("started from") == 1
