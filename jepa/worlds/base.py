"""What a world is: states, one rule that moves them, and pictures of them; all in NumPy, for any number at once."""

from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

SIDE = 64  # lengths of a world are said in pixels of a picture of 65, whose first and last pixel lie so far apart
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
State = Any
"""a NamedTuple of arrays, whose first axes are those of the states: (n,) of them, (n, frames) of trajectories, ..."""
S = TypeVar("S")


class World:
    """Base of the worlds. The letters ... stand for the axes of states, which are the same in all their arrays.

    A world knows nothing of learning. Data are made by `behavior`, a plan is judged by `tasks`, `step` and `reached`,
    and both go by the same `step`.
    """

    actions: int
    """numbers in an action"""
    limit: float
    """largest Euclidean norm of an action; longer ones are shortened by `step`"""
    radius: float
    """a goal is reached at a smaller distance, in `unit`"""
    unit: ClassVar[str] = "px"
    """of places and distances"""
    scale: float
    """lengths in `unit` for one of a picture of 65 pixels, by which worlds of other sizes can be compared"""
    shape: tuple[int, int, int]
    """of an observation, (c, h, w)"""

    def tasks(self, n: int, rng: np.random.Generator, held_out: bool = False) -> tuple[State, State]:
        """Return n starts and n goals. held_out: in surroundings that `behavior` never has, where there are such."""
        raise NotImplementedError

    def behavior(self, n: int, steps: int, rng: np.random.Generator) -> tuple[State, NDArray[np.float32]]:
        """Return what the data do: states (n, steps + 1) of n trajectories, and the actions (n, steps, a) between."""
        raise NotImplementedError

    def step(self, state: State, actions: NDArray[Any]) -> State:
        """Return the states that follow, from states (...) and actions (..., a)."""
        raise NotImplementedError

    def observe(self, state: State) -> Bytes:
        """Return pictures of states: (...) -> (..., c, h, w)."""
        raise NotImplementedError

    def place(self, state: State) -> Floats:
        """Return where things are, what a probe looks for: (...) -> (..., p) in `unit`, x before y."""
        raise NotImplementedError

    def distance(self, state: State, goal: State) -> Floats:
        """Return how far states are from goals: (...) each -> (...) in `unit`."""
        return np.asarray(np.linalg.norm(self.place(state) - self.place(goal), axis=-1))

    def reached(self, state: State, goal: State) -> NDArray[np.bool_]:
        """Return whether states are at their goals: (...) each -> (...)."""
        return np.asarray(self.distance(state, goal) < self.radius)

    def straight(self, state: State, goal: State) -> Floats:
        """Return what goes straight to the goal, whatever lies between: (...) each -> actions (..., a)."""
        raise NotImplementedError

    def map(self, state: State) -> Bytes:
        """Return what a path of places is drawn on: (...) -> (..., h, w), pixel (x, y) at row y and column x."""
        raise NotImplementedError

    def rollout(self, state: State, actions: NDArray[Any]) -> State:
        """Return the states (n, steps + 1) that actions (n, steps, a) lead through, from states (n,)."""
        states = [state]
        for t in range(actions.shape[1]):
            states.append(self.step(states[-1], actions[:, t]))
        return type(state)(*(np.stack(arrays, axis=1) for arrays in zip(*states, strict=True)))


def of(state: S, index: Any) -> S:
    """Return those states that an index picks, along the first axis; one may be picked again and again.

    >>> from jepa.worlds import Rooms, of
    >>> rooms = Rooms(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([20.0, 30.0]), np.array([10.0, 12.0]))
    >>> of(rooms, [1, 1, 0]).wall
    array([30., 30., 20.])
    """
    return type(state)(*(array[index] for array in state))  # type: ignore[attr-defined]


def shortened(actions: NDArray[Any], limit: float) -> Floats:
    """Return actions (..., a) of a norm of at most `limit`, in the same directions.

    >>> shortened(np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0).round(3).tolist()
    [[0.6, 0.8], [0.3, 0.4]]
    """
    actions = np.asarray(actions, np.float64)
    norm = np.linalg.norm(actions, axis=-1, keepdims=True)
    return np.asarray(actions * (limit / np.maximum(norm, limit)))
