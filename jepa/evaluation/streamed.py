"""What a function makes of the examples of a source, batch by batch: no more of them are ever in memory as floats."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.progress import shown_progress

BATCH = 256
"""Examples at once."""
Floats = NDArray[np.float32]


def streamed(
    function: Callable[[Any], NDArray[Any]],
    source: Any,
    indices: Sequence[int] | NDArray[np.int64],
    doing: str,
    *,
    batch: int = BATCH,
) -> Floats:
    """Return function(source.read(indices)) as float32, one row an example, computed `batch` examples at a time.

    `doing` says in the progress bar what is done.

    >>> class Numbers:
    ...     def read(self, indices):
    ...         return np.asarray(indices, np.float32)
    >>> streamed(lambda x: 2 * x, Numbers(), [3, 1, 2], "doubling", batch=2).tolist()
    [6.0, 2.0, 4.0]
    """
    rows: Floats | None = None
    parts = range(0, len(indices), batch)
    for i in shown_progress(parts, len(parts), doing, f"batches of {batch} examples"):
        part = function(source.read(indices[i : i + batch]))
        if rows is None:
            rows = np.empty((len(indices), *part.shape[1:]), np.float32)
        rows[i : i + batch] = part
    return np.empty((0, 0), np.float32) if rows is None else rows
