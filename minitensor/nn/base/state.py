"""Loading a state dict: all of it, or nothing and a list of what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minitensor.backend import is_array, move, plain, to_numpy, writable
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
    missing, unexpected = [k for k in own if k not in state], [k for k in state if k not in own]
    faults = [f"missing: {', '.join(missing)}"] * (strict and bool(missing))
    faults += [f"unexpected: {', '.join(map(str, unexpected))}"] * (strict and bool(unexpected))
    values, kinds, shapes = {}, [], []
    for name, tensor in own.items():
        if name in state:
            value = values[name] = _host(state[name])
            if value.dtype.kind not in _INTO.get(tensor.dtype.kind, "biufV"):
                kinds.append(f"{name} is {tensor.dtype} here, {_said(state[name], value)} there")
            elif value.shape != tensor.shape:
                shapes.append(f"{name} is {tensor.shape} here, {value.shape} there")
    faults += [f"wrong shapes: {'; '.join(shapes)}"] * bool(shapes)
    faults += [f"wrong kinds: {'; '.join(kinds)}"] * bool(kinds)
    if faults:
        raise StateDictError(f"the state does not fit {owner}: {'. '.join(faults)}")
    ready = [
        (own[k], move(v.astype(own[k].dtype), own[k].device)) for k, v in values.items()
    ]  # what may fail comes first
    for tensor, array in ready:
        tensor.data = writable(tensor.data)
        tensor.data[...] = array
        tensor.changed()
    return LoadResult(missing, unexpected)


_INTO = {"c": "biufVc"}  # kinds of dtypes that go into a complex Tensor; into any other all but complex ones


def _host(value: Any) -> np.ndarray:
    """Return a value as a NumPy array; of objects if it is none."""
    try:
        array = np.asarray(
            to_numpy(value.data) if isinstance(value, Tensor) else plain(value) if is_array(value) else value
        )
    except (TypeError, ValueError, RuntimeError):  # ragged lists; a torch Tensor that requires grad or is on a GPU
        return np.empty((), object)
    return np.empty((), object) if array.dtype.kind == "V" and array.dtype.itemsize != 2 else array


def _said(value: Any, array: np.ndarray) -> str:
    return f"a {type(value).__name__}" if array.dtype.kind in "OUSMm" else str(array.dtype)
