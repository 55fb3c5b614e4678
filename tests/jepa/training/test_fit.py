"""`fit` is `train` of parts that are made in Python: the same bits, folders that open again, parts of one's own."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.__main__ import main
from jepa.assembly import assemble
from jepa.commands.runs import table
from jepa.config import EvaluationSettings
from jepa.errors import ConfigError, RunError
from jepa.parts import Unmade, made
from jepa.pictures.report import draw
from jepa.runs.checkpoint import list_checkpoints, read_checkpoint
from jepa.runs.folder import read_config
from jepa.runs.run import load_run
from jepa.tasks.views import Whole
from jepa.training.optimizer import SGD
from jepa.training.run import train
from tests.jepa.tiny import config
from tests.jepa.training.test_resume import WALL_CLOCK, assert_same, contents

SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 8, "log_every": 3, "checkpoint_every": 2, "device": "cpu"}
OWN = '''
from dataclasses import dataclass, replace
import numpy as np
import minitensor as mt
from jepa.config.settings import Settings, setting
from jepa.encoders.base import Encoder
from jepa.objectives import Objective
from jepa.sources.base import Source, SourceSettings

@dataclass(frozen=True)
class RowsSettings(Settings):
    """Of mine."""
    dim: int = setting(6)
    """numbers in a token"""

class Rows(Encoder):
    """Each entry of a series is a token."""
    Settings = RowsSettings
    def __init__(self, shape, settings=None, /, **changes):
        self.settings = replace(settings or RowsSettings(), **changes)
        self.dim, self.grid = self.settings.dim, shape[1:]
        self.head = mt.nn.Linear(shape[0], self.dim)
    def grid_of(self, shape):
        return shape[1:]
    def tokens(self, x, keep=None):
        return self.head(x.swapaxes(1, 2))

@dataclass(frozen=True)
class Cubes(Objective):
    """mean |d|^3"""
    def compare(self, prediction, target, context, rng):
        return {"loss": ((prediction - target) ** 2).sqrt().mean() + 0 * float(rng.random())}
'''


def examples(n: int = 60) -> Any:
    rng = np.random.default_rng(0)
    return jepa.sources.Arrays(rng.normal(size=(n, 2, 8)).cumsum(-1).astype(np.float32), np.arange(n) % 3)


def model(encoder: Any = None, predictor: Any = None, **parts: Any) -> jepa.JEPA:
    mt.manual_seed(7)
    encoder = encoder or jepa.encoders.ViT((2, 8), patch=2, dim=8, depth=1, heads=2, drop_path=0.1)
    return jepa.JEPA(encoder, predictor or jepa.predictors.MLP(encoder.dim, encoder.grid, width=8, depth=1), **parts)


def fit(out: Any, made: Any = None, source: Any = None, **settings: Any) -> Any:
    return jepa.fit(made or model(), source or examples(), jepa.tasks.Views(), out=out, **SETTINGS | settings)


def logged(folder: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text("utf-8").splitlines())
    return [{k: v for k, v in line.items() if k not in WALL_CLOCK} for line in lines]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of one's own in the working folder; and what takes it away again."""
    (tmp_path / "of_mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    import of_mine  # type: ignore[import-not-found]

    yield of_mine
    sys.modules.pop("of_mine", None)


# -- one loop --------------------------------------------------------------------------------------------------------


def test_the_same_bits_as_train(shapes_folder: Path, tmp_path: Path) -> None:
    c = config(shapes_folder)
    train(c, out=tmp_path / "a" / "run")
    parts = assemble(c.choices, c.seed)
    optimizer, settings = made(c.optimizer, "optimizer"), {"optimizer": c.optimizer.settings, **vars(c.train)}
    assert optimizer is c.optimizer.settings
    result = jepa.fit(
        parts.model, parts.source, parts.task, tmp_path / "b" / "run", device="cpu", evaluation=c.evaluation, **settings
    )
    a, b = contents(tmp_path / "a" / "run"), contents(tmp_path / "b" / "run")
    for part, other in ((a[1], b[1]), (a[3], b[3])):  # but for the name, and what the first weights were drawn from
        part["config"] = part["config"].replace('name: "demo"', 'name: "run"')
        assert part.pop("generator") != other.pop("generator")
    assert_same(a, b)
    assert (result.steps, result.loss) == (24, b[-1][-1]["loss"])


def test_stopped_and_resumed_from_memory(tmp_path: Path) -> None:
    fit(tmp_path / "a" / "run")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "b" / "run", stop_after=7)
    fit(tmp_path / "b" / "run", resume=True)
    a, b = contents(tmp_path / "a" / "run"), contents(tmp_path / "b" / "run")
    for part in (a[1], a[3]):
        part["config"] = part["config"].replace(str(tmp_path / "a"), str(tmp_path / "b"))
    assert_same(a, b)
    with pytest.raises(
        RunError, match="examples of .* have changed: 54 training and 6 held-out examples as before, but"
    ):
        fit(tmp_path / "b" / "run", source=jepa.sources.Arrays(np.ones((60, 2, 8))), resume=True, epochs=4)
    with pytest.raises(RunError, match=r"encoder.dim was 8, now 4"):
        fit(tmp_path / "b" / "run", model(jepa.encoders.ViT((2, 8), patch=2, dim=4, depth=1, heads=2)), resume=True)


