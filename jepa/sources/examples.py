"""What is taken for examples and labels in memory, and what is refused; mean and deviation of them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.sources.base import Scale, as_floats

STEP = 1 << 22  # numbers that are gone through at once
LABELS = ("labels", "y", "classes")  # what an .npz has beside examples


class Held(NamedTuple):
    """All examples that there are."""

    arrays: dict[str, NDArray[Any]]  # by name, as they were given; the one of a source of one array is called ""
    labels: NDArray[np.int64] | None
    classes: list[str]
    remarks: list[str]
    names: list[str] | None = None  # of the examples; None: their numbers
    parts: NDArray[np.str_] | None = None  # of each, "train" or "val"; None: a share of each class is held out


def checked(named: dict[str, Any], called: Callable[[str], str], labels: Any, classes: Any = None) -> Held:
    """Return what is given as examples; raise DataError, naming the array, for what cannot be learned from."""
    arrays, remarks = {}, []
    for name, given in named.items():
        try:
            x = np.asanyarray(given)
        except ValueError as error:  # rows of several lengths
            raise DataError(f"{called(name)} is no array: {error}") from error
        about = f"{called(name)} ({x.dtype}, {x.shape})"
        if name in LABELS or "," in name:
            raise DataError(f"{about}: an array of examples cannot be called {name!r}")
        if x.dtype.kind not in "biuf":
            raise DataError(f"{about} holds no numbers to learn from: convert it to float32")
        if x.ndim < 2 or x.size == 0:
            raise DataError(f"{about} holds no examples: it must be (n, channels, length) or of more axes")
        if x.dtype == np.uint8 and (x.ndim == 3 or (x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] > 4)):
            how = "x[:, None]" if x.ndim == 3 else "x.transpose(0, 3, 1, 2)"
            raise DataError(f"{about}: images are (n, channels, height, width) here, {how}")
        if x.dtype.kind == "f" and not all(np.isfinite(as_floats(x, chunk)).all() for chunk in chunks(x)):
            raise DataError(f"{about} has NaN or infinite numbers: take out those rows, or fill them in")
        if x.ndim == 2:
            remarks.append(f"{about}: each row is taken for one channel")
        arrays[name] = x[:, None] if x.ndim == 2 else x
    counts = {len(x) for x in arrays.values()}
    if len(counts) != 1:
        raise DataError(f"arrays of one source need as many examples each; there are {sorted(counts)}")
    return Held(arrays, *_positions(labels, classes, counts.pop()), remarks)


def _positions(labels: Any, classes: Any, count: int) -> tuple[NDArray[np.int64] | None, list[str]]:
    """Return labels as positions in the names of the classes, which are sorted."""
    if labels is None:
        return None, []
    y = np.asarray(labels)
    about = f"labels ({y.dtype}, {y.shape})"
    if y.shape != (count,):
        raise DataError(f"{about} must be one for each of the {count} examples")
    if classes is not None:
        if y.dtype.kind not in "iu" or not -1 <= y.min() <= y.max() < len(classes):
            raise DataError(f"{about} must be positions in the {len(classes)} classes, or -1")
        return y.astype(np.int64), [str(name) for name in classes]
    if y.dtype.kind not in "biuUO" or (y.dtype.kind == "O" and not all(isinstance(v, str | None) for v in y)):
        raise DataError(f"{about} must be whole numbers or texts, a class each")
    none = np.array([v is None for v in y]) if y.dtype.kind == "O" else np.zeros(count, bool)
    found, positions = np.unique(y[~none].astype(str) if y.dtype.kind == "O" else y, return_inverse=True)
    result = np.full(count, -1, np.int64)
    result[~none] = positions
    return result, [str(name) for name in found]


def chunks(x: NDArray[Any]) -> Iterator[slice]:
    """Yield the examples a part at a time."""
    step = max(1, STEP * len(x) // x.size)
    return (slice(k, k + step) for k in range(0, len(x), step))


def measured(x: NDArray[Any], rows: NDArray[np.int64]) -> Scale:
    """Return mean and deviation of each channel over rows of (n, c, *lengths); NaN counts for nothing.

    The deviation of a constant is 1.

    >>> measured(np.float32([[[1, 3], [5, 5]]]), np.array([0]))
    (array([2., 5.]), array([1., 1.]))
    """
    count, mean, total = np.zeros(x.shape[1]), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    axes = (0, *range(2, x.ndim))
    for chunk in chunks(x[: len(rows)]):
        y = as_floats(x, rows[chunk]).astype(np.float64)
        there = ~np.isnan(y)
        k = there.sum(axis=axes)  # (c,)
        own = np.where(there, y, 0).sum(axis=axes) / np.maximum(k, 1)
        around = np.where(there, y - own.reshape(-1, *[1] * (x.ndim - 2)), 0)
        gap, share = own - mean, k / np.maximum(count + k, 1)
        total += (around**2).sum(axis=axes) + gap**2 * count * share
        mean, count = mean + gap * share, count + k
    std = np.sqrt(total / np.maximum(count, 1))
    return mean, np.where(std > np.maximum(1e-30, 1e-7 * np.abs(mean)), std, 1.0)


def scale_of(settings: Any, channels: int, measure: Callable[[], Scale]) -> Scale:
    """Return mean and deviation: what the settings say, and what is measured where they say nothing."""
    mean, std = settings.mean, settings.std
    if mean is None or std is None:
        found = measure()
        mean, std = found[0] if mean is None else mean, found[1] if std is None else std
    for key, value in (("mean", mean), ("std", std)):
        if len(value) not in (1, channels):
            raise DataError(f"source.{key} has {len(value)} numbers, and the examples {channels} channels")
    return np.asarray(mean, np.float64), np.asarray(std, np.float64)
