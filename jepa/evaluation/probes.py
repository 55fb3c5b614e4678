"""What an evaluation measures, by name: probes with labels, figures without; and the table of them, beside baselines.

A probe or figure of one's own is a line of `PROBES` or `FIGURES`: ``evaluation.json``, the table of `python -m jepa
eval`, the log of a training and the report have it then.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa import health
from jepa.evaluation.attentive import attentive_probe
from jepa.evaluation.linear import GRID, probed
from jepa.evaluation.neighbors import voted

PAIRS = (0.005, 0.05)  # the shares of closest pairs between which the slope is taken
MOST = 2000  # rows that the correlation dimension compares
Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Rows = tuple[Array, Array]


class Protocol(NamedTuple):
    """What every probe of an evaluation is told."""

    k: int = 20
    """neighbors of kNN"""
    C: Sequence[float] = GRID
    """inverse strengths of regularization that the linear probe chooses from"""
    seed: int = 0
    """of all that is drawn"""


class Probe(NamedTuple):
    """One way to read classes out of frozen features."""

    title: str
    """what it is called in tables"""
    measure: Callable[[Array, Labels, Array, Labels, Protocol], dict[str, float]]
    """from training rows and labels, test rows and labels, and the protocol, to "accuracy", and more by name, which is
    noted; float32 rows are the probe's own and may be overwritten"""
    tokens: bool = False
    """rows are the tokens (n, N, d) of an example, not one vector (n, d)"""


class Figure(NamedTuple):
    """One number about features (n, d), without labels."""

    title: str
    """what it is called in tables"""
    of: Callable[[Array], float]
    """NaN where it cannot be told"""


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


def _linear(train: Array, train_labels: Labels, test: Array, test_labels: Labels, p: Protocol) -> dict[str, float]:
    found = probed(train, train_labels, test, test_labels, grid=p.C, seed=p.seed)
    return {"accuracy": found.accuracy, "C": found.C}


def _knn(train: Array, train_labels: Labels, test: Array, test_labels: Labels, p: Protocol) -> dict[str, float]:
    return {"accuracy": float(np.mean(voted(train, train_labels, test, k=p.k) == test_labels))}


def _attentive(train: Array, train_labels: Labels, test: Array, test_labels: Labels, p: Protocol) -> dict[str, float]:
    return {"accuracy": attentive_probe(train, train_labels, test, test_labels, seed=p.seed)}


PROBES = {
    "linear": Probe("linear probe", _linear),
    "knn": Probe("kNN", _knn),
    "attentive": Probe("attentive probe", _attentive, tokens=True),
}
BASELINES = ("random", "pixels", "kmeans", "patches", "chance")  # rows of a table that nothing was trained for
FIGURES = {
    "feature_std": Figure("feature standard deviation (1 = spread evenly, 0 = collapsed)", health.feature_std),
    "effective_rank": Figure("effective rank (near 1 = collapsed; more is not better)", health.effective_rank),
    "correlation_dimension": Figure("correlation dimension (of the cloud that they fill)", correlation_dimension),
    "uniformity": Figure(
        "uniformity (lower = more evenly spread)", lambda z: health.uniformity(z) if len(z) > 1 else float("nan")
    ),
}


def figures(z: Array) -> dict[str, float | None]:
    """Return every figure of features (n, d); None where it cannot be told."""
    found = {name: figure.of(z) for name, figure in FIGURES.items()}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def row_titles(shape: Sequence[int] = (3, 32, 32), raw: str = "") -> dict[str, str]:
    """Return the rows of a table in their order, and what they are called, for examples of a shape.

    raw: what the row of the examples themselves is called, if its source says so.

    >>> row_titles((2, 500))["pixels"]
    'raw input'
    """
    raw = raw or ("raw pixels" if len(shape) == 3 else "raw input")
    ours = {"jepa": "trained encoder", "center": "encoder, center crop", "crops": "encoder, mean of crops"}
    patches = {"kmeans": "k-means of patches", "patches": "random patches"}
    return {**ours, "random": "same encoder, untrained", "pixels": raw, **patches, "chance": "chance"}


def probe_table(
    rows: Mapping[str, Rows | Callable[[], Rows]],
    train_labels: Any,
    test_labels: Any,
    protocol: Protocol | None = None,
    *,
    tokens: bool = False,
) -> dict[str, dict[str, float]]:
    """Return what every probe reaches with every named representation of the same examples, beside chance.

        {"linear": {name: accuracy, ..., "chance": ...}, "knn": {the same}, "C": {name: the C chosen}}

    rows: by name training and test rows, (N, d) and (M, d), d as it may be, or a function that makes them, float32,
    anew for each probe, which uses them up: for those that are large. Labels, (N,) and (M,): their classes. tokens: the
    rows are tokens, (N, places, d), and the probes those that read tokens. Chance is the share of test examples of the
    class that is the most frequent one in training.

    >>> labels = np.arange(40) % 2
    >>> rows = np.eye(2)[labels] + 0.01 * np.arange(40)[:, None]
    >>> table = probe_table({"pixels": (rows[:30], rows[30:])}, labels[:30], labels[30:], Protocol(k=3))
    >>> table["linear"], table["knn"]
    ({'pixels': 1.0, 'chance': 0.5}, {'pixels': 1.0, 'chance': 0.5})
    """
    protocol = protocol or Protocol()
    names = [name for name, probe in PROBES.items() if probe.tokens == tokens]
    table: dict[str, dict[str, float]] = {name: {} for name in names}
    for row, value in rows.items():
        for name in names:
            train, test = value() if callable(value) else (np.array(x, np.float32) for x in value)
            found = PROBES[name].measure(train, train_labels, test, test_labels, protocol)
            del train, test
            table[name][row] = found.pop("accuracy")
            for noted, number in found.items():
                table.setdefault(noted, {})[row] = number
    for name in names:
        table[name]["chance"] = chance(train_labels, test_labels)
    return table


def chance(train_labels: NDArray[Any], test_labels: NDArray[Any]) -> float:
    """Return the accuracy of always answering the most frequent training class (the smallest label on a tie).

    >>> chance(np.array([0, 0, 1]), np.array([0, 1, 1, 1]))
    0.25
    """
    classes, counts = np.unique(train_labels, return_counts=True)
    return float(np.mean(test_labels == classes[np.argmax(counts)]))