def test_the_command_line_goes_on_with_it_and_evaluates_it(tmp_path: Path, capsys: Any) -> None:
    fit(tmp_path / "run", evaluation=EvaluationSettings(every=2, random_seeds=1, k=3))
    assert any("probe/knn_random" in line for line in logged(tmp_path / "run"))
    assert main(["train", "--resume", str(tmp_path / "run"), "train.epochs=5"]) == 0
    assert logged(tmp_path / "run")[-1]["step"] == 30
    assert read_config(tmp_path / "run").source.settings.path == str(tmp_path / "run" / "source.npz")
    assert jepa.evaluate(tmp_path / "run", device="cpu")["classes"] == 3
    fit(tmp_path / "run", overwrite=True, epochs=1)
    assert len(list_checkpoints(tmp_path / "run")) == 3 and not (tmp_path / "run" / "evaluation.json").exists()


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    trained = model()
    before = trained.state_dict()
    result = fit(None, trained, quiet=True)
    assert (result.folder, result.steps) == (None, 18) and np.isfinite(result.loss)
    assert not list(tmp_path.iterdir()) and capfd.readouterr() == ("", "")
    assert any((before[name] != value).any() for name, value in trained.state_dict().items())
    with pytest.raises(ConfigError, match="cannot be resumed"):
        fit(None, resume=True)


# -- what is given ---------------------------------------------------------------------------------------------------


def test_settings_go_where_they_belong(tmp_path: Path) -> None:
    fit(tmp_path / "run", optimizer=SGD(momentum=0.5), lr=0.01, weight_decay=0.0, max_steps=2, seed=3)
    c = read_config(tmp_path / "run")
    assert (c.seed, c.name, c.train.max_steps, c.train.batch_size) == (3, "run", 2, 8)
    assert c.optimizer == ("sgd", SGD(momentum=0.5, lr=0.01, weight_decay=0.0))


