"""What a function of matrices settles before it starts: shapes, floats, and which singular values count as equal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.linalg import LinAlgError

from minitensor.backend import Array, checked, namespace
from minitensor.graph import Variable
from minitensor.ops.elementwise import abs, astype, less_equal
from minitensor.ops.reductions.reduce import max
from minitensor.promotion import default_float

__all__ = ["LinAlgError", "attempt", "eye", "floats", "hardly", "matrices", "module", "rows_of_eye", "square"]

ROUNDING = 8  # so many rounding errors of the largest value two values may lie apart and still count as equal


def module(x: Array) -> Array:
    """Return the array module of an array or a Tensor."""
    return namespace(x.data if isinstance(x, Variable) else x)


def floats(x: Array) -> Array:
    """Return integers and bools as the default float, anything else as it is."""
    return astype(x, dtype=default_float) if x.dtype.kind in "biu" else x


def matrices(name: str, x: Array) -> tuple[int, int]:
    """Return how many rows and columns the matrices have, or say that x holds none."""
    if len(x.shape) < 2:
        raise LinAlgError(f"{name} takes matrices, (..., n, m); got shape {tuple(x.shape)}")
    return x.shape[-2], x.shape[-1]


def square(name: str, x: Array) -> int:
    """Return the order of square matrices, or say that they are not square."""
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"{name} takes square matrices, (..., n, n); got shape {tuple(x.shape)}")
    found: int = x.shape[-1]
    return found


def attempt(x: Array, run: Callable[[], Array], text: str) -> Array:
    """Run LAPACK on x; if it gives up, say why in one sentence."""
    try:
        with checked(x):
            return run()
    except LinAlgError:
        raise LinAlgError(text) from None


def eye(x: Array, n: int) -> Array:
    """Return the unit matrix of order n, in x's dtype and where x is."""
    return module(x).eye(n, dtype=x.dtype)


def rows_of_eye(x: Array, n: int, m: int) -> Array:
    """Return the unit matrix cut to (n, m) for each matrix of an empty x: the vectors of a decomposition of nothing."""
    xp = namespace(x)
    y = xp.zeros((*x.shape[:-2], n, m), dtype=x.dtype)
    y[...] = xp.eye(n, m, dtype=x.dtype)
    return y


def hardly(apart: Array, values: Array) -> Array:
    """Say where differences of eigenvalues or singular values (..., n) are nothing but rounding errors."""
    scale = max(abs(values), axis=-1, keepdims=True) * (ROUNDING * float(np.finfo(values.dtype).eps))
    return less_equal(abs(apart), scale if len(apart.shape) == len(values.shape) else scale[..., None])
