"""How many dimensions a cloud of embeddings fills, however it is curved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAIRS = (0.005, 0.05)  # the shares of closest pairs between which the slope is taken
MOST = 2000  # rows that are compared


def correlation_dimension(z: NDArray[Any], *, seed: int = 0) -> float:
    """Return the slope of log C(r) over log r, C(r) the share of pairs of rows of z (n, d) nearer than r.

    Points on a curve have 1, on a surface 2, in a ball of D dimensions D, whatever the space around them; the effective
    rank counts the straight directions that they need. The slope is that between the radii that hold 0.5 % and 5 % of
    all pairs: small enough to see the cloud from near, large enough to count some hundred pairs. Of more than 2000 rows
    2000 are drawn. With n points little more than 2 log₁₀ n dimensions can be told (Eckmann & Ruelle 1992): an
    estimate of 8 means "8 or more". NaN where rows are too few or (nearly) all equal. Reference: Grassberger &
    Procaccia 1983, "Characterization of strange attractors", eq. 3.

    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 1000)
    >>> round(correlation_dimension(np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)), 1)
    1.0
    """
    z = np.asarray(z, dtype=np.float64)
    if len(z) > MOST:
        z = z[np.random.default_rng(seed).permutation(len(z))[:MOST]]
    if len(z) < 20:
        return float("nan")
    centered = z - z.mean(axis=0)
    norms = np.sum(centered**2, axis=1)
    squared = np.clip(norms[:, None] + norms - 2 * centered @ centered.T, 0, None)
    pairs = np.sort(squared[np.triu_indices(len(z), 1)])
    low, high = (max(int(share * len(pairs)), 1) for share in PAIRS)
    if not pairs[low] > 1e-12 * pairs[-1] > 0 or pairs[high] <= pairs[low]:
        return float("nan")
    radii, counts = np.log(pairs[low:high]) / 2, np.log(np.arange(low, high) + 1.0)
    return float(np.polyfit(radii, counts, 1)[0])
