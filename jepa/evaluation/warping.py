"""Nearest series: the class of the nearest training example, by Euclid's distance and by dynamic time warping."""

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.split import Part, stratified
from jepa.progress import shown_progress

Floats = NDArray[np.float32]
BAND = 0.1  # of the length: how far apart in time two samples may be that are set side by side
CELLS = 2e9  # cells of tables of warping, at most: half a minute
PAIRS = 1 << 13  # pairs of series that are warped together: their rows stay in the processor's cache


def euclid(train: Part, val: Part, seed: int) -> float:
    """Return the accuracy of the class of the nearest training example, of series of one length (n, c, t).

    Series with gaps are brought to the whole length first: what is there is stretched over it.
    """
    x, z = (filled(part.rows(lambda x: x, "series")) for part in (train, val))
    x, z = x.reshape(len(x), -1), z.reshape(len(z), -1)
    near = [int(np.argmin((x * x).sum(axis=1) - 2 * x @ row)) for row in z]
    return float(np.mean(labels(train)[near] == labels(val)))


def dtw(train: Part, val: Part, seed: int) -> float:
    """Return the accuracy of the class of the training example that is nearest by dynamic time warping.

    The cost of a pair is the least Σ |x_i - z_j|² over paths from its first samples to its last, with |i - j| at most a
    tenth of the length (Sakoe & Chiba 1978); several channels are warped together. Where all pairs would take more than
    about half a minute, a part of the examples is taken, of each class its share, fewer test than training examples.
    Gaps: as in `euclid`.
    """
    train, val = affordable(train, val, seed)
    x, z = (filled(part.rows(lambda x: x, "series")) for part in (train, val))
    step = max(1, PAIRS // len(x))
    starts = range(0, len(z), step)
    near: list[int] = []
    for k in shown_progress(starts, len(starts), "warping series", f"batches of {step} series"):
        near += warped(z[k : k + step], x, band(x.shape[2])).argmin(axis=1).tolist()
    return float(np.mean(labels(train)[near] == labels(val)))


def labels(part: Part) -> NDArray[np.int64]:
    """Return the classes of a part that has them."""
    assert part.labels is not None, "a method is asked of labeled examples"
    return part.labels


def band(length: int) -> int:
    """Return how many samples a warping may be off the diagonal."""
    return max(1, int(BAND * length))


def affordable(train: Part, val: Part, seed: int) -> tuple[Part, Part]:
    """Return so many training and test examples that all pairs can be warped."""
    channels, length = train.source.shape
    pairs = CELLS / (channels * length * (2 * band(length) + 1))
    keep = int(min(len(val.kept), max(100, pairs / len(train.kept))))
    return _some(train, int(max(1, pairs / keep)), seed), _some(val, keep, seed)


def _some(part: Part, count: int, seed: int) -> Part:
    if count >= len(part.kept):
        return part
    chosen = stratified(labels(part), count, generator=np.random.default_rng(seed))
    return part._replace(kept=part.kept[chosen], labels=labels(part)[chosen])


def warped(z: Floats, x: Floats, width: int) -> Floats:
    """Return the cost of warping each series of z (m, c, t) to each of x (n, c, t): (m, n).

    >>> warped(np.float32([[[0, 1, 0, 0]]]), np.float32([[[0, 0, 1, 0]], [[0, 1, 0, 1]]]), 1).tolist()
    [[0.0, 1.0]]
    """
    (m, channels, t), n = z.shape, len(x)
    there = np.full((t, m, n), np.inf, np.float32)  # the row above, cell by cell
    for i in range(t):
        low, high = max(0, i - width), min(t, i + width + 1)
        corner = there[low - 1].copy() if low else np.full((m, n), 0 if i == 0 else np.inf, np.float32)
        left = np.full((m, n), np.inf, np.float32)
        for j in range(low, high):
            above = there[j].copy()
            cost = sum((z[:, c, i, None] - x[None, :, c, j]) ** 2 for c in range(channels))
            left = cost + np.minimum(np.minimum(corner, above), left)
            there[j], corner = left, above
    found: Floats = there[-1]
    return found


def filled(x: Floats) -> Floats:
    """Return series (n, c, t) without gaps: of each, the samples where some channel is there, over the whole length.

    A channel that is missing there, or altogether, goes straight on.

    >>> filled(np.float32([[[0, np.nan, 2, np.nan]]])).round(2).tolist()
    [[[0.0, 0.6700000166893005, 1.3300000429153442, 2.0]]]
    """
    if not np.isnan(x).any():
        return x
    return np.stack([_stretched(one) for one in x])


def _stretched(x: Floats) -> Floats:
    here = np.flatnonzero(~np.isnan(x).all(axis=0))
    at = np.linspace(here[0], here[-1], x.shape[1])
    found = np.zeros_like(x)
    for k, row in enumerate(x):
        known = np.flatnonzero(~np.isnan(row))
        found[k] = np.interp(at, known, row[known]) if len(known) else 0
    return found