def test_the_warm_up_is_a_tenth_of_a_short_training(tmp_path: Path) -> None:
    fit(tmp_path / "a", max_steps=2, epochs=20)
    fit(tmp_path / "b", max_steps=2, warmup_steps=50)
    warmups = [read_config(tmp_path / name).optimizer.settings.warmup_steps for name in "ab"]
    assert warmups == [0, 50]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"epocs": 3}, "fit has no setting 'epocs'. Did you mean 'epochs'?"),
        ({"learning": 3}, "fit has no setting 'learning'."),
        ({"momentum": 0.5}, "fit has no setting 'momentum'."),
        ({"epochs": 0}, "epochs=0: must be at least 1"),
        ({"lr": -1.0}, "lr=-1.0: must be larger than 0"),
        ({"optimizer": "sgd"}, "optimizer='sgd': give an optimizer"),
        ({"evaluation": EvaluationSettings(pool="last4"), "source": None}, ""),
    ],
)
def test_settings_that_there_are_not(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    if "source" in settings:  # a pool that the encoder has not
        mlp = model(jepa.encoders.MLP((2, 8), width=8))
        settings, text = {"evaluation": settings["evaluation"], "made": mlp}, "evaluation.pool='last4': MLP has mean"
    with pytest.raises(ConfigError, match=re.escape(text)):
        fit(tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="predictor=mlp does not answer what task=masked asks"):
        jepa.fit(model(), examples(), jepa.tasks.Masked(min_keep=1), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="encoder.patch=2 must divide an example's 9"):
        fit(tmp_path / "run", source=jepa.sources.Arrays(np.zeros((60, 2, 9))))
    assert not (tmp_path / "run").exists()


# -- parts of one's own ----------------------------------------------------------------------------------------------


def test_a_module_of_ones_own_is_imported_again_or_named(own: Any, tmp_path: Path) -> None:
    mine = model(own.Rows((2, 8), dim=4), objective=own.Cubes())
    fit(tmp_path / "run", mine)
    c = read_config(tmp_path / "run")
    assert (c.encoder.kind, c.encoder.settings.dim, c.objective.kind) == ("of_mine:Rows", 4, "of_mine:Cubes")
    run = load_run(tmp_path / "run", device="cpu")
    x = run.source("val").normalize(run.source("val").read(range(4)))
    trained = run.features(x)
    assert trained.shape == (4, 4) and main(["train", "--resume", str(tmp_path / "run"), "train.epochs=4"]) == 0
    del sys.modules["of_mine"]
    (tmp_path / "of_mine.py").rename(tmp_path / "elsewhere.txt")
    with pytest.raises(ConfigError, match=r"encoder=of_mine:Rows: No module named 'of_mine'; the module must lie in"):
        load_run(tmp_path / "run", device="cpu")


def test_a_layer_without_settings_is_trained_and_given_again(tmp_path: Path) -> None:
    class Plain(mt.nn.Linear):
        dim, grid, answers = 8, (4,), (Whole,)

        def check(self, task: Any) -> None:
            """Any will do."""

        def forward(self, tokens: Any, valid: Any, keep: Any, asked: Any) -> Any:
            return [super().forward(tokens)]

    def mine() -> jepa.JEPA:
        return model(predictor=Plain(8, 8))

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", trained := mine(), stop_after=7)
    with pytest.raises(ConfigError, match=r"predictor=.*Plain: .*the object is given, jepa.load_run\(folder, model="):
        load_run(tmp_path / "run")
    run = load_run(tmp_path / "run", device="cpu", model=mine())
    assert (run.step, run.config.encoder.kind) == (7, "vit")
    for name, value in trained.state_dict().items():
        np.testing.assert_array_equal(run.model.state_dict()[name], value)
    assert np.isfinite(run.held_out()["loss"])
    fit(tmp_path / "run", mine(), resume=True)
    fit(tmp_path / "whole", mine())
    ends = [read_checkpoint(list_checkpoints(tmp_path / name)[-1])[0] for name in ("run", "whole")]
    assert_same(ends[:1], ends[1:])
    with pytest.raises(RunError, match="do not fit the configuration"):
        load_run(tmp_path / "run", device="cpu", model=model())
    with pytest.raises(TypeError, match="unexpected argument 'modle'"):
        load_run(tmp_path / "run", modle=mine())


class Mine:
    """A source that keeps the contract, and is none of ours."""

    shape, classes, pictures, labels = (2, 8), (), "jepa.pictures.line", None

    def __init__(self, rows: Any = range(40)) -> None:
        self.rows = rows
        self.names = [str(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Any) -> Any:
        return np.stack([np.random.default_rng(self.rows[i]).normal(size=(2, 8)) for i in indices]).astype(np.float32)

    def normalize(self, x: Any) -> Any:
        return x

    def split(self, part: str) -> "Mine":
        return Mine(range(8) if part == "val" else range(8, 40))

    def fingerprint(self) -> str:
        return str(self.rows)


class Bare(jepa.encoders.MLP):
    """An encoder whose class cannot be made from a configuration."""

    Settings = Unmade

    def __init__(self) -> None:
        super().__init__((2, 8), width=6, depth=1)


def test_a_model_that_cannot_be_made_again_is_evaluated_without_an_untrained_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def made() -> jepa.JEPA:
        return model(Bare(), objective=jepa.objectives.VICReg())

    fit(tmp_path / "run", made(), evaluation=EvaluationSettings(every=1))
    assert all("probe/linear" in line and "probe/linear_random" not in line for line in logged(tmp_path / "run")[-1:])
    found = jepa.evaluate(tmp_path / "run", device="cpu", model=made())
    assert set(found["linear"]) == {"jepa", "pixels", "chance"} and "untrained" not in found
    assert "of a class without Settings" in found["note"] and found["random_seeds"] == {"linear": [], "knn": []}
    lines = table(found).splitlines()
    assert lines[1].startswith("trained encoder") and lines[2].startswith("raw input")
    plotted = draw(tmp_path / "run", device="cpu", model=made()).read_text("utf-8")
    assert "without Settings" in plotted and "Not in this report" not in plotted


def test_a_source_that_keeps_the_contract_is_enough(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", source=Mine(), stop_after=5)
    fit(tmp_path / "run", source=Mine(), resume=True)
    with pytest.raises(ConfigError, match=r"source=.*Mine has no Settings.* jepa.load_run\(folder, source=\.\.\.\)"):
        load_run(tmp_path / "run", device="cpu")
    run = load_run(tmp_path / "run", device="cpu", source=Mine())
    assert run.step == 12 and len(run.source("val")) == 8 and np.isfinite(run.held_out()["loss"])


def test_a_run_that_was_moved_says_where_its_examples_were(tmp_path: Path) -> None:
    fit(tmp_path / "run", epochs=1)
    (tmp_path / "run").rename(tmp_path / "moved")
    run = load_run(tmp_path / "moved", device="cpu")  # the weights need no examples
    with pytest.raises(jepa.JEPAError, match=r"are not in .*run/source.npz: say where they are now with source.path="):
        run.source("val")
    there = [f"source.path={tmp_path / 'moved' / 'source.npz'}"]
    assert len(load_run(tmp_path / "moved", device="cpu", settings=there).source("val")) == 6
