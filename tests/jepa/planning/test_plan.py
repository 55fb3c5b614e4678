"""Acting in a world: floors and ceiling, what is written, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
from jepa.__main__ import main
from jepa.config import PlanSettings, load
from jepa.errors import ConfigError
from jepa.planning import CEM, ICEM, MPPI, Gradient, Planner, RandomShooting
from jepa.planning.base import shortened
from jepa.planning.control import Agent, Receding
from jepa.planning.cost import Known
from jepa.planning.judge import Tasks, Walk, by_model, figures, floors, interval, knowing, walked
from jepa.runs.owned import is_ours
from jepa.runs.run import load_run
from jepa.training.run import train
from jepa.worlds import TwoRooms
from tests.jepa.tiny import ROOMS, config

FAST = ["plan.tasks=3", "plan.steps=12", "plan.horizon=6", "plan.act=4", "planner.samples=4", "planner.rounds=2",
        "plan.budgets=0.5"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps in two small rooms; not to be changed."""
    folder = tmp_path_factory.mktemp("plan") / "run"
    train(load(overrides=ROOMS), out=folder)
    return folder


def rooms(n: int, steps: int, held_out: bool = False, size: int = 33) -> Tasks:
    world = TwoRooms(size)
    return Tasks(world, *world.tasks(n, np.random.default_rng(0), held_out), steps)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("planner", [CEM(), ICEM(), MPPI(), RandomShooting(), Gradient()])
def test_who_knows_the_world_reaches_the_goal(planner: Planner, held_out: bool) -> None:
    """The ceiling; with cost of the last step it is there at the last step of an episode of any length."""
    tasks = rooms(12, 80, held_out)
    found = figures(walked(tasks, knowing(tasks, planner, PlanSettings(), 0), "planning"))
    assert found["at_end"] >= 11 / 12 and found["distance"] < 2


def test_floors_are_low_and_say_what_they_do() -> None:
    """Straight to the goal ends at the wall, but for goals that lie behind the opening."""
    tasks = rooms(200, 60)
    found = {row: figures(walked(tasks, policy, row)) for row, policy in floors(tasks, 0).items()}
    assert list(found) == ["random", "straight", "behavior"]
    assert found["random"]["at_end"] < 0.1 and found["behavior"]["at_end"] < 0.1
    assert 0.05 < found["straight"]["at_end"] < 0.5 and found["straight"]["ever"] >= found["straight"]["at_end"]


