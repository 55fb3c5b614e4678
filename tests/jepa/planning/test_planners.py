"""Planners on a linear system, whose best plan is known, and what holds for every planner."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.errors import ConfigError
from jepa.parts import ROLES, load
from jepa.planning import CEM, ICEM, MPPI, Cost, Gradient, Planner, RandomShooting
from jepa.planning.base import drawn
from jepa.planning.cost import Imagined, Seen

N, H, LIMIT = 6, 12, 1.0
KINDS: list[type[Planner]] = [load("planner", kind) for kind in ROLES["planner"]]
rng = np.random.default_rng(0)
B = rng.normal(size=(2, 5)).astype(np.float32)
START = rng.normal(size=(N, 1, 5)).astype(np.float32)
GOAL = START[:, 0] + rng.uniform(-0.3, 0.3, (N, H, 2)).astype(np.float32).sum(axis=1) @ B  # within reach


class Linear:
    """z_t = z_{t-1} + a_t B: what a predictor of dynamics is asked for, and reads half of what it was told."""

    actions, reads = 2, True

    def imagine(self, codes: mt.Tensor, actions: mt.Tensor) -> mt.Tensor:
        return codes[:, -1:] + mt.cumsum(actions[:, codes.shape[1] - 1 :] @ mt.Tensor(B), axis=1)

    def inverse(self, before: mt.Tensor, after: mt.Tensor) -> mt.Tensor:
        return (after - before) @ mt.Tensor(np.linalg.pinv(B) / 2)


def cost(over: Any = "last", effect: float = 0.0) -> Imagined:
    return Imagined(Linear(), Seen(START, np.zeros((N, 0, 2), np.float32)), GOAL, over, effect)


def found(planner: Planner, over: Any = "last", seed: int = 0) -> tuple[np.ndarray, float]:
    """Return a plan, and the share of the cost of standing still that it leaves."""
    still = np.zeros((N, H, 2), np.float32)
    plan = planner.plan(cost(over), still, LIMIT, np.random.default_rng(seed))
    left, before = (cost(over)(a[:, None]).sum() for a in (plan.actions, still))
    return plan.actions, float(left / before)


@pytest.mark.parametrize(
    ("planner", "left"),
    [
        (RandomShooting(samples=500), 0.02),
        (CEM(rounds=10), 0.001),
        (CEM(rounds=10, follow="mean"), 0.002),
        (CEM(rounds=10, color=0.0, spread=0.3), 0.02),
        (ICEM(rounds=10), 0.002),
        (MPPI(rounds=10), 0.002),
        (MPPI(rounds=10, follow="mean"), 0.01),
        (Gradient(rounds=30), 0.001),
    ],
)
def test_a_plan_comes_near_the_best_one(planner: Planner, left: float) -> None:
    """The best plan costs nothing where the last step counts: the goal is within reach."""
    assert found(planner)[1] < left


def test_the_cost_of_all_steps_has_the_optimum_of_least_squares() -> None:
    """Without a limit the minimum of a quadratic cost is known: the first step goes all the way."""
    start, goal = START[:, 0].astype(float), GOAL.astype(float)
    whole = np.stack([np.linalg.lstsq(B.T, (g - s), rcond=None)[0] for s, g in zip(start, goal, strict=True)])
    best = np.zeros((N, H, 2), np.float32)
    best[:, 0] = whole
    c = cost("all")
    plan = Gradient(samples=1, rounds=300, rate=0.02, spread=1e-6).plan(
        c, np.zeros_like(best), 10.0, np.random.default_rng(0)
    )
    np.testing.assert_allclose(plan.actions[:, 0], whole, atol=0.05)
    assert c(plan.actions[:, None]).sum() < c(best[:, None]).sum() + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_every_planner(kind: type[Planner]) -> None:
    """The same seed gives the same plan; no action is too long; the first guess is never made worse; rounds help."""
    a, left = found(kind())
    np.testing.assert_array_equal(a, found(kind())[0])
    assert np.abs(a - found(kind(), seed=1)[0]).max() > 1e-4
    assert a.dtype == np.float32 and np.linalg.norm(a, axis=-1).max() <= LIMIT * (1 + 1e-6)
    guess = found(Gradient(rounds=60))[0]
    plan = kind(samples=4, rounds=1, **({"elites": 2} if "elites" in kind.__dataclass_fields__ else {})).plan(
        cost(), guess, LIMIT, np.random.default_rng(0)
    )
    assert (cost()(plan.actions[:, None]) <= cost()(guess[:, None]) + 1e-7).all()
    history = kind(rounds=8).plan(cost(), np.zeros_like(a), LIMIT, np.random.default_rng(0)).costs
    assert history == sorted(history, reverse=True) and history[-1] < history[0] and left < 1


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_sequences_are_imagined_as_a_planner_says(kind: type[Planner]) -> None:
    seen = []

    class Counted(Cost):
        def __call__(self, actions: np.ndarray) -> np.ndarray:
            seen.append(actions.shape[1])
            return (actions**2).mean(axis=(2, 3))

        def slope(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self(actions), 2 * actions

    kind().plan(Counted(), np.zeros((2, 3, 2), np.float32), 1.0, np.random.default_rng(0))
    assert sum(seen) == kind().sequences


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_is_never_followed(kind: type[Planner]) -> None:
    class Holes(Cost):
        def __call__(self, actions: np.ndarray) -> np.ndarray:
            first = actions[:, :, 0, 0]
            return np.where(first > 0.2, np.nan, (first - 0.1) ** 2).astype(np.float32)

        def slope(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            g = np.zeros_like(actions)
            g[:, :, 0, 0] = np.where(actions[:, :, 0, 0] > 0.2, np.inf, 2 * (actions[:, :, 0, 0] - 0.1))
            return self(actions), g

    plan = kind().plan(Holes(), np.zeros((3, 4, 1), np.float32), 1.0, np.random.default_rng(0))
    assert np.isfinite(plan.actions).all() and (plan.actions[:, 0, 0] <= 0.2).all()


def test_what_an_action_has_not_done_costs() -> None:
    a = rng.normal(size=(N, 3, H, 2)).astype(np.float32)
    more = cost("last", effect=0.7)(a) - cost("last")(a)
    np.testing.assert_allclose(more, 0.7 * ((a / 2) ** 2).mean(axis=(2, 3)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("effect", [0.0, 0.5])
@pytest.mark.parametrize("over", ["all", "last"])
def test_the_gradient_of_an_imagined_cost(over: Any, effect: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against central differences, and the same whatever is imagined at once; what came before has no gradient."""
    a = rng.normal(size=(N, 2, H, 2)).astype(np.float32)
    c = cost(over, effect)
    value, g = c.slope(a)
    np.testing.assert_allclose(value, c(a), rtol=1e-5)
    for at in [(0, 0, 0, 0), (1, 1, H - 1, 1), (N - 1, 0, 5, 1)]:
        high, low = a.copy(), a.copy()
        high[at] += 0.05
        low[at] -= 0.05
        assert g[at] == pytest.approx(float((c(high) - c(low))[at[:2]]) / 0.1, rel=2e-3, abs=1e-4)
    monkeypatch.setattr("jepa.planning.cost.NUMBERS", 5 * H * 5)
    np.testing.assert_allclose(c(a), value, rtol=1e-5)
    np.testing.assert_allclose(c.slope(a)[1], g, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("color", [0.0, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("length", [1, 2, 9, 60])
def test_colored_noise(color: float, length: int) -> None:
    """Unit variance at every step; the power of a frequency falls as it should."""
    x = drawn(np.random.default_rng(0), (4000, length, 2), color)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=0.06)
    if length == 60:
        power = (np.abs(np.fft.rfft(x, axis=1)) ** 2).mean(axis=(0, 2))
        assert power[20] / power[5] == pytest.approx(4**-color, rel=0.15)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CEM(samples=3, elites=4), "elites=4: must be at most samples=3"),
        (lambda: ICEM(kept=5, elites=4), "kept=5: must be at most elites=4"),
        (lambda: MPPI(tau=0.0), "tau=0.0: must be at least"),
        (lambda: CEM(follow="worst"), "expected one of 'best', 'mean'"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
