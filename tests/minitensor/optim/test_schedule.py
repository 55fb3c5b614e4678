import math

import numpy as np
import pytest

from minitensor.errors import StateDictError
from minitensor.optim import schedule


def test_ends_and_direction():
    for f in (schedule.linear, schedule.cosine):
        values = [f(t, start=0.9, end=1.0, steps=10) for t in range(14)]
        assert values[0] == pytest.approx(0.9) and values[10:] == [pytest.approx(1.0)] * 4
        assert all(a < b for a, b in zip(values[:10], values[1:11], strict=True))
        down = [f(t, start=1.0, end=0.0, steps=10) for t in range(11)]
        assert all(a > b for a, b in zip(down[:-1], down[1:], strict=True))


def test_ema_momentum_is_the_published_formula():
    for t in range(11):
        expected = 1 - (1 - 0.99) * (1 + math.cos(math.pi * t / 10)) / 2
        assert schedule.cosine(t, start=0.99, end=1.0, steps=10) == pytest.approx(expected, abs=1e-15)


def test_warmup_rises_to_the_schedule_and_hands_over():
    def f(t):
        return schedule.linear(t, start=2.0, end=0.0, steps=4)

    assert [schedule.warmup(t, f, steps=2) for t in range(7)] == [1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0]


def test_no_steps_is_a_mistake():
    with pytest.raises(ValueError, match="at least one step"):
        schedule.cosine(0, start=1.0, end=0.0, steps=0)


FUNCTIONS = {
    "constant": ({"start": 1.0}, []),
    "linear": ({"start": 1.0, "end": 0.0, "steps": 10}, []),
    "cosine": ({"start": 1.0, "end": 0.0, "steps": 10}, []),
    "step_decay": ({"start": 1.0, "gamma": 0.5, "every": 3}, []),
    "multi_step": ({"start": 1.0, "gamma": 0.5, "milestones": (2, 5)}, []),
    "exponential": ({"start": 1.0, "gamma": 0.5}, []),
    "polynomial": ({"start": 1.0, "end": 0.0, "steps": 10, "power": 2.0}, []),
    "one_cycle": ({"peak": 1.0, "steps": 10}, []),
    "restarts": ({"start": 1.0, "end": 0.0, "period": 3, "factor": 2}, []),
    "warmup": ({"steps": 3}, [lambda t: schedule.linear(t, start=1.0, end=0.0, steps=7)]),
    "sequence": ({}, [[(3, lambda t: 1.0), (2, lambda t: schedule.exponential(t, start=1.0, gamma=0.5))]]),
}


def value(name, step, **changed):
    settings, more = FUNCTIONS[name]
    return getattr(schedule, name)(step, *more, **settings | changed)


def test_every_function_is_here():
    assert set(FUNCTIONS) | {"Plateau"} == set(schedule.__all__)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_schedule_ends_at_once_however_many_steps(name):
    for step in (10**6, 10**21, 1e21, 10**18 + 1, np.int64(2**62)):
        assert 0 <= value(name, step) <= 1
    for huge in ({"steps": 10**21}, {"period": 10**21}, {"every": 10**21}, {"period": 1, "factor": 1}):
        if set(huge) <= set(FUNCTIONS[name][0]):
            for step in (0, 5, 10**20, 10**21, 10**22):
                assert 0 <= value(name, step, **huge) <= 1


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_that_make_no_sense(name):
    settings = FUNCTIONS[name][0]
    bad = {k: [math.nan, "3", True] for k in settings if k != "milestones"}
    for k in ("steps", "every", "period"):
        if k in bad:
            bad[k] += [-1, math.inf] + ([0] if name != "warmup" else [])
    if "factor" in settings:
        bad["factor"] += [0, 0.5, -2, 1 - 1e-9, math.inf]
    for k in ("start", "end", "peak", "gamma", "power"):
        if k in bad:
            bad[k] += [math.inf]
    for k, values in bad.items():
        for v in values:
            with pytest.raises((ValueError, TypeError)):
                value(name, 2, **{k: v})
    for step in (math.nan, "x", None):
        if name != "constant":
            with pytest.raises((ValueError, TypeError)):
                value(name, step)


def test_restarts_at_the_seams():
    """The loop over the periods, written out, beside the closed form."""

    def walked(step, period, factor):
        while step >= period:
            step, period = step - period, period * factor
        return schedule.cosine(step, start=1.0, end=0.0, steps=period)

    for period, factor in ((1, 1), (3, 1), (1, 2), (3, 2), (10, 3), (7, 1.5), (2.5, 1.25), (5, 10)):
        for step in range(400):
            found = schedule.restarts(step, start=1.0, end=0.0, period=period, factor=factor)
            assert found == pytest.approx(walked(step, period, factor), abs=1e-9), (period, factor, step)


def test_growth_beyond_all_numbers_is_infinite():
    assert schedule.exponential(10**21, start=1.0, gamma=2) == math.inf
    assert schedule.exponential(10**21, start=1.0, gamma=1) == 1
    assert schedule.step_decay(10**21, start=-1.0, gamma=3, every=1) == -math.inf
    assert schedule.exponential(5, start=2.0, gamma=0) == 0


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("rise", [0, 0.3, 1])
def test_one_cycle_of_few_steps(steps, rise):
    found = [schedule.one_cycle(t, peak=1.0, steps=steps, rise=rise) for t in range(steps + 3)]
    assert all(0 <= v <= 1 for v in found) and len(set(found[steps - 1 :])) == 1


def test_no_part_is_a_mistake():
    with pytest.raises(ValueError, match="one part at least"):
        schedule.sequence(0, [])
    for length in (math.nan, -1, "2"):
        with pytest.raises(ValueError, match="length"):
            schedule.sequence(0, [(length, lambda t: 1.0), (1, lambda t: 1.0)])


def test_plateau_settings_and_states():
    for settings in ({"factor": 1.0}, {"factor": -0.1}, {"factor": math.nan}, {"patience": -1}, {"patience": 1.5},
                     {"threshold": math.nan}, {"threshold": -1.0}, {"mode": "mean"}):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match="Plateau"):
            schedule.Plateau(**settings)
    plateau = schedule.Plateau(factor=0.5, patience=0)
    plateau.update(1.0), plateau.update(2.0)
    before = plateau.state_dict()
    for broken in (
        {},
        {"value": 1.0},
        before | {"bad": "x"},
        before | {"best": math.nan},
        before | {"bad": -1},
        [1],
        None,
    ):
        with pytest.raises(StateDictError, match="value, best and bad"):
            plateau.load_state_dict(broken)
        assert plateau.state_dict() == before
    other = schedule.Plateau(factor=0.5, patience=0)
    other.load_state_dict(before)
    assert other.update(3.0) == plateau.update(3.0) == 0.25
