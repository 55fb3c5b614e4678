"""Where random numbers come from, so that what is computed again, or in parts, draws what it has to draw.

`generator_of` is asked at each draw. By itself it returns the generator that it is given, or the default one. Between a
computation and the generators there may stand a `Source` of its thread: the first run of a `checkpoint` draws from
replicas of the generators, the second from replicas of these; each part of `data_parallel` draws from generators of its
own; each process of several from those that all have, its rows of what the whole batch draws. A layer whose state moves
at each reading asks `remembered` in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minitensor.errors import GradientError
from minitensor.graph import state
from minitensor.team import Team

T = TypeVar("T")
__all__ = [
    "Borrowed", "Part", "Recorded", "Replayed", "Rows", "Shares", "Source", "default_generator", "generator_of",
    "manual_seed", "remembered", "source",
]  # fmt: skip

Generator = np.random.Generator

_default = np.random.default_rng(0)


class Source:
    """What a computation draws from and remembers; this one, of a thread that has no other, changes nothing."""

    def draw(self, g: Generator) -> Generator:
        """Return the generator to draw from in the place of g."""
        return g

    def recall(self, make: Callable[[], T]) -> T:
        """Return what make() returns."""
        return make()


class Borrowed(NamedTuple):
    """A generator that a first run met, and its own in the place of it."""

    actual: Generator
    own: Generator
    stood: Any  # the state of its own at the start
    returns: bool  # does the other one move on with it? Not if another thread's run has it already


class Recorded(Source):
    """Of a first run: it draws from replicas, and notes where they started and what was remembered.

    What other threads draw meanwhile is thus none of its numbers. At the end the generators stand where they would
    stand had they been drawn from; a run that finds one with another thread's run gets a child of it.
    """

    def __init__(self) -> None:
        self.below = source()
        self.met: dict[int, tuple[Generator, Borrowed]] = {}  # id -> (one that was asked for, what stands for it)
        self.asked: list[Borrowed] = []  # for each generator that was asked for, in that order
        self.values: list[Any] = []

    def draw(self, g: Generator) -> Generator:
        """Return the replica, made when it is first asked for."""
        if id(g) not in self.met:
            actual = self.below.draw(g)
            _, entry = self.met.get(id(actual)) or (actual, _borrow(actual))
            self.asked.append(entry)
            for known in (g, actual, entry.own):
                self.met[id(known)] = known, entry
        return self.met[id(g)][1].own

    def recall(self, make: Callable[[], T]) -> T:
        """Return what make() returns, and keep it."""
        value = self.below.recall(make)
        self.values.append(value)
        return value

    def close(self) -> None:
        """Move the generators outside on, unless somebody else has done so meanwhile."""
        for actual, own, stood, returns in {id(e): e for _, e in self.met.values()}.values():
            if returns:
                with _borrowing, actual.bit_generator.lock:
                    _lent.discard(id(actual))
                    if _alike(actual.bit_generator.state, stood):
                        actual.bit_generator.state = own.bit_generator.state


_borrowing = threading.Lock()
_lent: set[int] = set()  # ids of generators that a first run has replicas of


def _borrow(actual: Generator) -> Borrowed:
    with _borrowing:
        if id(actual) in _lent:
            (own,) = actual.spawn(1)
            return Borrowed(actual, own, own.bit_generator.state, False)
        _lent.add(id(actual))
        with actual.bit_generator.lock:  # another thread may be drawing
            stood = actual.bit_generator.state
    return Borrowed(actual, replica(actual, stood), stood, True)


def _alike(a: Any, b: Any) -> bool:
    """Whether two states of a generator are the same: nested dicts of numbers and arrays."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_alike(a[k], b[k]) for k in a)
    return bool(np.all(a == b))


class Replayed(Source):
    """Of a second run, which meets generators in the same order: replicas of those that the first drew from."""

    def __init__(self, first: Recorded) -> None:
        self.below = source()
        self.next = iter(first.asked)
        self.met: dict[int, tuple[Generator, Borrowed | None]] = {}
        self.made: dict[int, Generator] = {}  # id of what the first run drew from -> its replica
        self.values: Iterator[Any] = iter(first.values)

    def draw(self, g: Generator) -> Generator:
        """Return the replica, made when it is first drawn from."""
        if any(g is own for own in self.made.values()):
            return g
        if id(g) not in self.met:
            entry = next(self.next, None)
            for known in (g, entry.actual if entry else g):
                self.met[id(known)] = known, entry
        _, entry = self.met[id(g)]
        if entry is None:
            return self.below.draw(g)
        if id(entry.own) not in self.made:
            self.made[id(entry.own)] = replica(entry.own, entry.stood)
        return self.made[id(entry.own)]

    def recall(self, make: Callable[[], T]) -> T:
        """Return what the first run got."""
        try:
            value: T = next(self.values)
            return value
        except StopIteration:
            raise GradientError("checkpoint: the second run went another way, and reads a state once more") from None


