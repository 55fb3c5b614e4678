"""A run is judged by acting in its world, beside floors and a ceiling; and how much planning that takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import minitensor as mt
from jepa.config import PlanSettings
from jepa.errors import ConfigError
from jepa.planning.base import Planner
from jepa.planning.control import Agent
from jepa.planning.judge import Tasks, Walk, by_model, figures, floors, knowing, walked
from jepa.runs.owned import check_replaceable, replace_text
from jepa.runs.run import Run, load_run
from jepa.worlds import World, of

FILE = "planning.json"
ROWS = {
    "planner": "planned with the model",
    "ceiling": "the same planner, knowing the world",
    "straight": "straight to the goal",
    "behavior": "what the data do",
    "random": "random actions",
}
"""row -> what it is called in tables"""
WALLS = {"random": "surroundings like those of the data", "held_out": "surroundings that the data never have"}
"""kinds of tasks -> what they are called"""
DRAWN = 6  # tasks whose paths are kept for a picture


def plan_run(
    run_dir: str | Path, *, device: str = "auto", settings: Sequence[str] = (), **given: Any
) -> dict[str, Any]:
    """Let the model of a run act in its world, write the figures to ``planning.json`` in its folder, and return them.

    n = `plan.tasks` tasks of `plan.steps` steps each, drawn by the run's seed, with surroundings like those of the data
    and with such as they never have. Of each ``walls`` has the rows of `ROWS`, with `figures`: the planner with the
    model, which sees pictures alone; floors that have learned nothing; the ceiling. ``budget`` has success with shares
    of the candidates (`plan.budgets`), and ``time`` what planning takes: `seconds` for one task, by this machine.

    device: auto, cpu, cuda or cuda:1. settings: other ones than the run's, such as ``planner=mppi``, ``plan.act=2``,
    ``seed=1``. given: `model`, `task` or `source`, where they cannot be made from their settings.

    Raises JEPAError if the run cannot be read, if its model is told no actions, or if its source has no world.
    """
    run_dir = Path(run_dir)
    run = load_run(run_dir, device=device, settings=settings, **given)
    agent, world = Agent(run, seed=run.config.seed), _world(run)
    out = run_dir / FILE
    check_replaceable(out)
    s, planner = run.config.plan, run.config.planner.settings
    tasks = {name: _tasks(world, s, run.config.seed, name == "held_out") for name in WALLS}
    walls: dict[str, Any] = {}
    found: dict[str, Any] = {
        "step": run.step,
        "seed": run.config.seed,
        "planner": {"kind": run.config.planner.kind, **asdict(planner)},
        "plan": {**asdict(s), "budgets": list(s.budgets)},
        **({"settings": list(settings)} if settings else {}),
        "unit": world.unit,
        "radius": world.radius,
        "walls": walls,
    }
    for name, some in tasks.items():
        walls[name], walks = _judged(agent, some, run, name)
        if name == "random":
            found["time"] = _time(agent, planner, some)
            found["paths"] = _paths(some, walks)
    found["budget"] = []
    replace_text(out, json.dumps(found) + "\n")  # who has seen enough may stop here
    for figures_of in _budgets(run, tasks["random"], s, planner):
        found["budget"].append(figures_of)
        replace_text(out, json.dumps(found) + "\n")
    return found


def _world(run: Run) -> Any:
    """Return the world to act in; raise ConfigError if there is none."""
    source: Any = run.parts.source
    if source.world is None:
        raise ConfigError(
            f"{run.folder} has learned from recorded trajectories, without a world to act in: use its planner in your "
            "own environment with jepa.Agent, or train with a source that has one, such as source=two-rooms"
        )
    return source.world


def _tasks(world: World, s: PlanSettings, seed: int, held_out: bool) -> Tasks:
    start, goal = world.tasks(s.tasks, np.random.default_rng([seed, 1]), held_out)
    return Tasks(world, start, goal, s.steps)


def _judged(agent: Agent, tasks: Tasks, run: Run, name: str) -> tuple[dict[str, Any], dict[str, Walk]]:
    """Return the figures of every row, and where each went."""
    seed, kind = run.config.seed, WALLS[name]
    policies = {
        "planner": by_model(agent, tasks),
        "ceiling": knowing(tasks, run.config.planner.settings, run.config.plan, seed),
        **floors(tasks, seed),
    }
    walks = {row: walked(tasks, policies[row], f"{title}, {kind}") for row, title in ROWS.items()}
    return {row: figures(walk) for row, walk in walks.items()}, walks


def _time(agent: Agent, planner: Planner, tasks: Tasks) -> dict[str, Any]:
    control = agent.control
    return {
        "seconds": control.seconds / tasks.n,
        "plans": control.plans,
        "sequences": planner.sequences,
        "threads": mt.get_num_threads(),
        "device": agent.run.device,
    }


def _paths(tasks: Tasks, walks: dict[str, Walk]) -> dict[str, Any]:
    """Return what a picture of a few paths needs: maps, goals, and where the model and the ceiling went."""
    few = np.arange(min(DRAWN, tasks.n))
    world = tasks.world
    return {
        "maps": world.map(of(tasks.start, few)).tolist(),
        "goals": world.place(of(tasks.goal, few)).round(2).tolist(),
        **{row: walks[row].places[few].round(2).tolist() for row in ("planner", "ceiling")},
    }


def _budgets(run: Run, tasks: Tasks, s: PlanSettings, planner: Planner) -> Iterator[dict[str, Any]]:
    """Yield the figures of the model with shares of the candidates."""
    for share in sorted(s.budgets):
        fewer = planner.scaled(share)
        config = replace(run.config, planner=run.config.planner._replace(settings=fewer))
        agent = Agent(Run(run.folder, config, run.parts, run.device, run.step), seed=run.config.seed)
        walk = walked(tasks, by_model(agent, tasks), f"{fewer.samples} candidates in a round")
        yield {"share": share, "samples": fewer.samples, **_time(agent, fewer, tasks), **figures(walk)}
