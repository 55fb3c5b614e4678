"""The nearest embeddings of a bank: what a prediction is taken for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def nearest(queries: NDArray[Any], bank: NDArray[Any], count: int = 5) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `count` rows of a bank (m, d) with the largest cosines to each query (n, d), nearest first.

    Returns
    -------
    indices : int64 array (n, count)
    cosines : float64 array (n, count)

    Examples
    --------
    >>> indices, cosines = nearest(np.array([[2.0, 0.1]]), np.eye(2), 1)
    >>> indices.tolist(), cosines.round(3).tolist()
    ([[0]], [[0.999]])
    """
    if count > len(bank):
        raise ValueError(f"the {count} nearest of a bank of {len(bank)}: ask for fewer")
    cosines = _unit(queries) @ _unit(bank).T  # (n, m)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(cosines, order, axis=1)


def _unit(z: NDArray[Any]) -> NDArray[np.float64]:
    z = np.asarray(z, np.float64)
    unit: NDArray[np.float64] = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return unit
