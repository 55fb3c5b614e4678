"""Loggers: what they are told, TensorBoard's files, stand-ins for the others, and that none of them ends a training."""

import json
import struct
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
from jepa.errors import ConfigError
from jepa.training.loggers import MLflow, WandB
from jepa.training.run import train
from tests.jepa.tiny import config


class Own:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, folder: Path | None, settings: Mapping[str, Any], step: int) -> None:
        self.told.append((folder, dict(settings), step))

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self.told.append((dict(figures), step))

    def end(self) -> None:
        self.told.append("end")


def fitted(out: Path | None, *loggers: Any, **settings: Any) -> jepa.training.run.RunResult:
    x = np.random.default_rng(0).normal(size=(64, 2, 16)).astype(np.float32)
    encoder = jepa.encoders.MLP((2, 16), width=8)
    predictor = jepa.predictors.MLP(encoder.dim, encoder.grid, width=8)
    model = jepa.JEPA(encoder, predictor, objective=jepa.objectives.VICReg())
    given = {"epochs": 2, "batch_size": 16, "log_every": 1, "device": "cpu", "quiet": True, **settings}
    return jepa.fit(model, jepa.sources.Arrays(x), jepa.tasks.Views(), out=out, loggers=loggers, **given)


@pytest.mark.parametrize("written", [True, False])
def test_what_a_logger_is_told(written: bool, tmp_path: Path) -> None:
    own, out = Own(), tmp_path / "run" if written else None
    steps = fitted(out, own).steps
    (folder, settings, step), *figures, end = own.told
    assert folder == out and step == 0 and end == "end"
    assert settings["encoder"] == "mlp" and settings["encoder.width"] == 8 and settings["train.batch_size"] == 16
    assert [s for f, s in figures if "loss" in f] == list(range(1, steps + 1))
    assert len([s for f, s in figures if "epoch/loss" in f]) == 2
    if out is not None:
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert [f["loss"] for f, _ in figures if "loss" in f] == [x["loss"] for x in lines if x["kind"] == "step"]


@pytest.mark.parametrize("method", ["begin", "log", "end"])
def test_a_logger_that_fails_ends_itself_alone(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Own):
        """Raises in one of its methods."""

    def fails(self: Any, *given: Any) -> None:
        self.told.append(method)
        raise OSError("the network\nis gone")

    setattr(Broken, method, fails)
    broken, own = Broken(), Own()
    assert fitted(tmp_path / "run", broken, own).steps == 6 and own.told[-1] == "end"
    assert broken.told.count(method) == 1 and broken.told[-1] == method
    said = (tmp_path / "run" / "train.log").read_text() + capsys.readouterr().err
    if method != "end":
        assert "warning: Broken failed and is told nothing more: the network is gone" in said


def test_an_interrupt_from_a_logger_is_one() -> None:
    class Impatient(Own):
        """Stops the training."""

        def log(self, figures: Mapping[str, float], step: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(None, Impatient())


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Read TensorBoard's files as it does: records of a length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            (length,) = struct.unpack_from("<Q", raw, at)
            event = Event.FromString(raw[at + 12 : at + 12 + length])
            at += 16 + length
            if event.HasField("session_log"):  # a resumed run: what lies behind this step counts no more
                found = {tag: {s: x for s, x in row.items() if s < event.step} for tag, row in found.items()}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_tensorboard(shapes_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    c = config(shapes_folder, "train.track=tensorboard", "train.log_every=1", "train.checkpoint_every=3")
    with pytest.raises(KeyboardInterrupt):
        train(c, out=tmp_path / "run", stop_after=10)
    train(c, out=tmp_path / "run", resume=True)
    assert {path.suffix for path in (tmp_path / "run" / "tensorboard").iterdir()} == {".0", ".10"}  # in one second, too
    found = scalars(tmp_path / "run" / "tensorboard")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for kind, tag in (("step", "loss"), ("epoch", "epoch/validation_loss"), ("step", "lr")):
        rows = {
            x["step"]: x[tag.removeprefix("epoch/")]
            for x in lines
            if x["kind"] == kind and tag.removeprefix("epoch/") in x
        }
        assert rows and found[tag] == pytest.approx(rows, rel=1e-5)
    train(config(shapes_folder, "train.epochs=1"), out=tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_other_files_beside_tensorboard_s_stay(shapes_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    train(config(shapes_folder, "train.track=tensorboard", "train.epochs=1"), out=tmp_path / "run")
    for name in ("notes.txt", "events.out.tfevents.mine"):
        (tmp_path / "run" / "tensorboard" / name).write_text("mine")
    train(config(shapes_folder, "train.epochs=1"), out=tmp_path / "run", overwrite=True)
    left = sorted(path.name for path in (tmp_path / "run" / "tensorboard").iterdir())
    assert left == ["events.out.tfevents.mine", "notes.txt"]


@pytest.mark.parametrize(
    ("track", "module"), [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_what_is_not_installed_is_said_before_anything_is_written(
    track: str, module: str, shapes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ConfigError, match=rf"train.track needs {module}: pip install '.*', or train.track=none"):
        train(config(shapes_folder, f"train.track={track}"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_and_biases_by_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Run:
        """What wandb.init returns."""

        def log(self, figures: dict[str, float], step: int) -> None:
            calls.append(("log", figures, step))

        def finish(self) -> None:
            calls.append("finish")

    def init(**words: Any) -> Run:
        calls.append(words)
        return Run()

    stand_in = types.SimpleNamespace(init=init)
    monkeypatch.setitem(__import__("sys").modules, "wandb", stand_in)
    fitted(tmp_path / "mine", WandB(project="shapes"))
    assert calls[0]["name"] == calls[0]["group"] == "mine" and calls[0]["project"] == "shapes"
    assert calls[0]["config"]["encoder.width"] == 8 and calls[-1] == "finish"
    assert {"loss", "lr"} <= calls[1][1].keys() and [c[2] for c in calls[1:-1]] == sorted(c[2] for c in calls[1:-1])


def test_mlflow_by_a_stand_in(shapes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    stand_in = types.SimpleNamespace(
        start_run=lambda **words: calls.append(words),
        log_params=lambda params: calls.append(params),
        log_metrics=lambda figures, step: calls.append((figures, step)),
        end_run=lambda: calls.append("end"),
    )
    monkeypatch.setitem(__import__("sys").modules, "mlflow", stand_in)
    train(config(shapes_folder, "train.track=mlflow", "name=mine", "train.epochs=1"), out=tmp_path / "run")
    assert calls[0] == {"run_name": "mine"} and calls[1]["encoder"] == "cnn" and calls[-1] == "end"
    assert all(isinstance(x, str) for x in calls[1].values()) and "epoch/validation_loss" in calls[-2][0]
    fitted(None, MLflow(run_name="other"))
    assert {"run_name": "other"} in calls