class Shares:
    """What the parts of a batch know together: a seed for each part, of each generator that one of them draws from."""

    def __init__(self, count: int) -> None:
        self.below, self.count = source(), count
        self.lock = threading.Lock()
        self.drawn: dict[int, tuple[Generator, Any]] = {}
        self.seeds(_default)

    def seeds(self, g: Generator) -> Any:
        """Return a seed for each part. The first that asks draws them, from g alone: it matters not which."""
        with self.lock:
            if id(g) not in self.drawn:
                self.drawn[id(g)] = g, self.below.draw(g).integers(2**63, size=self.count)
            return self.drawn[id(g)][1]


class Part(Source):
    """Of a part of a batch: generators of its own in the place of all others."""

    def __init__(self, shares: Shares, rank: int) -> None:
        self.shares, self.rank = shares, rank
        self.own: dict[int, tuple[Generator, Generator]] = {}
        self.draw(_default)

    def draw(self, g: Generator) -> Generator:
        """Return this part's own generator for g."""
        if id(g) not in self.own:
            child = np.random.default_rng(self.shares.seeds(g)[self.rank])
            self.own[id(g)], self.own[id(child)] = (g, child), (child, child)
        return self.own[id(g)][1]

    def recall(self, make: Callable[[], T]) -> T:
        """Return what make() returns; asked by the first part alone (see `from_first`)."""
        return self.shares.below.recall(make)


class Rows(Source):
    """Of a process that computes some rows of a batch: it draws for the whole, and keeps what belongs to its rows.

    So all processes draw the same numbers, and a batch has those that one process would draw for it.
    start, count, total: the first of its rows, how many they are, and those of the batch.
    """

    def __init__(self, start: int, count: int, total: int) -> None:
        self.below, self.part = source(), (start, count, total)
        self.met: dict[int, tuple[Generator, RowsGenerator]] = {}

    def draw(self, g: Generator) -> Generator:
        """Return what draws from g for the whole batch."""
        if isinstance(g, RowsGenerator):
            return g
        if id(g) not in self.met:
            self.met[id(g)] = g, RowsGenerator(self.below.draw(g).bit_generator, self.part)
        return self.met[id(g)][1]

    def recall(self, make: Callable[[], T]) -> T:
        """Return what make() returns."""
        return self.below.recall(make)

    def agree(self, team: Team) -> None:
        """Let all processes draw on from where the first stands: what is no row of a batch may be drawn by rows too."""
        bits = [own.bit_generator for _, own in self.met.values()]
        if bits:
            for each, state in zip(bits, team.broadcast([b.state for b in bits]), strict=True):
                each.state = state


class RowsGenerator(Generator):
    """A generator whose arrays are some rows of those that it draws, if their first axis is that of the rows.

    Then a first axis of k·count becomes one of k·total; an array of another length is drawn as it is.
    """

    def __init__(self, bits: np.random.BitGenerator, part: tuple[int, int, int]) -> None:
        super().__init__(bits)
        self.part = part

    def _some(self, draw: Callable[..., Any], size: Any) -> Any:
        start, count, total = self.part
        if size is None or size == () or not count:
            return draw(size)
        first, *rest = size if isinstance(size, Sequence) else (size,)
        if first % count:
            return draw(size)
        times = first // count
        return draw((times * total, *rest))[times * start : times * (start + count)]

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return numbers in [0, 1)."""
        return self._some(lambda n: super(RowsGenerator, self).random(n, dtype), size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Return numbers in [low, high)."""
        return self._some(lambda n: super(RowsGenerator, self).uniform(low, high, n), size)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Return normal numbers."""
        return self._some(lambda n: super(RowsGenerator, self).normal(loc, scale, n), size)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return normal numbers around 0, of deviation 1."""
        return self._some(lambda n: super(RowsGenerator, self).standard_normal(n, dtype), size)


_OUTSIDE = Source()


def source() -> Source:
    """Return the source of this thread."""
    return state.source or _OUTSIDE


def replica(g: Generator, stood: Any) -> Generator:
    """Return a generator of the same kind, at a state."""
    bits: Callable[..., np.random.BitGenerator] = type(g.bit_generator)
    fresh = bits(g.bit_generator.seed_seq)
    made = RowsGenerator(fresh, g.part) if isinstance(g, RowsGenerator) else type(g)(fresh)
    made.bit_generator.state = stood
    return made


def generator_of(generator: Generator | None = None) -> Generator:
    """Return the generator to draw from where this one, or the default one, was asked for."""
    return source().draw(_default if generator is None else generator)


def remembered(make: Callable[[], T]) -> T:
    """Return make(), or, in the second run of a `checkpoint`, what it returned in the first."""
    return source().recall(make)


def manual_seed(seed: int) -> None:
    """Seed the default generator, which draws on the host so that both backends start alike.

    Differs from PyTorch: its own sequence of numbers.

    >>> manual_seed(0); a = default_generator().random(); manual_seed(0); a == default_generator().random()
    True
    """
    default_generator().bit_generator.state = np.random.default_rng(seed).bit_generator.state


def default_generator() -> Generator:
    """Return the generator that initial weights and dropout masks draw from unless one is passed.

    Differs from PyTorch: it is NumPy's, and a function.

    >>> default_generator().random() < 1
    True
    """
    return generator_of()
