"""The affine map between two sets of vectors that fits best."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def ridge(x: Floats, y: Floats, damping: float = 1e-3) -> Callable[[Floats], Floats]:
    """Return the affine map (m, d) -> (m, e) that brings x nearest to y, slightly damped.

    >>> f = ridge(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]), damping=0)
    >>> f(np.array([[10.0]])).round(6).tolist()
    [[21.0]]
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    gram = centred.T @ centred / len(x)  # (d, d)
    held = gram + damping * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=gram.dtype)
    weight = np.linalg.solve(held, centred.T @ (y - mean_y) / len(x))
    return lambda z: (z - mean_x) @ weight + mean_y
