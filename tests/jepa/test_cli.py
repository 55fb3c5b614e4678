"""The command line: what each verb hands to the Python API (a stand-in here), and how a mistake is answered."""

import importlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.__main__ import MOST, VERBS, main, set_threads
from jepa.config import Config, from_yaml, load, to_yaml
from jepa.errors import JEPAError
from jepa.parts import ROLES
from jepa.sources.arrays import ArrayFileSettings

Calls = list[tuple[str, dict[str, Any]]]

EVALUATION = {
    "linear": {"jepa": 0.8, "random": 0.5, "pixels": 0.6, "chance": 0.1},
    "knn": {"jepa": 0.7, "random": 0.4, "pixels": 0.3, "chance": 0.1},
    "images": 1000,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Record the calls of the Python API instead of running it, in an empty folder."""
    importlib.import_module("jepa.pictures.results")  # real, and loads the packages around the stand-ins
    calls: Calls = []

    def train(config: Config, **settings: Any) -> Any:
        calls.append(("train", {"config": config, **settings}))
        return types.SimpleNamespace(folder=settings["out"])

    def evaluate_run(run: Path, **settings: Any) -> Any:
        calls.append(("evaluate", {"run": run, **settings}))
        return EVALUATION

    def draw(run: Path, **settings: Any) -> Path:
        calls.append(("draw", {"run": run, **settings}))
        return run / "report.html"

    def embed(run: Path, data: Path | None, out: Path, **settings: Any) -> Path:
        calls.append(("embed", {"run": run, "data": data, "out": out, **settings}))
        return out

    for module, name, function in (
        ("jepa.training.run", "train", train),
        ("jepa.evaluation.evaluate", "evaluate_run", evaluate_run),
        ("jepa.pictures.report", "draw", draw),
        ("jepa.evaluation.embed", "embed", embed),
    ):
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{name: function}))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    return calls


def a_run(folder: Path, config: Config, command: list[str]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(to_yaml(config))
    (folder / "env.json").write_text(json.dumps({"command": ["jepa", *command]}))
    return folder


# --- the verbs -------------------------------------------------------------------------------------------------------


def test_demo_trains_evaluates_and_draws(api: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--device", "cpu", "train.epochs=2"]) == 0
    out = Path("runs/demo")
    assert [name for name, _ in api] == ["train", "evaluate", "draw"]
    assert api[0][1]["config"] == load("demo", overrides=["train.epochs=2", "device=cpu"])
    assert (api[0][1]["out"], api[0][1]["overwrite"]) == (out, False)
    assert api[1][1] == {"run": out, "device": "cpu"}
    printed = capsys.readouterr().out
    assert "trained encoder" in printed and "80.0 %" in printed and str(out / "report.html") in printed


def test_demo_quick_is_another_preset_and_folder(api: Calls) -> None:
    assert main(["demo", "--quick", "--out", "elsewhere"]) == 0
    assert (api[0][1]["config"], api[0][1]["out"]) == (load("quick"), Path("elsewhere"))
    assert main(["demo", "--quick"]) == 0
    assert api[3][1]["out"] == Path("runs/quick")


@pytest.mark.parametrize(
    ("command", "words", "overwrite"),
    [
        (["demo"], [], True),
        (["demo", "--seed", "1"], [], True),
        (["train", "--preset", "demo"], [], False),
        (["train", "name=demo"], [], False),
        (["train", "--preset", "demo"], ["--overwrite"], True),
    ],
)
def test_demo_replaces_its_own_run_and_nothing_else(
    api: Calls, command: list[str], words: list[str], overwrite: bool
) -> None:
    a_run(Path("runs/demo"), load("demo"), command)
    assert main(["demo", *words]) == 0
    assert api[0][1]["overwrite"] is overwrite


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"command": 3}', '{"command": []}', '{"command": "demo"}', "\0"])
def test_a_strange_env_json_is_not_the_demos(api: Calls, text: str) -> None:
    Path("runs/demo").mkdir(parents=True)
    Path("runs/demo/env.json").write_text(text)
    assert main(["demo"]) == 0
    assert api[0][1]["overwrite"] is False


def test_train_names_its_folder_after_the_run(api: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").mkdir()
    assert (
        main(["train", "source=pictures", "--preset", "digits", "optimizer.lr=1e-4", "--seed", "3", "name=mine"]) == 0
    )
    config = load("digits", overrides=["source=pictures", "optimizer.lr=1e-4", "seed=3", "name=mine"])
    assert api == [("train", {"config": config, "out": Path("runs/mine"), "resume": False, "overwrite": False})]
    assert "python -m jepa eval runs/mine " in capsys.readouterr().out


def test_train_reads_a_config_file(api: Calls) -> None:
    Path("mine.yaml").write_text("train: {epochs: 3}\n")
    assert main(["train", "--config", "mine.yaml", "--out", "there", "--overwrite"]) == 0
    assert api[0][1] == {
        "config": load(file="mine.yaml"),
        "out": Path("there"),
        "resume": False,
        "overwrite": True,
    }


@pytest.mark.parametrize(
    ("words", "resume", "epochs"),
    [
        (["--resume", "runs/old"], True, 5),
        (["--resume", "runs/old", "train.epochs=9"], True, 9),
        (["--resume", "train.epochs=9", "--out", "runs/old"], True, 9),
        (["--resume", "--out", "runs/old"], True, 5),
        (["--out", "runs/old", "--resume", "runs/old/"], True, 5),
        (["--resume", "runs/old/checkpoints"], True, 5),
        (["--resume", "runs/old/checkpoints/last.safetensors"], Path("runs/old/checkpoints/last.safetensors"), 5),
    ],
)
def test_resume_takes_the_settings_of_the_run(api: Calls, words: list[str], resume: object, epochs: int) -> None:
    run = a_run(Path("runs/old"), load("digits", overrides=["train.epochs=5"]), ["train"])
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.safetensors").touch()
    assert main(["train", *words]) == 0
    assert api[0][1] == {
        "config": load("digits", overrides=[f"train.epochs={epochs}"]),
        "out": Path("runs/old"),
        "resume": resume,
        "overwrite": False,
    }


def test_a_tilde_is_the_home_folder_in_every_option(
    api: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    a_run(tmp_path / "runs=1", load("digits"), ["train"])
    (tmp_path / "c.yaml").write_text("seed: 3")
    (tmp_path / "photos").mkdir()
    assert main(["train", "source=~/photos", "--config", "~/c.yaml", "--out=~/out"]) == 0
    assert main(["train", "--resume", "~/runs=1"]) == 0
    assert main(["eval", "~/runs=1", "--data", "~/photos"]) == 0
    assert main(["embed", "~/runs=1", "--data", "~/photos", "--out", "~/e.npz"]) == 0
    first, again, evaluation, embedding = (call for _, call in api)
    assert (first["config"].source.settings.root, first["config"].seed) == (f"{tmp_path}/photos", 3)
    assert (first["out"], again["out"]) == (tmp_path / "out", tmp_path / "runs=1")
    assert evaluation["data"] == embedding["data"] == tmp_path / "photos" and embedding["out"] == tmp_path / "e.npz"


def test_of_many_runs_five_are_named(api: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(9):
        a_run(Path(f"runs/{i}"), load("digits"), ["train"])
    assert main(["train", "--resume", "runs/none"]) == 2
    assert "Runs beside it: runs/0, runs/1, runs/2, runs/3, runs/4 and 4 more" in capsys.readouterr().err


def test_resume_with_a_preset_takes_the_presets_settings(api: Calls) -> None:
    assert main(["train", "--preset", "quick", "--resume"]) == 0
    assert (api[0][1]["config"], api[0][1]["out"], api[0][1]["resume"]) == (load("quick"), Path("runs/quick"), True)


def test_eval_embed_plot(api: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path("runs/a")
    assert main(["eval", "runs/a", "--data", "other", "--device", "cpu"]) == 0
    assert main(["embed", "--out", "a.csv", "runs/a", "--threads", "1"]) == 0
    assert main(["plot", "runs/a"]) == 0
    assert api == [
        ("evaluate", {"run": run, "data": Path("other"), "device": "cpu", "settings": ["device=cpu"]}),
        ("embed", {"run": run, "data": None, "out": Path("a.csv"), "device": "auto", "settings": []}),
        ("draw", {"run": run, "device": "auto", "projection": "pca", "settings": []}),
    ]
    printed = capsys.readouterr().out
    assert "a.csv" in printed and str(run / "report.html") in printed


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (
            ["eval", "runs/a", "evaluation.max_images=9", "source.root=/x # 1"],
            ["evaluation.max_images=9", "source.root=/x # 1"],
        ),
        (["eval", "runs/a", "device=cpu", "seed=3"], ["device=cpu", "seed=3"]),
        (["embed", "runs/a", "--out", "e.npz", "evaluation.pool=cls"], ["evaluation.pool=cls"]),
        (["plot", "runs/a", "--data", "there", "source.limit=9"], ["source.limit=9", "source=there"]),
        (["eval", "runs/a", "train.prefetch=0", "train.threads=2"], ["train.prefetch=0", "train.threads=2"]),
    ],
)
def test_a_verb_takes_the_settings_that_mean_something_to_it(api: Calls, words: list[str], settings: list[str]) -> None:
    assert main(words) == 0
    assert api[0][1]["settings"] == settings and api[0][1]["device"] == ("cpu" if "device=cpu" in words else "auto")


def test_an_evaluation_without_labels_prints_its_note(
    api: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys.modules["jepa.evaluation.evaluate"], "evaluate_run", lambda *_, **__: {"images": 5, "note": "no labels"}
    )
    assert main(["eval", "runs/a"]) == 0
    assert capsys.readouterr().out.strip() == "no labels"


def test_data_make_writes_pngs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "drawn"
    assert main(["data", "make", "shapes", "--out", str(out), "--count", "50", "--seed", "1", "--size", "16"]) == 0
    assert len(list(out.glob("*/*/*.png"))) == 50
    assert str(out) in capsys.readouterr().out


def test_config_prints_what_it_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--preset", "digits", "optimizer.lr=0.5", "--seed", "4"]) == 0
    file = tmp_path / "printed.yaml"
    file.write_text(capsys.readouterr().out)
    assert from_yaml(file) == load("digits", overrides=["optimizer.lr=0.5", "seed=4"])
    assert main(["config", "--presets"]) == 0
    assert "digits-clutter" in capsys.readouterr().out.split()
    assert main(["config", "--kinds"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {role}={kind} " in printed for role, kinds in ROLES.items() for kind in kinds)
    assert main(["config", "--renamed"]) == 0
    assert "model.widths                encoder.widths" in capsys.readouterr().out.splitlines()


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for word in ("numpy", "threads", "scikit-learn", "pooch", "pyarrow", "tensorboardX", "GPU", "self-test on cpu: ok"):
        assert word in printed
    assert "pip install jepa" not in printed and "pip install minitensor" not in printed  # others' packages


def test_doctor_says_no_to_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cuda:99"]) == 1
    assert "self-test on cuda:99: FAILED" in capsys.readouterr().out


def test_the_self_test_finds_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    import minitensor as mt
    from jepa.doctor import self_test

    right = mt.grad
    monkeypatch.setattr(mt, "grad", lambda *args: tuple(g * 1.001 for g in right(*args)))
    with pytest.raises(ArithmeticError, match="off by"):
        self_test()


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["evaluate"], "Did you mean 'eval'?"),
        (["data", "mke"], "Did you mean 'data make'?"),
        (["data"], "Did you mean 'data get'?"),
        (["xyzzy"], "The verbs are demo, train"),
        (["--threads", "2", "demo"], "the verb comes first"),
        (["train", "--overide"], "Did you mean '--overwrite'?"),
        (["train", "--thread", "2"], "Did you mean '--threads'?"),
        (["train", "optimizer.lrr=1"], "Did you mean 'optimizer.lr'?"),
        (["train", "method=ijepa"], "method is called task now: write task=masked"),
        (["train", "encoder.patch=4"], "encoder=cnn has no setting patch; encoder=vit"),
        (["train", "source=photos/2024"], "source=photos/2024: there is no such folder or file"),
        (["train", "--preset", "dmeo"], "Did you mean 'demo'?"),
        (["train", "--config", "none.yaml"], "none.yaml"),
        (["train", "--threads", "0"], "'0' is not a whole number of 1 or more"),
        (["train", "--threads", "1000"], "1000 is more than 256"),
        (["train", "--threads", "9" * 5000], "is not a whole number"),
        (["train", "--seed", "x"], "'x' is not a whole number"),
        (["train", "--seed"], "--seed"),
        (["train", "--device", "gpu"], "cuda:0"),
        (["train", "--resume", "runs/none"], "holds no run to resume"),
        (["train", "--resume", "runs/old", "--out", "runs/new"], "leave --out away"),
        (["train", "--resume", "runs/old/config.yaml"], "is no checkpoint to resume from: give a run's folder"),
        (["train", "--out", ""], "an empty word is no path"),
        (["eval"], "run"),
        (
            ["eval", "runs/old", "train.epochs=3"],
            "jepa eval has no use for train.epochs: it is as it was trained; it takes source",
        ),
        (["eval", "runs/old", "encoder.widths=3"], "jepa eval has no use for encoder.widths"),
        (["plot", "runs/old", "task=masked"], "jepa plot has no use for task"),
        (["embed", "runs/old", "--out", "e.npz", "target=own"], "jepa embed has no use for target"),
        (["embed", "--pretrained", "w", "--out", "e.npz"], "--pretrained needs --data PATH"),
        (["embed", "--pretrained", "w", "--data", "d", "--out", "e.npz", "train.epochs=0"], "no use for train.epochs"),
        (["embed", "runs/a"], "--out"),
        (["data", "make", "shape"], "shape"),
        (["data", "make", "shapes", "--count", "3"], "count"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    api: Calls, words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(Path("runs/old"), load("digits"), ["train"])
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("jepa: error: ") and printed.err.count("\n") == 1 and part in printed.err
    assert api == []


def test_notes_of_an_error_are_printed(
    monkeypatch: pytest.MonkeyPatch, api: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        error = JEPAError("it broke.")
        error.add_note("while reading 3.png")
        raise error

    monkeypatch.setattr(sys.modules["jepa.pictures.report"], "draw", fail)
    assert main(["plot", "runs/a"]) == 2
    assert capsys.readouterr().err == "jepa: error: it broke.; while reading 3.png\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130)])
def test_interruptions(
    monkeypatch: pytest.MonkeyPatch, api: Calls, capfd: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sys.modules["jepa.pictures.report"], "draw", fail)
    assert main(["plot", "runs/a"]) == code
    assert "Traceback" not in capfd.readouterr().err


def test_a_device_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, api: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    import minitensor as mt

    monkeypatch.setattr(sys.modules["jepa.pictures.report"], "draw", lambda *_, **__: mt.Tensor([1.0]).to("cuda:99"))
    assert main(["plot", "runs/a"]) == 2
    assert "cuda" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, api: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    monkeypatch.setattr(sys.modules["jepa.pictures.report"], "draw", lambda *_, **__: Path("file/x").mkdir())
    assert main(["plot", "runs/a"]) == 2
    assert capsys.readouterr().err == "jepa: error: cannot read or write file/x: Not a directory\n"


def test_the_next_commands_can_be_pasted(api: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", "my runs/a"]) == 0
    assert "next: python -m jepa eval 'my runs/a'   and: python -m jepa plot 'my runs/a'" in capsys.readouterr().out


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, api: Calls) -> None:
    monkeypatch.setattr(sys.modules["jepa.pictures.report"], "draw", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["plot", "runs/a"])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*verb.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: python -m jepa {verb}" in capsys.readouterr().out


def test_no_verb_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {verb} " in printed for verb in VERBS)


def test_the_help_says_how_many_threads_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert f"as many as there are cores, at most {MOST}" in " ".join(capsys.readouterr().out.split())


DEFAULT = str(min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4))


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["train", "--threads", "3"], "3"),
        (["train", "--threads=3"], "3"),
        (["train", "--threads", "2", "--threads", "3"], "3"),
        (["train"], DEFAULT),
        (["train", "--threads"], None),
        (["train", "--threads", "-1"], None),
        (["train", "--threads", "0"], None),
        ([], DEFAULT),
    ],
)
def test_threads_are_read_from_the_words(monkeypatch: pytest.MonkeyPatch, words: list[str], count: str | None) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda n: None)
    set_threads(words)
    assert os.environ.get("OPENBLAS_NUM_THREADS") == os.environ.get("OMP_NUM_THREADS") == count
    assert os.environ["OPENBLAS_THREAD_TIMEOUT"] == "4"


def test_variables_of_blas_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "4"})
    set_threads(["train"])
    assert os.environ["OMP_NUM_THREADS"] == "4" and "OPENBLAS_NUM_THREADS" not in os.environ


def test_inspect_asks_the_kind_that_takes_the_path(tmp_path, capsys):
    np.savez(tmp_path / "series.npz", x=np.zeros((20, 2, 8), np.float32), labels=np.arange(20) % 2)
    assert main(["data", "inspect", str(tmp_path / "series.npz"), "--list", str(tmp_path / "bad.txt")]) == 0
    out = capsys.readouterr().out
    assert "20 examples of (2, 8), 2 classes" in out and "train: 18, val: 2" in out and "0: train 9, val 1" in out
    assert (tmp_path / "bad.txt").read_text() == ""


def test_make_refuses_what_a_kind_does_not_have(monkeypatch, capsys):
    monkeypatch.setattr("jepa.sources.shapes.Shapes.Settings", ArrayFileSettings)
    assert main(["data", "make", "shapes", "--count", "50"]) == 2
    assert "shapes has no count: leave --count out" in capsys.readouterr().err
