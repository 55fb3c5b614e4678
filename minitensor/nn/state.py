"""Loading a state dict: all of it, or nothing and a list of what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import is_array, move, plain, to_numpy
from minitensor.errors import StateDictError
from minitensor.tensor import Tensor

__all__ = ["LoadResult", "load_into"]


class LoadResult(NamedTuple):
    """Which keys of a layer a state did not have, and which of its own the layer does not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load_into(owner: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> LoadResult:
    """Copy the values of a state into the Tensors of the same names; see `Layer.load_state_dict`."""
    if not isinstance(state, Mapping):
        raise TypeError(f"{owner}.load_state_dict takes a dict of arrays; got a {type(state).__name__}")
    values = {
        k: np.asarray(to_numpy(v.data) if isinstance(v, Tensor) else plain(v) if is_array(v) else v)
        for k, v in state.items()
        if k in own
    }
    missing, unexpected = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [f"{k} is {own[k].shape} here, {v.shape} there" for k, v in values.items() if v.shape != own[k].shape]
    faults = [f"missing: {', '.join(missing)}"] * (strict and bool(missing))
    faults += [f"unexpected: {', '.join(unexpected)}"] * (strict and bool(unexpected))
    faults += [f"wrong shapes: {'; '.join(shapes)}"] * bool(shapes)
    if faults:
        raise StateDictError(f"the state does not fit {owner}: {'. '.join(faults)}")
    for name, value in values.items():
        tensor = own[name]
        tensor.data[...] = move(value.astype(tensor.dtype), tensor.device)
        tensor.changed()
    return LoadResult(missing, unexpected)
