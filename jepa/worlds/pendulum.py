"""A pendulum whose motor is too weak to lift it: it has to swing, up to where it stands on its head."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.worlds.base import SIDE, Bytes, Floats, World, shortened

GRAVITY, FRICTION = 0.025, 0.01  # radians a step and step: the pull at a right angle; share of the speed that is lost
TORQUE = 0.7  # of the motor, of what would hold the rod level
ROD, THICK = 24.0, 1.3  # length, and width as the deviation of a Gaussian, in pixels of 65
LEAN = 0.5  # starts hang, and goals stand, so far from the vertical at most, in radians
SPEED, KICK, KEEP = 0.15, 0.6, 0.8  # of the data: deviations of speed and of a change of torque; share of it that stays


class Swing(NamedTuple):
    """States of a pendulum."""

    angle: Floats
    """(...): radians; 0 hangs down, growing towards the right"""
    speed: Floats
    """(...): radians a step"""


class Pendulum(World):
    """A rod on a pivot, with friction, and a motor (Sutton & Barto's and Gym's task of swinging up, in steps of time).

        speed ← (1 - 0.01) speed - 0.025 sin(angle) + 0.7 · 0.025 a;   angle ← angle + speed

    An action a is one number from -1 to 1, the share of the largest torque, which is 0.7 of what would hold the rod
    level: there is no going straight up. Starts hang at rest; goals stand at rest, at most 0.5 rad from upright, where
    the motor can hold it. A goal is reached where the tip is within 8 of 65 pixels, 19 degrees.

    size: side of a picture. One picture does not show speed, so an observation has two channels: now, and one step ago.
    Data start anywhere, at any speed, with torques that change little by little. `held_out` has no meaning here.

    >>> world = Pendulum(33)
    >>> start, goal = world.tasks(3, np.random.default_rng(0))
    >>> world.observe(start).shape, bool(world.place(start)[0, 1] > 16 > world.place(goal)[0, 1])
    ((3, 2, 33, 33), True)
    """

    actions = 1

    def __init__(self, size: int = 65) -> None:
        self.size, self.scale = size, (size - 1) / SIDE
        self.shape = (2, size, size)
        self.limit, self.radius = 1.0, 8.0 * self.scale

    def tasks(self, n: int, rng: np.random.Generator, held_out: bool = False) -> tuple[Swing, Swing]:
        start, goal = rng.uniform(-LEAN, LEAN, (2, n))
        return Swing(start, np.zeros(n)), Swing(np.pi + goal, np.zeros(n))

    def behavior(self, n: int, steps: int, rng: np.random.Generator) -> tuple[Swing, NDArray[np.float32]]:
        start = Swing(rng.uniform(-np.pi, np.pi, n), rng.normal(0, SPEED, n))
        torque, actions = rng.uniform(-1, 1, n), np.empty((n, steps, 1), np.float32)
        for t in range(steps):
            torque = np.clip(KEEP * torque + rng.normal(0, KICK, n), -1, 1)
            actions[:, t, 0] = torque
        return self.rollout(start, actions), actions

    def step(self, state: Swing, actions: NDArray[Any]) -> Swing:
        torque = shortened(actions, self.limit)[..., 0]
        speed = (1 - FRICTION) * state.speed + GRAVITY * (TORQUE * torque - np.sin(state.angle))
        return Swing(state.angle + speed, speed)

    def observe(self, state: Swing) -> Bytes:
        return np.stack([self._drawn(state.angle), self._drawn(state.angle - state.speed)], axis=-3)

    def place(self, state: Swing) -> Floats:
        tip = np.stack([np.sin(state.angle), np.cos(state.angle)], axis=-1)
        return np.asarray((self.size - 1) / 2 + ROD * self.scale * tip)

    def straight(self, state: Swing, goal: Swing) -> Floats:
        way = np.mod(goal.angle - state.angle + np.pi, 2 * np.pi) - np.pi
        return np.sign(way)[..., None]

    def map(self, state: Swing) -> Bytes:
        return self._drawn(state.angle)

    def _drawn(self, angle: Floats) -> Bytes:
        """Return pictures of the rod: (...) -> (..., size, size)."""
        c = (np.arange(self.size) - (self.size - 1) / 2).astype(np.float32)
        across, down = (f(angle).astype(np.float32)[..., None, None] for f in (np.sin, np.cos))
        along = across * c + down * c[:, None]  # (..., rows, columns): how far along the rod
        off = down * c - across * c[:, None]
        beyond = along - np.clip(along, 0, np.float32(ROD * self.scale))
        near = np.exp(-(off**2 + beyond**2) / np.float32(2 * (THICK * self.scale) ** 2))
        return np.asarray(np.rint(255 * near).astype(np.uint8))