def test_figures_of_walks() -> None:
    reached = np.array([[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    walk = Walk(np.zeros((4, 4, 2)), np.where(reached, 1.0, 5.0), reached)
    found = figures(walk)
    assert (found["at_end"], found["ever"], found["steps"], found["distance"]) == (0.5, 0.75, 1.0, 3.0)
    assert figures(Walk(walk.places, walk.distances, reached & False))["steps"] is None


@pytest.mark.parametrize(("share", "n"), [(0.97, 100), (0.5, 20), (0.0, 100), (1.0, 3)])
def test_the_interval_is_wilsons(share: float, n: int) -> None:
    """Its ends are the shares that lie 1.96 of their own standard errors from what was seen."""
    for p in interval(share, n):
        assert abs(share - p) == pytest.approx(1.96 * np.sqrt(p * (1 - p) / n), abs=1e-9)


def test_the_horizon_recedes() -> None:
    """A plan is made where `act` steps of the last were taken; its rest is the next guess; none is longer than time."""
    guesses = []

    class Watched(CEM):
        def plan(self, cost: Any, start: np.ndarray, limit: float, rng: np.random.Generator) -> Any:
            guesses.append(start)
            return super().plan(cost, start, limit, rng)

    tasks = rooms(2, 11)
    control = Receding(Watched(), PlanSettings(horizon=6, act=3), 1.0)
    plans = []
    for left in range(11, 0, -1):
        control.next(lambda: Known(tasks.world, tasks.start, tasks.goal), (2, 2), left)
        plans.append(control.plan)
    assert [g.shape[1] for g in guesses] == [6, 6, 5, 2] and control.plans == 4
    np.testing.assert_array_equal(guesses[1][:, :3], plans[0][:, 3:])
    assert not guesses[1][:, 3:].any()
    np.testing.assert_array_equal(guesses[3], plans[6][:, 3:5])


def test_the_verb_writes_what_it_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(run), *FAST, "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    found = json.loads((run / "planning.json").read_text())
    assert is_ours(run / "planning.json")
    assert found["seed"] == 3 and found["plan"]["tasks"] == 3 and found["planner"]["samples"] == 4
    for walls in ("random", "held_out"):
        assert list(found["walls"][walls]) == ["planner", "ceiling", "straight", "behavior", "random"]
        assert all(row["tasks"] == 3 for row in found["walls"][walls].values())
    assert found["time"]["plans"] == 3 and found["time"]["sequences"] == 8
    assert [b["samples"] for b in found["budget"]] == [2] and len(found["paths"]["planner"]) == 3
    for text in ("planned with the model", "random actions", "3 tasks of 12 steps", "1.12 px", "4: "):
        assert text in printed
    again = jepa.plan(run, settings=[*FAST, "seed=3"])
    assert {**again, "time": 0, "budget": 0} == {**found, "time": 0, "budget": 0}
    assert jepa.plan(run, settings=FAST)["walls"] != found["walls"]


@pytest.mark.parametrize("planner", ["cem", "icem", "mppi", "shooting", "gradient"])
@pytest.mark.parametrize("cost", ["all", "last"])
def test_every_planner_acts_by_a_model(run: Path, planner: str, cost: str) -> None:
    """The first action lowers what the model says that it will cost; no action is too long; the goal decides."""
    opened = load_run(run, device="cpu", settings=[f"planner={planner}", f"plan.cost={cost}", "plan.horizon=6"])
    agent, tasks = Agent(opened), rooms(5, 20, size=17)
    shown = opened.parts.source.shown
    agent.aim(shown(tasks.goal))
    a = agent.act(shown(tasks.start))
    assert a.shape == (5, 2) and (np.linalg.norm(a, axis=1) <= tasks.world.limit * (1 + 1e-6)).all()
    plan, cost_of = agent.control.plan, agent.cost()
    assert (cost_of(plan[:, None]) <= cost_of(np.zeros_like(plan)[:, None]) + 1e-7).all()
    assert agent.limit == tasks.world.limit
    agent.aim(shown(tasks.start))
    assert not np.array_equal(a, agent.act(shown(tasks.start)))


def test_a_model_of_several_frames_is_told_what_was_seen_and_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first step it has one code; then the last two, and the action that was taken between."""
    words = ["task.past=2", "task.steps=2", "predictor=causal", "predictor.width=8", "predictor.heads=2"]
    train(load(overrides=[*ROOMS, *words]), out=tmp_path / "run")
    opened, tasks = load_run(tmp_path / "run", device="cpu", settings=[*FAST, "plan.act=2"]), rooms(3, 6, size=17)
    agent, told, done, frames = Agent(opened), [], [], []

    def imagine(codes: Any, actions: Any) -> Any:
        told.append((codes.numpy(), actions.numpy()))
        return imagined(codes, actions)

    imagined = opened.model.predictor.imagine
    monkeypatch.setattr(opened.model.predictor, "imagine", imagine)
    policy = by_model(agent, tasks)

    def watched(t: int, state: Any) -> np.ndarray:
        frames.append(agent.codes(opened.parts.source.shown(state)))
        done.append(policy(t, state))
        return done[-1]

    walked(tasks, watched, "planning")
    assert told[0][0].shape == (12, 1, 8) and told[0][1].shape == (12, 6, 2)
    codes, actions = told[2]  # the plan of step 2, after two rounds of the first
    assert codes.shape == (12, 2, 8) and actions.shape == (12, 1 + 4, 2)
    np.testing.assert_allclose(codes[::4], np.stack(frames[1:3], axis=1), rtol=1e-5)
    np.testing.assert_array_equal(actions[::4, 0], done[1])


def test_what_was_found_before_an_interrupt_is_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("jepa.planning.plan._budgets", stopped)
    (run / "planning.json").unlink(missing_ok=True)
    with pytest.raises(KeyboardInterrupt):
        jepa.plan(run, settings=FAST)
    found = json.loads((run / "planning.json").read_text())
    assert len(found["walls"]) == 2 and found["budget"] == []


def test_the_model_sees_pictures_alone(run: Path) -> None:
    """The same walk, whatever else a state says; and a new aim forgets the plan before."""
    agent, tasks = Agent(load_run(run, device="cpu", settings=FAST)), rooms(3, 6, size=17)
    walks = [walked(tasks, by_model(agent, tasks), "planning").places for _ in range(2)]
    np.testing.assert_array_equal(*walks)
    assert shortened(np.ones((1, 2)), 0.1).shape == (1, 2)


def test_a_model_without_actions_cannot_plan(shapes_folder: Path, tmp_path: Path) -> None:
    train(config(shapes_folder, "train.epochs=1"), out=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"is told no actions.*train one with task=rollout"):
        jepa.plan(tmp_path / "run")


def test_what_is_imagined_to_have_no_effect_is_avoided(run: Path) -> None:
    """Another cost of the same plans, by the weight and the world's largest action."""
    plans = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)
    found = []
    for effect in (0.0, 3.0, 6.0):
        opened = load_run(run, device="cpu", settings=[f"plan.effect={effect}"])
        agent = jepa.Agent(opened)
        world = opened.parts.source.world
        frames = opened.parts.source.shown(world.tasks(2, np.random.default_rng(0))[0])
        agent.aim(frames)
        agent.act(frames)
        found.append(agent.cost()(plans))
    np.testing.assert_allclose(found[2] - found[0], 2 * (found[1] - found[0]), rtol=1e-3)
    assert (found[1] > found[0]).all()


@pytest.mark.parametrize("hidden", [0, 8])
def test_actions_are_not_read_by_what_has_not_learned_to(tmp_path: Path, hidden: int) -> None:
    """Whether the predictor has nothing to read them with, or has it untrained, as nothing asked for actions."""
    train(load(overrides=[*ROOMS, f"predictor.inverse={hidden}", "objective.inverse=0"]), out=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"plan.effect=1.0 reads actions .* take plan.effect=0, or train one with"):
        jepa.Agent(load_run(tmp_path / "run", device="cpu", settings=["plan.effect=1"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encoder.dim=16"], "jepa plan has no use for encoder.dim"),
        (["plan.act=9", "plan.horizon=6"], "plan.act=9: must be at most plan.horizon=6"),
        (["planner=cem", "planner.elites=99"], "planner.elites=99: must be at most planner.samples=32"),
        (["planner=cme"], "Did you mean 'cem'"),
        (["planner.smaples=9"], "Did you mean 'planner.samples'"),
        (["--tasks", "0"], "not a whole number of 1 or more"),
    ],
)
def test_mistakes_are_answered(run: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(run), *words]) == 2
    assert said in capsys.readouterr().err
