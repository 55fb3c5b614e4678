"""The one owner of the number of threads: how many compute, and which of them works on what part of a batch.

BLAS has threads of its own. `blas_threads` tells it how many, so that inside a part of a batch, which has a core to
itself, it uses one, and they do not fight for cores.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from minitensor.backend import Array
from minitensor.errors import ParallelError
from minitensor.team import Team, member

T = TypeVar("T")
__all__ = ["Threads", "exclusive", "get_num_threads", "set_num_threads", "shared", "together"]

LEAST = 1 << 18  # entries for a thread: fewer are done sooner than it wakes
PATIENCE = 1.0  # seconds that Ctrl-C leaves the other threads to end their parts
SWITCH = 1e-4  # seconds until a thread that computes in Python lets another one; 5 ms by default, as long as a step

_count: int | None = None  # what was asked for
_idle: list[SimpleQueue[Callable[[], None]]] = []  # where threads that have nothing to do wait for something
_busy = threading.Lock()
_entering = threading.Lock()
_teams: list[tuple[int, float]] = []  # for each team at work: the threads and the switch interval that it found
_blas: ThreadpoolController | None = None


def _forget() -> None:
    """Start anew in a forked process, which has this memory and none of the threads."""
    global _busy, _entering
    _idle.clear()
    _busy, _entering = threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _controllers() -> Sequence[Any]:
    global _blas
    if _blas is None:
        _blas = ThreadpoolController().select(user_api="blas")
    found: Sequence[Any] = _blas.lib_controllers
    return found


def get_num_threads() -> int:
    """Return how many threads compute.

    >>> get_num_threads() >= 1
    True
    """
    counts = [_teams[0][0]] if _teams else [c.num_threads for c in _controllers()]
    if _count or counts:
        return _count or max(counts)
    asked = os.environ.get("OMP_NUM_THREADS", "")  # a BLAS that cannot be asked, as Apple's
    return int(asked) if asked.isdecimal() and int(asked) else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Say how many threads compute: those of BLAS, and the parts that `data_parallel` cuts a batch into.

    By default as many as BLAS takes: every core, unless OPENBLAS_NUM_THREADS or OMP_NUM_THREADS say otherwise.
    Raises ValueError for less than one.

    >>> before = get_num_threads()
    >>> set_num_threads(1); get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _count
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"the number of threads is a whole number, 1 or more; got {count!r}")
    _count = count
    _set_blas(count)


def _set_blas(count: int) -> None:
    for c in _controllers():
        c.set_num_threads(count)


class _Meetings:
    """Where threads of one process tell each other what each of them has."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.news = threading.Condition()
        self.meetings: dict[int, dict[int, tuple[Hashable, Any]]] = {}  # by number: what those who are there brought
        self.turns = [0] * size
        self.gone: int | None = None  # the first who is done, or has failed: from then on nobody can meet

    def meet(self, rank: int, what: Hashable, value: Any) -> list[Any]:
        """Return the values of all members, in their order, as soon as all are there.

        Raises ParallelError if that can no longer be, or if they came for something else.
        """
        with self.news:
            turn = self.turns[rank]
            self.turns[rank] += 1
            there = self.meetings.setdefault(turn, {})
            there[rank] = what, value
            if len(there) == self.size:
                del self.meetings[turn]
                self.news.notify_all()
            self.news.wait_for(lambda: len(there) == self.size or self.gone is not None)
            if len(there) < self.size:
                raise ParallelError(
                    f"the parts of a batch do not do the same: part {rank} waits at their meeting {turn + 1} (in a "
                    f"batch norm, ...), and part {self.gone} ended before it. Call the same layers in each, or call "
                    "the function without data_parallel"
                )
        if any(there[i][0] != what for i in there):
            raise ParallelError(
                "the parts of a batch do not do the same: they meet (in a batch norm, ...) for "
                f"{' and '.join(sorted({str(w) for w, _ in there.values()}))}. Call the same layers in each, or call "
                "the function without data_parallel"
            )
        return [there[i][1] for i in range(self.size)]

    def leave(self, rank: int) -> None:
        """Say that a member is done, so that nobody waits for it."""
        with self.news:
            self.gone = rank if self.gone is None else self.gone
            self.news.notify_all()


