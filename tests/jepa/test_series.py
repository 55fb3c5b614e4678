"""Time series by what is there: through `jepa.fit` and the command line, by masks and by views, to the report."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
import jepa.evaluation.attentive  # noqa: F401  # below, by its name
from jepa.__main__ import main
from jepa.config import EvaluationSettings

TASKS = {"masked": jepa.tasks.Masked(targets=2, min_keep=2), "views": jepa.tasks.Views()}
QUICK = EvaluationSettings(random_seeds=1, max_images=24)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the attentive probe be quick."""
    monkeypatch.setattr(sys.modules["jepa.evaluation.attentive"], "FEWEST", 1)


def series() -> tuple[Any, Any]:
    """Return 80 series of two channels, noisy waves of one of three frequencies, and which."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=80)
    turns = np.array([2, 4, 7])[labels][:, None] * np.arange(64) / 64 + rng.random((80, 1))  # (80, 64)
    x = np.sin(2 * np.pi * turns)[:, None] + 0.2 * rng.normal(size=(80, 2, 64))
    return x.astype(np.float32), labels


def looked_at(run: Path, task: str) -> None:
    """Check the log, the evaluation and the report of a run on series."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "lr" in line]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    found = json.loads((run / "evaluation.json").read_text("utf-8"))
    assert found["shape"] == [2, 64] and found["classes"] == 3
    assert {"jepa", "random", "pixels", "chance"} == set(found["linear"]) == set(found["knn"])
    assert ("attentive" in found) == ("shuffled" in found["geometry"]) == (task == "masked")
    assert (run / "report.html").is_file()
    assert (run / "plots" / ("predictions.png" if task == "masked" else "views.png")).is_file()


@pytest.mark.parametrize("task", TASKS)
def test_series_in_memory_are_learned_from(task: str, tmp_path: Path) -> None:
    source = jepa.sources.Arrays(*series())
    encoder = jepa.encoders.ViT(source.shape, patch=8, dim=16, depth=1, heads=2)
    predictor: Any = jepa.predictors.MLP(16, encoder.grid, width=32)
    if task == "masked":
        predictor = jepa.predictors.Places(16, encoder.grid, dim=16, depth=1, heads=2)
    model = jepa.JEPA(encoder, predictor, objective=jepa.objectives.InfoNCE(0.2))
    settings: dict[str, Any] = {"batch_size": 24, "lr": 3e-3, "log_every": 3, "device": "cpu", "evaluation": QUICK}
    result = jepa.fit(model, source, TASKS[task], out=tmp_path / "run", epochs=5, **settings)
    assert result.steps == 15
    jepa.evaluate(tmp_path / "run")
    assert main(["plot", str(tmp_path / "run")]) == 0
    looked_at(tmp_path / "run", task)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("task", TASKS)
