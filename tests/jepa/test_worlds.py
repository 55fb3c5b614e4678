"""The worlds: one rule of dynamics, for data and for judging."""

from typing import Any

import numpy as np
import pytest

from jepa.worlds import Pendulum, Rooms, TwoRooms, of

WORLDS = {"two rooms of 65": TwoRooms(65), "two rooms of 33": TwoRooms(33), "pendulum": Pendulum(33)}


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_data_obey_the_rule_that_plans_are_judged_by(world: Any) -> None:
    states, actions = world.behavior(64, 20, np.random.default_rng(3))
    assert actions.dtype == np.float32 and actions.shape == (64, 20, world.actions)
    assert np.linalg.norm(actions, axis=-1).max() <= world.limit
    first = type(states)(*(array[:, 0] for array in states))
    again = world.rollout(first, actions)
    for mine, theirs in zip(states, again, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert world.observe(states).shape == (64, 21, *world.shape)
    assert world.place(states).shape[:2] == world.distance(states, states).shape == (64, 21)


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_straight_comes_nearer_and_long_actions_are_shortened(world: Any) -> None:
    start, goal = world.tasks(50, np.random.default_rng(4))
    assert not world.reached(start, goal).any() and world.reached(goal, goal).all()
    toward = world.straight(start, goal)
    assert np.linalg.norm(toward, axis=-1).max() <= world.limit + 1e-9
    for mine, theirs in zip(world.step(start, toward), world.step(start, 50 * toward), strict=True):
        if np.allclose(np.linalg.norm(toward, axis=-1), world.limit):
            np.testing.assert_allclose(mine, theirs)


def rooms(x: float, y: float, wall: float = 32.0, door: float = 20.0) -> Rooms:
    return Rooms(np.array([[x, y]]), np.array([wall]), np.array([door]))


@pytest.mark.parametrize(
    ("x", "y", "action", "moves"),
    [
        (20.0, 40.0, (1.0, 1.0), True),  # free
        (30.0, 40.0, (1.0, 0.0), False),  # into the wall, whose face is at 30.5
        (30.0, 20.0, (2.0, 0.0), True),  # through the opening, y in (15.5, 24.5)
        (30.0, 24.0, (2.0, 1.0), False),  # into the side of the opening
        (32.0, 20.0, (0.0, 2.4), True),  # within the opening
        (32.0, 23.0, (0.0, 2.4), False),  # within the opening, into its side
        (30.0, 25.0, (2.0, -1.0), False),  # across the corner of the opening: at x = 30.5 it is at y = 24.75
        (30.0, 25.0, (1.4, -1.9), True),  # and here at y = 24.3
        (5.0, 40.0, (-1.0, 0.0), False),  # outer walls, whose faces are at 4.5 and 59.5
        (58.9, 40.0, (0.5, 0.0), True),
        (40.0, 59.0, (0.0, 1.0), False),
    ],
)
def test_walls_stop_and_the_opening_does_not(x: float, y: float, action: tuple[float, float], moves: bool) -> None:
    state = rooms(x, y)
    after = TwoRooms(65).step(state, np.array([action]))
    np.testing.assert_allclose(after.position - state.position, [action if moves else (0, 0)], atol=1e-9)


def test_data_show_how_walls_stop_and_steps_as_long_as_actions_may_be() -> None:
    world = TwoRooms(33)
    state, actions = world.behavior(2000, 8, np.random.default_rng(0))
    before, after = state.position[:, :-1], state.position[:, 1:]
    stopped, aim = np.all(after == before, axis=-1), before + actions
    outside = ~np.all((aim > world.low) & (aim < world.high), axis=-1)
    assert 0.1 < np.mean(stopped & ~outside) < 0.25 and 0.15 < np.mean(
        (before[:, 0, 0] < state.wall[:, 0]) != (after[:, -1, 0] < state.wall[:, 0])
    )
    length = np.linalg.norm(actions, axis=-1)
    assert 0.98 * world.limit < length.max() <= world.limit * 1.0001 and length.min() >= 0.19 * world.scale


def test_a_dot_shows_where_it_is_and_tasks_cross_the_wall() -> None:
    world = TwoRooms(65)
    start, goal = world.tasks(200, np.random.default_rng(0))
    dot, walls = np.moveaxis(world.observe(start).astype(float), 1, 0)
    axis = np.arange(65)
    center = [(dot.sum(axis=1) * axis).sum(1), (dot.sum(axis=2) * axis).sum(1)] / dot.sum(axis=(1, 2))
    np.testing.assert_allclose(center.T, start.position, atol=0.05)
    assert np.all((start.position[:, 0] < start.wall) != (goal.position[:, 0] < goal.wall))
    assert set(np.unique(walls)) == {0, 255}
    held_out, _ = world.tasks(500, np.random.default_rng(1), held_out=True)
    shown, _ = world.behavior(500, 2, np.random.default_rng(2))
    assert not {*held_out.wall} & ({*start.wall} | {*shown.wall[:, 0]})
    assert world.distance(of(start, [0]), of(start, [0]))[0] == 0
