"""What a call's operands are before it computes: arrays of one dtype on one device, and where their gradients go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from minitensor.backend import Array, is_array, is_plain, plain
from minitensor.graph import Operands, Place, Variable, state
from minitensor.promotion import FLOAT32, FLOAT64

# (operands, their arrays, edges, mask, what narrows the result to half precision). Edges: where each gradient goes, the
# parents of the Node. Mask: the sum of 2ⁿ⁻ⁱ over the operands i of n that want one, 0 if none does, 2 for a tuple.
Edges = Sequence[Place | None]
Call = tuple[Operands, list[Array], Edges, int, Callable[[Array], Array] | None]


def alike(args: Operands) -> Call | None:
    """Return a call whose operands are NumPy's arrays of one float dtype, numbers and None, as they are.

    None for anything else: then they have to be brought together. Most of the time of an op on few numbers is spent
    here, so all is done in one loop.
    """
    arrays: list[Array] = []
    edges: list[Place | None] = []
    dtype: np.dtype | None = None
    mask = 0
    for x in args:
        edge = None
        if isinstance(x, Variable):
            array = x.data
            if type(array) is not ndarray:
                return None
            if array.dtype is not dtype:
                if dtype is not None:
                    return None
                dtype = array.dtype
            if x.requires_grad:
                edge = x if x.source is None else x.source
                mask += 1
            x = array
        elif type(x) is not float and type(x) is not int and x is not None:
            return None
        arrays.append(x)
        edges.append(edge)
        mask += mask
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        return None
    return args, arrays, edges, mask and state.recording and mask, None


def holds_tensor(args: Operands) -> bool:
    """Whether one of the operands is a Tensor.

    >>> holds_tensor([1.0, None])
    False
    """
    for a in args:  # noqa: SIM110, any() would cost a generator
        if isinstance(a, Variable):
            return True
    return False


def as_plain(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the operands, arrays among them as the engine computes with them."""
    for a in args:
        if isinstance(a, ndarray) and not is_plain(a):
            return tuple([plain(x) if isinstance(x, ndarray) else x for x in args])
    return args


def unshared(args: Operands, arrays: Operands) -> list[Array]:
    """Return the arrays with a copy in the place of each that was passed raw: it could change unseen until backward."""
    return [x.copy() if not isinstance(a, Variable) and is_array(a) else x for x, a in zip(arrays, args, strict=True)]