class Threads:
    """A team of threads, as one of them has it; where there are several processes, of the threads of them all.

    outer: the team of the processes, whom the first thread of each speaks to; None: this is the only one.
    """

    def __init__(self, meetings: _Meetings, own: int, outer: Team | None) -> None:
        self._meetings, self._own, self._outer = meetings, own, outer
        self.size = meetings.size * (outer.size if outer else 1)
        self.rank = own + (meetings.size * outer.rank if outer else 0)

    def total(self, x: Array, what: Hashable = "a sum") -> Array:
        """Return Σ x over the members, added up in their order."""
        total, *others = self._meetings.meet(self._own, (what, x.shape), x)
        for part in others:
            total = total + part
        outer = self._outer
        return total if outer is None else self.once("the sum of all processes", lambda: outer.total(total))

    def gather(self, value: Any, what: Hashable = "values") -> list[Any]:
        """Return the values of all, in their order."""
        values, outer = self._meetings.meet(self._own, what, value), self._outer
        if outer is None:
            return values
        found = self.once("the values of all processes", lambda: outer.gather(tuple(values)))
        return [one for each in found for one in each]

    def broadcast(self, value: Any, what: Hashable = "a value") -> Any:
        """Return the value of the first."""
        return self.gather(value, what)[0]

    def once(self, what: Hashable, make: Callable[[], Any]) -> Any:
        """Return what make() returns to the first thread of this process, which alone calls it."""
        return self._meetings.meet(self._own, what, make() if self._own == 0 else None)[0]


@contextmanager
def exclusive() -> Iterator[bool]:
    """Whether nobody else has the threads: a part of a batch is not cut into parts again."""
    free = member.team is None and _busy.acquire(blocking=False)
    try:
        yield free
    finally:
        if free:
            _busy.release()


@contextmanager
def _apart(rank: int, count: int) -> Iterator[None]:
    """Keep this thread on a share of the cores: left alone, the system lets two that wake each other sit on one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < count:
        yield
        return
    os.sched_setaffinity(0, cores[rank::count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """While a team works, BLAS has one thread and Python changes threads often; as before when the last is done."""
    with _entering:
        _teams.append(_teams[0] if _teams else (get_num_threads(), sys.getswitchinterval()))
        if len(_teams) == 1:
            _set_blas(1)
            sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        with _entering:
            threads, interval = _teams.pop()
            if not _teams:
                sys.setswitchinterval(interval)
                _set_blas(_count or threads)


def _serve(tasks: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        tasks.get()()
        _idle.append(tasks)


def _begin(work: Callable[[], T]) -> Future[T]:
    """Do work in another thread: one that has nothing to do, or a new one, which does not keep the process alive."""
    future: Future[T] = Future()
    try:
        tasks = _idle.pop()
    except IndexError:
        tasks = SimpleQueue()
        threading.Thread(target=_serve, args=(tasks,), name="minitensor", daemon=True).start()
    tasks.put(partial(_settle, future, work))
    return future


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
    finally:
        del future, work  # the error knows this frame, which would know the error


def together(work: Callable[[int], T], count: int, outer: Team | None = None) -> list[T]:
    """Return [work(0), ..., work(count - 1)], each in a thread of its own, the first in this one.

    If one raises, the others stop where they next meet, and what it raised is raised here. outer: the team of the
    processes that do the same.
    """
    meetings = _Meetings(count)

    def run(rank: int) -> T:
        before, member.team = member.team, Threads(meetings, rank, outer)
        try:
            with _apart(rank, count) if count > 1 else nullcontext():
                return work(rank)
        finally:
            member.team = before
            meetings.leave(rank)

    others: list[Future[T]] = []
    results: list[T] = []
    errors: list[BaseException] = []
    with _one_blas_thread() if count > 1 else nullcontext():
        try:
            for rank in range(1, count):
                others.append(_begin(partial(run, rank)))
            results.append(run(0))
        except BaseException as error:
            errors.append(error)
            meetings.leave(0)  # also where there were no more threads to begin with
        while others:
            patience = None if all(isinstance(e, Exception) for e in errors) else PATIENCE
            try:
                results.append(others.pop(0).result(patience))
            except BaseException as error:
                errors.append(error)
    try:
        if errors:
            raise next((e for e in errors if not isinstance(e, ParallelError)), errors[0])
        return results
    finally:
        errors.clear()  # an error knows this frame, and this frame would know it


def shared(work: Callable[[Sequence[T]], None], pieces: Sequence[T], entries: int) -> None:
    """Do work(pieces), several threads each with some of them; `entries` says how much it is in all.

    The pieces have nothing to do with each other: the result does not depend on who does which.
    """
    count = min(get_num_threads(), entries // LEAST, len(pieces))
    with exclusive() as free:
        if count < 2 or not free:
            work(pieces)
        else:
            together(lambda rank: work(pieces[rank::count]), count)
