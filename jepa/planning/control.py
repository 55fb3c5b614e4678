"""Control by a receding horizon: plan, take the first steps, see where they led, and plan again from the rest."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from jepa.config import PlanSettings
from jepa.contracts import DynamicsModel
from jepa.errors import ConfigError
from jepa.evaluation.energy import longest
from jepa.evaluation.rollout import codes
from jepa.planning.base import Array, Cost, Planner
from jepa.planning.cost import Imagined, Seen
from jepa.runs.run import Run


class Receding:
    """Hands out the actions of plans for n tasks, and makes a new plan where `plan.act` of them were taken.

    The rest of a plan is the first guess of the next one; what it lacks to `plan.horizon` stands still.
    """

    def __init__(self, planner: Planner, settings: PlanSettings, limit: float, seed: int = 0) -> None:
        self.planner, self.settings, self.limit = planner, settings, limit
        self.rng = np.random.default_rng(seed)
        self.plan: Array | None = None
        """(n, H, a): the last one"""
        self.taken = 0
        self.plans = 0
        """how many were made"""
        self.seconds = 0.0
        """that planning has taken"""

    def next(self, cost: Callable[[], Cost], shape: tuple[int, int], left: int) -> Array:
        """Return actions (n, a) = shape. cost: of what follows now, asked for where a plan is due; left: steps."""
        if self.due:
            horizon, started = max(min(self.settings.horizon, left), 1), time.perf_counter()
            start = np.zeros((shape[0], horizon, shape[1]), np.float32)
            if self.plan is not None:
                rest = self.plan[:, self.taken :][:, :horizon]
                start[:, : rest.shape[1]] = rest
            self.plan, self.taken = self.planner.plan(cost(), start, self.limit, self.rng).actions, 0
            self.plans, self.seconds = self.plans + 1, self.seconds + time.perf_counter() - started
        assert self.plan is not None
        self.taken += 1
        found: Array = self.plan[:, self.taken - 1]
        return found

    @property
    def due(self) -> bool:
        """Whether the next actions are those of a new plan."""
        return self.plan is None or self.taken >= min(self.settings.act, self.plan.shape[1])


class Agent:
    """Acts towards goals by what the model of a run imagines, for n of them at once; in any environment.

        agent = Agent(load_run("runs/rooms"))
        agent.aim(goals)                        # frames (n, c, h, w) of how it is to be in the end
        while ...:
            actions = agent.act(frames)         # (n, a), from frames of how it is now

    Frames are as the run's source reads them: floats, of images between 0 and 1; they are normalized here. How plans
    are made is what the run's `planner` and `plan` say; other settings are given to `load_run`.

    limit: the largest norm of an action; None: the world's, or that of the longest action in the run's data. seed: of
    what the planner draws. Raises ConfigError for a run whose model is told no actions.
    """

    def __init__(self, run: Run, *, limit: float | None = None, seed: int = 0) -> None:
        self.run, self.model = run, run.model
        predictor = run.model.predictor
        if not isinstance(predictor, DynamicsModel) or not run.task.acts:
            raise ConfigError(
                f"the model of {run.folder} is told no actions, so that it cannot plan: train one with task=rollout, "
                "from a source with actions, such as source=two-rooms"
            )
        if run.config.plan.effect and not run.model.objective.inverts:
            raise ConfigError(
                f"plan.effect={run.config.plan.effect} reads actions out of imagined codes, and the model of "
                f"{run.folder} has not learned to: take plan.effect=0, or train one with objective.inverse=1"
            )
        self.size = predictor.actions
        self.limit = longest(run) if limit is None else limit
        self.past: int = run.task.settings.past
        self.goal: Array = np.zeros((0, 0), np.float32)
        self.seen: list[Array] = []
        self.done: list[Array] = []
        self.seed = seed
        self.control = self._control()
        run.model.eval()

    def _control(self) -> Receding:
        config = self.run.config
        return Receding(config.planner.settings, config.plan, self.limit, self.seed)

    def codes(self, frames: Array) -> Array:
        """Return the codes of frames, as the predictor and the objective see them: (n, c, ...) -> (n, d)."""
        return codes(self.run, self.model, np.asarray(frames, np.float32)[:, :, None])[:, 0]

    def aim(self, goals: Array) -> None:
        """Take aim at goals (n, c, ...), and forget what was seen and planned before."""
        self.goal, self.seen, self.done, self.control = self.codes(goals), [], [], self._control()

    def act(self, frames: Array, left: int = 10**9) -> Array:
        """Return what to do now, (n, a), where frames (n, c, ...) are seen. left: the steps there are, if known."""
        if self.past > 1 or self.control.due:
            self.seen = [*self.seen, self.codes(frames)][-self.past :]
        a = self.control.next(self.cost, (len(frames), self.size), left)
        self.done = [*self.done, a][-self.past :]
        return a

    def cost(self) -> Imagined:
        """Return what sequences of actions cost now."""
        before = self.done[len(self.done) - len(self.seen) + 1 :]  # the actions between the frames that were seen
        told = np.stack(before, 1) if before else np.zeros((len(self.goal), 0, self.size), np.float32)
        s, seen = self.run.config.plan, Seen(np.stack(self.seen, 1), told)
        effect = s.effect / self.limit**2
        return Imagined(self.model.predictor, seen, self.goal, s.cost, effect, self.run.device)