def test_series_in_a_file_are_learned_from(
    task: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, labels = series()
    words = [f"source=series{suffix}", "encoder=vit", "encoder.patch=8", f"task={task}"]
    if suffix == ".npz":
        np.savez("series.npz", x=x, labels=labels)
    else:
        np.save("series.npy", x)
        np.save("classes.npy", labels)
        words.append("source.labels=classes.npy")
    small = "encoder.dim=16 encoder.depth=1 encoder.heads=2 train.batch_size=24 train.log_every=3 train.epochs=5"
    quick = "optimizer.lr=0.003 optimizer.warmup_steps=2 device=cpu evaluation.random_seeds=1 evaluation.max_images=24"
    predictor = "predictor.dim=16 predictor.depth=1 predictor.heads=2" if task == "masked" else "predictor.width=32"
    assert main(["train", *words, *f"{small} {quick} {predictor}".split(), "--out", "run"]) == 0
    assert main(["eval", "run"]) == 0
    assert main(["plot", "run"]) == 0
    looked_at(Path("run"), task)


def written(path: Path, seed: int, longest: int) -> Path:
    """Write 40 waves of two kinds and 20 to `longest` samples, one in a line, behind its class."""
    rng, lines = np.random.default_rng(seed), []
    for k in range(40):
        t = np.arange(rng.integers(20, longest + 1))
        lines.append("\t".join([f"{k % 2}", *(f"{v:.3f}" for v in np.sin(t * (0.3 + 0.6 * (k % 2)) + rng.random()))]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "words",
    [
        "task=masked encoder=vit encoder.patch=4 encoder.dim=16 encoder.depth=1 encoder.heads=2 predictor.dim=16 "
        "predictor.depth=1 predictor.heads=2 task.min_keep=1",
        "task=masked task.masks=suffix encoder=rnn encoder.patch=4 encoder.dim=16 predictor=recurrent task.min_keep=1 "
        "predictor.width=16 evaluation.pool=last",
        "task=future encoder=cnn1d encoder.widths=8,16 encoder.kernels=3 predictor.width=16",
        "task=multiview task.crop=[0.5,1] encoder=cnn1d encoder.widths=8,16 encoder.kernels=3 projector.width=16 "
        "objective=ntxent evaluation.pool=max",
    ],
)
def test_series_of_several_lengths_from_the_command_line(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train on one file, evaluate on it and on another of other lengths, embed that, and draw the report."""
    monkeypatch.chdir(tmp_path)
    written(Path("one.tsv"), 0, 32), written(Path("two.tsv"), 1, 40)
    quick = "source.length=32 train.batch_size=8 train.epochs=1 device=cpu evaluation.random_seeds=1"
    assert main(["train", "source=one.tsv", *f"{quick} {words}".split(), "--out", "run"]) == 0
    assert main(["eval", "run"]) == 0 and main(["eval", "run", "--data", "two.tsv"]) == 0
    found = json.loads(Path("run/evaluation.json").read_text("utf-8"))
    other = json.loads(Path("run/evaluation-two.tsv.json").read_text("utf-8"))
    assert found["shape"] == other["shape"] == [1, 32] and set(found["methods"]) == {"euclid", "dtw"}
    assert np.isfinite([v for row in (found, other) for v in (*row["linear"].values(), *row["knn"].values())]).all()
    assert main(["embed", "run", "--data", "two.tsv", "--out", "e.npz"]) == 0
    with np.load("e.npz") as e:
        assert len(e["embeddings"]) == 40 and np.isfinite(e["embeddings"]).all() and e["names"][0] == "two.tsv:1"
    assert main(["plot", "run"]) == 0 and Path("run/report.html").is_file()


def test_what_comes_next_is_forecast(tmp_path: Path) -> None:
    """Of waves it is: by features of a transformer better than by the last value, and by one period before exactly."""
    t = np.arange(64)
    lines = ["\t".join(["0", *(f"{v:.4f}" for v in np.sin(2 * np.pi * (t + k) / 8))]) for k in range(60)]
    (tmp_path / "waves.tsv").write_text("\n".join(lines) + "\n")
    source = jepa.sources.Series(tmp_path / "waves.tsv", validation=0.3)
    encoder = jepa.encoders.ViT(source.shape, patch=8, dim=16, depth=1, heads=2)
    model = jepa.JEPA(
        encoder, jepa.predictors.Recurrent(16, encoder.grid, width=16), objective=jepa.objectives.InfoNCE()
    )
    task = jepa.tasks.Masked(masks="suffix", min_keep=2)
    jepa.fit(model, source, task, out=tmp_path / "run", epochs=2, batch_size=20, device="cpu", evaluation=QUICK)
    found = jepa.evaluate(tmp_path / "run")["forecast"]
    errors = found["mse"]["all"]
    assert found["period"] == 8 and (found["past"], found["horizon"]) == (48, 16)
    assert errors["seasonal"] < 1e-6 and errors["persistence"] > 0.5
    assert errors["jepa"] < 0.1 * errors["persistence"] and errors["pixels"] < 0.1 * errors["persistence"]
