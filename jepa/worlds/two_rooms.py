"""Two rooms: a dot that is pushed about, a wall between, and an opening in the wall."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.worlds.base import SIDE, Bytes, Floats, World, shortened

BORDER, THICK, OPEN, DOT = 4.0, 1.5, 4.5, 1.3  # place of the outer walls; half of the wall, of the opening; of the dot
WALLS, DOORS = (20, 44), (10, 54)  # where the wall and the middle of the opening may be, whole numbers
EVERY, HELD = 5, 2  # walls at x = HELD (modulo EVERY) are never among the data
CLEAR = 2.6  # starts and goals lie so far from all walls
STEP, SPREAD, LEAST, MOST = 1.0, 0.7, 0.2, 2.45  # length of a step in the data: a normal, cut off
TURN = 5.0  # concentration of a change of heading (von Mises)
THROUGH, AGAINST = 0.35, 0.35  # shares of trajectories that are led through the opening, and up to the wall
REACH = 2.0  # from the wall, for those


class Rooms(NamedTuple):
    """States of two rooms, in pixels."""

    position: Floats
    """(..., 2): the dot, (x, y)"""
    wall: Floats
    """(...): x of the wall between the rooms"""
    door: Floats
    """(...): y of the middle of its opening"""


class TwoRooms(World):
    """A dot in two rooms (Sobal et al. 2025; eb_jepa's two_rooms): p ← p + a, unless a wall is in the way.

    The outer walls are a square. Another wall, at a random x, parts it into two rooms, and has one opening, at a random
    y. An action is a shift in pixels, of a norm of at most 2.45 of 65. A dot whose way meets a wall stays where it is:
    the segment from p to p + a must not touch a wall. (eb_jepa has this rule for its data, and another one, noise and
    all, where plans are judged.) A goal is reached within 4.5 of 65 pixels.

    size: side of a picture; all lengths are those of 65 pixels times (size - 1) / 64, edges that fall between pixels
    are smoothed. An observation has two channels: the dot, exp(-|c - p|² / 2σ²) with σ = 1.3 of 65 pixels, and walls.
    Starts and goals of `tasks` lie in different rooms. Data have walls at four of five positions; the fifth is held
    out. In 35 % of the trajectories the dot is led through the opening, at any time: a walk from there, and one played
    backwards to there. In another 35 % it is led so to a place beside the wall, as a model that has hardly seen how a
    wall stops a dot imagines paths through walls. Steps are as long as actions may be. (eb_jepa's end at 1.8.)

    >>> world = TwoRooms(33)
    >>> start, goal = world.tasks(3, np.random.default_rng(0))
    >>> world.observe(start).shape, start.position[:, 0] < start.wall, goal.position[:, 0] < goal.wall
    ((3, 2, 33, 33), array([ True,  True,  True]), array([False, False, False]))
    """

    actions = 2

    def __init__(self, size: int = 65) -> None:
        self.size, self.scale = size, (size - 1) / SIDE
        self.shape = (2, size, size)
        self.limit, self.radius = 2.45 * self.scale, 4.5 * self.scale
        self.low = (BORDER + 0.5) * self.scale
        self.high = (SIDE - BORDER - 0.5) * self.scale
        middle = np.abs(np.arange(size) - (size - 1) / 2)
        around = np.maximum(middle[:, None], middle)  # (rows, columns): squares about the middle
        side = (SIDE / 2 - BORDER) * self.scale
        self.inside = around < side
        self.border = np.clip(self.scale / 2 + 0.5 - np.abs(around - side), 0, 1)

    def tasks(self, n: int, rng: np.random.Generator, held_out: bool = False) -> tuple[Rooms, Rooms]:
        wall, door = self._walls(n, rng, held_out)
        first = rng.integers(0, 2, n).astype(bool)
        return tuple(Rooms(self._anywhere(wall, side, CLEAR, rng), wall, door) for side in (first, ~first))  # type: ignore[return-value]

    def behavior(self, n: int, steps: int, rng: np.random.Generator) -> tuple[Rooms, NDArray[np.float32]]:
        wall, door = self._walls(n, rng, False)
        start = Rooms(self._anywhere(wall, rng.integers(0, 2, n).astype(bool), 0.0, rng), wall, door)
        led, side = rng.random(n), rng.choice([-1, 1], n)
        inside = led < THROUGH
        x = np.where(inside, rng.uniform(-THICK, THICK, n), side * rng.uniform(THICK + 1e-3, THICK + REACH, n))
        open_ = door + rng.uniform(-OPEN, OPEN, n) * self.scale * 0.99
        y = np.where(inside, open_, rng.uniform(self.low, self.high, n))
        place = np.stack([wall + x * self.scale, y], -1)
        when = np.where(led < THROUGH + AGAINST, rng.integers(0, steps + 1, n), 0)[:, None]
        middle = Rooms(np.where(when > 0, place, start.position), wall, door)
        after, before = self._walk(n, steps, rng), self._walk(n, steps, rng)
        back = self.rollout(middle, before)
        moved = np.any(back.position[:, 1:] != back.position[:, :-1], axis=-1, keepdims=True)
        reverse = np.where(moved, -before, before)  # what was blocked there is blocked there again
        time, each = np.arange(steps)[None], np.arange(n)[:, None]
        actions = np.where(
            (time < when)[..., None], reverse[each, (when - 1 - time) % steps], after[each, (time - when) % steps]
        ).astype(np.float32)
        first = Rooms(back.position[np.arange(n), when[:, 0]], wall, door)
        return self.rollout(first, actions), actions

    def step(self, state: Rooms, actions: NDArray[Any]) -> Rooms:
        a, p = shortened(actions, self.limit), state.position
        free = np.all((p + a > self.low) & (p + a < self.high), axis=-1)
        half, gap = THICK * self.scale, OPEN * self.scale
        # the part of the way that lies in the wall: p + t a for t from `enter` to `leave`
        ahead = np.where(np.abs(a[..., 0]) < 1e-12, 1e-12, a[..., 0])
        ends = (np.stack([state.wall - half, state.wall + half]) - p[..., 0]) / ahead
        enter, leave = np.clip(ends.min(axis=0), 0, None), np.clip(ends.max(axis=0), None, 1)
        y = p[..., 1] + np.stack([enter, leave]) * a[..., 1]
        open_ = np.all(np.abs(y - state.door) < gap, axis=0)
        free &= open_ | (enter > leave)
        return state._replace(position=np.where(free[..., None], p + a, p))

    def observe(self, state: Rooms) -> Bytes:
        c = np.arange(self.size)
        squares = ((c - state.position[..., None]) / (DOT * self.scale)) ** 2  # (..., 2, size)
        x, y = np.moveaxis(np.exp(-squares / 2).astype(np.float32), -2, 0)
        dot = 255 * y[..., :, None] * x[..., None, :]
        return np.stack([np.rint(dot).astype(np.uint8), self.map(state)], axis=-3)

    def place(self, state: Rooms) -> Floats:
        return np.asarray(state.position)

    def straight(self, state: Rooms, goal: Rooms) -> Floats:
        return shortened(goal.position - state.position, self.limit)

    def map(self, state: Rooms) -> Bytes:
        c = np.arange(self.size)
        half, gap = THICK * self.scale, OPEN * self.scale
        wall = np.clip(half + 0.5 - np.abs(c - state.wall[..., None]), 0, 1)  # (..., columns), shares of a pixel
        shut = 1 - np.clip(gap + 0.5 - np.abs(c - state.door[..., None]), 0, 1)  # (..., rows)
        shown = np.maximum(self.border, shut[..., :, None] * wall[..., None, :] * self.inside)
        return np.asarray(np.rint(255 * shown).astype(np.uint8))

    def _walls(self, n: int, rng: np.random.Generator, held_out: bool) -> tuple[Floats, Floats]:
        """Return x of n walls and y of their openings, in pixels."""
        places = np.arange(WALLS[0], WALLS[1] + 1)
        wall = rng.choice(places[(places % EVERY == HELD) == held_out], n)
        door = rng.integers(DOORS[0], DOORS[1], n, endpoint=True)
        return np.asarray(wall * self.scale), np.asarray(door * self.scale)

    def _anywhere(self, wall: Floats, right: NDArray[np.bool_], clear: float, rng: np.random.Generator) -> Floats:
        """Return random places in the left or right rooms, (n, 2), so far from all walls."""
        clear, half = max(clear * self.scale, 1e-6), THICK * self.scale
        low = np.where(right, wall + half, self.low) + clear
        high = np.where(right, self.high, wall - half) - clear
        return np.stack([rng.uniform(low, high), rng.uniform(self.low + clear, self.high - clear, len(wall))], -1)

    def _walk(self, n: int, steps: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return actions (n, steps, 2) of a walk whose heading turns a little at each step."""
        turns = rng.vonmises(0, TURN, (n, steps))
        turns[:, 0] = rng.uniform(0, 2 * np.pi, n)
        heading = turns.cumsum(axis=1)
        length = _cut_off(rng, (n, steps))[..., None] * self.scale
        return np.asarray(length * np.stack([np.cos(heading), np.sin(heading)], -1), np.float32)


def _cut_off(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return normal numbers between LEAST and MOST: those outside are drawn again."""
    x = rng.normal(STEP, SPREAD, shape)
    while (outside := (x < LEAST) | (x > MOST)).any():
        x[outside] = rng.normal(STEP, SPREAD, int(outside.sum()))
    return x
