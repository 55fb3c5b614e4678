"""Series brought to one length, and to mean 0 and deviation 1."""

from collections.abc import Iterator

import numpy as np

from jepa.sources.series.files import Floats


def standardized(x: Floats) -> Floats:
    """Return a series (c, t) with mean 0 and deviation 1 in each channel; a constant becomes 0, NaN counts for nothing.

    >>> standardized(np.float32([[1, 3, np.nan], [2, 2, 2]])).tolist()
    [[-1.0, 1.0, nan], [0.0, 0.0, 0.0]]
    """
    there = ~np.isnan(x)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    around = x - np.where(there, x, 0).sum(axis=1, keepdims=True) / count
    std = np.sqrt((np.where(there, around, 0) ** 2).sum(axis=1, keepdims=True) / count)
    least = np.maximum(1e-7 * np.abs(np.nan_to_num(x)).max(axis=1, keepdims=True), 1e-30)
    y: Floats = (around / np.where(std > least, std, 1)).astype(np.float32)
    return y


def padded(x: Floats, length: int) -> Floats:
    """Return the first `length` samples of a series (c, t), with NaN behind its end."""
    return np.pad(x[:, :length], ((0, 0), (0, max(length - x.shape[1], 0))), constant_values=np.nan)


def resampled(x: Floats, length: int) -> Floats:
    """Return a series at another length by straight lines; between a sample and a missing one is nothing.

    >>> resampled(np.float32([[0, 2, 4]]), 5).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0]]
    """
    at = np.linspace(0, x.shape[1] - 1, length)
    low = np.minimum(at.astype(np.int64), x.shape[1] - 2)
    share = (at - low).astype(np.float32)
    left, right = x[:, low], x[:, low + 1]
    between: Floats = (1 - share) * left + share * right
    return np.where(share == 0, left, np.where(share == 1, right, between))


def windows(x: Floats, length: int) -> Iterator[tuple[int, Floats]]:
    """Yield the windows of a series side by side that have anything in them, each with its number.

    What is over at the end is left out.
    """
    for k in range(x.shape[1] // length):
        window = x[:, k * length : (k + 1) * length]
        if not np.isnan(window).all():
            yield k, window
