"""Saved states of optimizers, PyTorch's too: looked at as a whole before anything is taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitensor.backend import is_half, to_numpy
from minitensor.errors import StateDictError
from minitensor.optim.section import Memory
from minitensor.optim.settings import Group, State, check
from minitensor.tensor import Tensor

if TYPE_CHECKING:
    from minitensor.optim.optimizer import Optimizer

__all__ = ["array", "groups", "memories"]


def groups(optimizer: Optimizer, state: Any) -> list[dict[str, Any]]:
    """Return the settings of each group as the state has them, or raise StateDictError."""
    owner, mine = type(optimizer).__name__, optimizer.param_groups
    if not isinstance(state, Mapping) or {"state", "param_groups"} - set(state):
        raise StateDictError(f"an optimizer's state is a dict with state and param_groups; got {_keys(state)}")
    theirs = state["param_groups"]
    if not isinstance(theirs, (list, tuple)) or not all(
        isinstance(g, Mapping) and isinstance(g.get("params"), (list, tuple)) for g in theirs
    ):
        raise StateDictError(f"{owner}: param_groups of the state are a list of dicts, each with a list 'params'")
    here, there = [len(g["params"]) for g in mine], [len(g["params"]) for g in theirs]
    if here != there:
        raise StateDictError(f"the state has groups of {there} parameters; this {owner} of {here}")
    found = []
    for own, other in zip(mine, theirs, strict=True):
        for name, value in optimizer.fixed.items():
            if other.get(name, value) not in (value, None):
                raise StateDictError(f"the state is of {name}={other[name]!r}, which this {owner} does not offer")
        settings = {k: _plain(other[k]) for k in own if k != "params" and k in other}
        try:
            check(owner, {**own, **settings})
        except (TypeError, ValueError) as error:
            raise StateDictError(f"the state does not fit: {error}") from None
        found.append(settings)
    return found


def _keys(state: Any) -> str:
    return ", ".join(map(str, state)) or "nothing" if isinstance(state, Mapping) else f"a {type(state).__name__}"


def _plain(value: Any) -> Any:
    """Return a setting after its way through JSON or PyTorch: tuples, and Python's numbers."""
    if isinstance(value, list):
        return tuple(map(_plain, value))
    return value.item() if getattr(value, "shape", None) == () else value


def memories(optimizer: Optimizer, state: Mapping[str, Any], settings: Sequence[dict[str, Any]]) -> dict[int, Memory]:
    """Return what a state says of each parameter, by its id, or raise StateDictError."""
    pairs = zip(optimizer.param_groups, settings, strict=True)
    places = [(p, group | new) for group, new in pairs for p in group["params"]]
    if not isinstance(state["state"], Mapping):
        raise StateDictError(f"the state of the parameters is a dict; got a {type(state['state']).__name__}")
    numbers = [str(i) for g in state["param_groups"] for i in g["params"]]
    found: dict[int, Memory] = {}
    for key, entry in state["state"].items():
        if str(key) not in numbers:
            raise StateDictError(f"the state has a parameter {key}; there are {len(places)}, counted from 0")
        if not isinstance(entry, Mapping):
            raise StateDictError(f"the state of parameter {key} is a dict; got a {type(entry).__name__}")
        p, group = places[numbers.index(str(key))]
        if given := {k: v for k, v in entry.items() if v is not None}:  # PyTorch's SGD has None for no buffer
            found[id(p)] = _memory(optimizer, p, group, str(key), given)
    return found


def _memory(optimizer: Optimizer, p: Tensor, group: Group, key: str, entry: State) -> Memory:
    owner = type(optimizer).__name__
    known = optimizer.moments(dict.fromkeys(group, True))  # of all settings: one may have been changed since
    needed = optimizer.moments(dict.fromkeys(group, False))
    if foreign := sorted(set(entry) - set(known) - optimizer.saved_clock(optimizer.start).keys()):
        raise StateDictError(f"{owner} keeps no {foreign[0]!r}: a state of another optimizer?")
    moments = {k: array(f"{k} of parameter {key}", v, p) for k, v in entry.items() if k in known}
    if missing := sorted(set(needed) - moments.keys()):
        raise StateDictError(f"{owner}: the state of parameter {key} lacks {missing[0]}")
    try:
        return Memory(p, optimizer.loaded_clock(entry), moments)
    except KeyError as error:
        raise StateDictError(f"{owner}: the state of parameter {key} lacks {error.args[0]}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise StateDictError(f"{owner}: the state of parameter {key} is not right: {error}") from None


def array(what: str, value: Any, p: Tensor, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return a host array of the parameter's shape, in the dtype of the computation, or say what is wrong with it."""
    try:
        found = np.asarray(to_numpy(value.data) if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StateDictError(f"{what} is no array: {error}") from None
    if found.dtype.kind not in "fViub" or (found.dtype.kind == "V" and found.dtype.itemsize != 2):
        raise StateDictError(f"{what} holds no real numbers: its dtype is {found.dtype}")
    if found.shape != (p.shape if shape is None else shape):
        raise StateDictError(f"{what} is {found.shape}; the parameter is {p.shape if shape is None else shape}")
    return found.astype(np.float32 if is_half(p.dtype) else p.dtype)
