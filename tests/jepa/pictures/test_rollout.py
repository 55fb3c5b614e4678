"""Pictures of a world model and of planning with it, of images and of states, and the report's section."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.config import load
from jepa.errors import ConfigError
from jepa.evaluation import energy, rollout
from jepa.evaluation.energy import Energy
from jepa.pictures import planning
from jepa.pictures import rollout as pictures
from jepa.pictures.report import draw
from jepa.planning.control import Agent
from jepa.planning.plan import plan_run
from jepa.planning.said import sentences
from jepa.runs.run import Run, load_run
from jepa.training.run import train
from tests.jepa.tiny import ROOMS

FAST = ["plan.tasks=2", "plan.steps=6", "plan.horizon=4", "plan.act=2", "planner.samples=4", "plan.budgets=0.5"]
STATES = ["source.path=FILE", "task.steps=3", "encoder=states", "encoder.dim=8", "predictor.inverse=8",
          "train.batch_size=8", "train.max_steps=2", "train.epochs=1"]  # fmt: skip
WORDS = {
    "two-rooms": ROOMS,
    "pendulum": ["source=pendulum", *ROOMS[1:], "predictor.actions=1"],
    "positions": ["source=FILE", *STATES[1:]],
    "states": ["source=FILE", *STATES[1:]],
}


@pytest.fixture(scope="module", params=WORDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of two steps, in a world or of a user's states, with known places or without."""
    folder, rng = tmp_path_factory.mktemp("rollout"), np.random.default_rng(0)
    a = rng.normal(size=(40, 6, 2)).astype(np.float32)
    x = np.concatenate([np.zeros((40, 1, 2)), a.cumsum(axis=1)], axis=1).astype(np.float32)
    given = {"observations": x, "actions": a} | ({"positions": x} if request.param == "positions" else {})
    np.savez(folder / "walks.npz", **given)  # type: ignore[arg-type]
    words = [word.replace("FILE", str(folder / "walks.npz")) for word in WORDS[request.param]]
    return load_run(train(load(overrides=words), out=folder / "run").folder, device="cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "STEPS", 5)
    monkeypatch.setattr(rollout, "FRAMES", 100)


def test_the_report_has_them(run: Run, quick: None) -> None:
    """Film strips need images, places somebody who knows them, and the section on planning a world."""
    assert run.folder is not None
    world: Any = run.parts.source.world  # type: ignore[attr-defined]
    if world is None:
        with pytest.raises(ConfigError, match="without a world to act in: .* jepa.Agent"):
            plan_run(run.folder, device="cpu", settings=FAST)
        frames = run.source("val").read(range(3))[:, :, 0]
        agent = Agent(run)
        agent.aim(frames)
        assert agent.act(frames).shape == (3, 2) and agent.limit > 0
    else:
        plan_run(run.folder, device="cpu", settings=FAST)
    text = draw(run.folder, device="cpu").read_text()
    drawn = {path.stem for path in (run.folder / "plots").glob("*.png")}
    images, known = len(run.parts.source.shape) == 4, run.source("val").walks(1, 3).positions is not None  # type: ignore[attr-defined]
    assert drawn >= {"energy", "similarity"}
    assert ("rollout" in drawn, "off" in drawn, "paths" in drawn, "budget" in drawn) == (
        images,
        known,
        world is not None,
        world is not None,
    )
    assert ("<h2>Planning</h2>" in text) == (world is not None)
    assert "Not in this report" not in text or "not evaluated yet" in text


def test_what_is_drawn_is_what_was_imagined(run: Run, quick: None) -> None:
    e = pictures.examples(run, 4)
    n, past = len(e["clips"]), e["past"]
    assert e["prediction"].shape == e["target_embedding"].shape == (n, 8)
    if e["places"]:
        steps = e["clips"].shape[2] - past
        assert e["places"]["true"].shape == e["places"]["predicted"].shape == (n, steps, 2)
    assert e["energy"].values.ndim - 1 == min(run.model.predictor.actions, 2)
    assert set(pictures.figures(run, e)) >= {"energy", "similarity"}


def test_the_energy_is_that_of_one_step(run: Run) -> None:
    """In the middle of the grid the action is the true one; none is longer than it may be; the minimum is the least."""
    e = energy.energies(run, run.model, 5)
    held: Any = run.source("val")
    middle = (energy.SIDE // 2,) * (e.values.ndim - 1)
    n = len(e.values)
    assert np.isfinite(e.values[(slice(None), *middle)]).all() and (np.linalg.norm(e.true, axis=1) > 0).any()
    rows = np.linspace(0, len(held) - 1, n).astype(int)
    assert all(any(np.array_equal(a, b) for b in held.actions[k]) for k, a in zip(rows, e.true, strict=True))
    found = energy.measured(run, run.model)
    assert list(found["off"]) == ["jepa", "random", "chance"] and found["off"]["jepa"] == found["off"]["random"]
    assert energy.sentences(found, {}) and energy.tables(found, {})[0].rows[0][0] == "trained"


@pytest.mark.parametrize("rank", [1, 2])
def test_how_far_off_the_minimum_is(rank: int) -> None:
    offsets = np.linspace(-2, 2, energy.SIDE).astype(np.float32)
    true = np.zeros((3, rank), np.float32)
    tried, shape = energy.around(true, offsets)
    goal = np.array([[0.0] * rank, [0.4] + [0.0] * (rank - 1), [0.4] * rank], np.float32)
    values = ((tried - goal[:, None]) ** 2).sum(axis=2).reshape(3, *shape)
    values[(slice(None), 0)] = np.nan
    found = Energy(values, offsets, true, 2.0)
    np.testing.assert_allclose(found.off, np.linalg.norm(goal, axis=1) / 2, atol=1e-6)
    assert pictures.plot_energy(found).axes


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    train(load(overrides=ROOMS), out=tmp_path / "run")
    (tmp_path / "run" / "planning.json").write_text(json.dumps({"walls": {}}))
    assert "planning.json" in draw(tmp_path / "run", device="cpu").read_text()


def test_the_verdict_names_the_best_floor() -> None:
    row = {"at_end": 0.5, "at_end_interval": [0.4, 0.6], "ever": 0.5, "ever_interval": [0.4, 0.6], "distance": 1.0}
    rows = {name: {**row, "steps": 3.0} for name in ("planner", "ceiling", "straight", "behavior", "random")}
    rows["behavior"]["at_end"] = 0.9
    found: dict[str, Any] = {"walls": {"random": rows}}
    assert "what the data do, reaches it in 90 %" in planning.verdict(found)
    time = {"seconds": 1.0, "threads": 1, "device": "cpu", "plans": 2, "sequences": 9}
    told = {"time": time, "plan": {"tasks": 3, "steps": 5, "horizon": 4}, "radius": 1.0, "unit": "px", "budget": []}
    assert len(sentences(told)) == 2
