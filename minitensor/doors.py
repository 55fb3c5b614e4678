"""The doors from and to NumPy: what a user passes becomes an array of ours; what leaves a graph has to say so."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitensor import backend
from minitensor.backend import Array
from minitensor.errors import HistoryError
from minitensor.graph import Variable
from minitensor.modes import is_recording
from minitensor.notices import same
from minitensor.ops.elementwise import astype
from minitensor.promotion import default_complex, default_float, listed

__all__ = ["array_from", "call_numpy", "entries", "may_leave"]

# what asks an array only for its shape or dtype takes no history away
ASKS = frozenset((np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.zeros_like, np.ones_like))


def array_from(data: Any, dtype: DTypeLike | None) -> Array:
    """Bring what a user passes to an array: Python floats become the default float, arrays keep their dtype."""
    if isinstance(data, (list, tuple)):
        array, meant = listed(data)
    else:
        array = backend.plain(data if backend.is_array(data) else np.asarray(data))
        meant = {float: default_float, complex: default_complex}.get(type(data), array.dtype)
    dtype = meant if dtype is None else np.dtype(dtype)
    return array if array.dtype == dtype else same(array, astype(array, dtype=dtype))


def entries(value: Any, x: Array) -> Any:
    """Bring what is written into an array to numbers that it can take over."""
    if isinstance(value, Variable):
        return value.data
    if type(value) in (int, float, bool, complex):
        return value
    if isinstance(value, (list, tuple)):
        return backend.namespace(x).asarray(listed(value)[0])
    return backend.plain(value if backend.is_array(value) else np.asarray(value))


def may_leave(x: Variable, door: str) -> None:
    """Raise HistoryError if something would leave the graph at a door at which no word like detach was said."""
    if x.requires_grad and is_recording():
        raise HistoryError(
            f"{door} would drop the history of a Tensor that requires grad: use a function of minitensor, "
            "or .detach() (.detach().numpy() for the array)"
        )


def call_numpy(function: Any, args: Any, settings: Any) -> Any:
    """Run a function of NumPy on the arrays of Tensors, once none of them has a history to lose."""
    asks = function in ASKS

    def array(value: Any) -> Any:
        if isinstance(value, Variable):
            return value.data if asks else np.asarray(value)
        if isinstance(value, dict):
            return {k: array(v) for k, v in value.items()}
        return type(value)(map(array, value)) if type(value) in (list, tuple) else value

    try:
        args, settings = array(args), array(settings)
    except HistoryError as error:
        error.add_note(f"in {function.__module__}.{function.__name__}")
        raise
    return function(*args, **settings)
