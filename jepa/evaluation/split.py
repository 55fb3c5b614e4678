"""Choosing some of the examples so that every class keeps its share, and what a function makes of them."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Source
from jepa.progress import shown_progress

Array = NDArray[np.float32]
BATCH = 256  # examples that are in memory as floats at once
RAW = 1 << 28  # numbers of raw input of a split at most, 1 GB, if nothing is said: a probe of it takes four times that


def stratified(labels: NDArray[Any], size: int, *, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw min(size, N) positions from labels (N,), ascending, each class in its share, as nearly as whole ones allow.

    Item number r (in a random order) of a class of n items gets the rank (r + 1/2) / n in (0, 1); the `size` smallest
    ranks are taken. So the draw is proportional at every size, and a class never gives its last item before every
    other class has given the same share.

    >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    >>> labels[stratified(labels, 3, generator=np.random.default_rng(0))]
    array([0, 0, 1])
    """
    shuffled = generator.permutation(len(labels))  # (N,)
    rank = np.empty(len(labels))  # (N,) in the shuffled order
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = shuffled[np.argsort(rank, kind="stable")[:size]]
    return np.sort(chosen).astype(np.int64)


def streamed(
    function: Callable[[Any], NDArray[Any]],
    source: Source,
    indices: Sequence[int] | NDArray[np.int64],
    doing: str,
    *,
    batch: int = BATCH,
    team: Any = None,
) -> Array:
    """Return function(source.read(indices)) as float32, one row an example, computed `batch` examples at a time.

    `doing` says in the progress bar what is done. team: processes that read and compute a part of the examples each.

    >>> class Numbers:
    ...     def read(self, indices):
    ...         return np.asarray(indices, np.float32)
    >>> streamed(lambda x: 2 * x, Numbers(), [3, 1, 2], "doubling", batch=2).tolist()
    [6.0, 2.0, 4.0]
    """
    if team is not None:
        return shared(lambda own: streamed(function, source, indices[own], doing, batch=batch), len(indices), team)
    rows: Array | None = None
    parts = range(0, len(indices), batch)
    for i in shown_progress(parts, len(parts), doing, f"batches of {batch} examples"):
        part = function(source.read(indices[i : i + batch]))
        if rows is None:
            rows = np.empty((len(indices), *part.shape[1:]), np.float32)
        rows[i : i + batch] = part
    return np.empty((0, 0), np.float32) if rows is None else rows


def shared(f: Callable[[slice], Array], count: int, team: Any) -> Array:
    """Return f(slice(0, count)), rows of examples, of which each process of a team makes its part."""
    if team is None or count < team.size:
        return f(slice(0, count))
    return np.concatenate(team.gather(f(mt.teams.cut(count, team.size, team.rank))))


class Part(NamedTuple):
    """One split of the examples, and which of them are used."""

    source: Source
    kept: NDArray[np.int64]
    """positions in it"""
    labels: NDArray[np.int64] | None
    """their classes; None: they have none"""
    team: Any = None
    """processes that share the examples out when `rows` are made of them"""

    @classmethod
    def of(cls, source: Source, limit: int | None = None, seed: int = 0, team: Any = None) -> Self:
        """Return at most `limit` examples of a source, stratified; those without a class only where none has one."""
        codes = np.full(len(source), -1) if source.labels is None else np.asarray(source.labels)
        known = np.flatnonzero(codes >= 0)
        whole = cls(source, np.arange(len(source)), None) if len(known) == 0 else cls(source, known, codes[known])
        return whole._replace(team=team).limited(limit, seed)

    @property
    def classes(self) -> set[int]:
        """Which classes there are."""
        return set() if self.labels is None else set(self.labels.tolist())

    def limited(self, limit: int | None, seed: int) -> Self:
        """Return at most so many of them, stratified; None: all."""
        codes = np.zeros(len(self.kept), np.int64) if self.labels is None else self.labels
        chosen = stratified(codes, limit or len(codes), generator=np.random.default_rng(seed))
        labels = None if self.labels is None else self.labels[chosen]
        return self._replace(kept=self.kept[chosen], labels=labels)

    def rows(self, f: Callable[[Array], NDArray[Any]], doing: str) -> Array:
        """Return f of the examples, normalized, as float32, one row an example, computed batch by batch."""
        return streamed(lambda x: f(self.source.normalize(x)), self.source, self.kept, doing, team=self.team)


def for_probes(source: Source, asked: int | None, seed: int, team: Any = None) -> Part:
    """Return the examples that probes use: as many as are asked for, or as many as have RAW numbers of raw input.

    The raw input of all of them is a row of the table, and in memory: that there are more is told as a warning.
    """
    shapes = source.shape.values() if isinstance(source.shape, Mapping) else [source.shape]
    most = max(1, RAW // sum(map(math.prod, shapes)))
    if asked is None and len(source) > most:
        said = f"probes use {most:,} of {len(source):,} examples, whose raw input takes 1 GB"
        logging.getLogger("jepa").warning("warning: %s: evaluation.max_images=N takes more, or fewer", said)
    return Part.of(source, asked or most, seed, team)
