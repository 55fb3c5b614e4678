import math

import pytest

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
