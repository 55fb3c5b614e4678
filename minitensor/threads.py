"""The one owner of the number of threads: how many compute, and which of them works on what part of a batch.

BLAS has threads of its own. `blas_threads` tells it how many, so that inside a part of a batch, which has a core to
itself, it uses one, and they do not fight for cores.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["Team", "exclusive", "get_num_threads", "member", "set_num_threads", "shared", "together"]

LEAST = 1 << 18  # entries for a thread: fewer are done sooner than it wakes
SWITCH = 1e-4  # seconds until a thread that computes in Python lets another one; 5 ms by default, as long as a step

_count: int | None = None  # what was asked for
_pool: ThreadPoolExecutor | None = None
_busy = threading.Lock()
_blas: ThreadpoolController | None = None


def _forget() -> None:
    """Start anew in a forked process, which has this memory and none of the threads."""
    global _pool, _busy
    _pool, _busy = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _controllers() -> Sequence[Any]:
    global _blas
    if _blas is None:
        _blas = ThreadpoolController().select(user_api="blas")
    return _blas.lib_controllers  # type: ignore[no-any-return]


def get_num_threads() -> int:
    """Return how many threads compute. Differs from PyTorch: in nothing.

    >>> get_num_threads() >= 1
    True
    """
    counts = [c.num_threads for c in _controllers()]
    if _count or counts:
        return _count or max(counts)
    asked = os.environ.get("OMP_NUM_THREADS", "")  # a BLAS that cannot be asked, as Apple's
    return int(asked) if asked.isdecimal() and int(asked) else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Say how many threads compute: those of BLAS, and the parts that `data_parallel` cuts a batch into.

    By default as many as BLAS takes: every core, unless OPENBLAS_NUM_THREADS or OMP_NUM_THREADS say otherwise.
    Raises ValueError for less than one. Differs from PyTorch: in nothing.

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


class Team:
    """Threads that run one function on parts of a batch, and can add up what each of them has."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)
        self.parts: tuple[list[Any], list[Any]] = ([None] * size, [None] * size)
        self.turns = [0] * size

    def total(self, rank: int, value: Any) -> Any:
        """Return the sum of all members' values, in the order of the members: the same bits for each."""
        parts = self.parts[self.turns[rank] % 2]  # by turns, so that nobody writes where another still reads
        self.turns[rank] += 1
        parts[rank] = value
        self.barrier.wait()
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class _Member(threading.local):
    team: Team | None = None  # whom this thread computes a part for
    rank = 0


member = _Member()


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


def together(work: Callable[[int], Any], count: int) -> list[Any]:
    """Return [work(0), ..., work(count - 1)], each in a thread of its own, the first in this one.

    If one raises, the others stop at their next `Team.total`, and what it raised is raised here.
    """
    global _pool
    if _pool is None or _pool._max_workers < count - 1:
        _pool = ThreadPoolExecutor(count - 1, thread_name_prefix="minitensor")
    team, interval, threads = Team(count), sys.getswitchinterval(), get_num_threads()

    def run(rank: int) -> Any:
        member.team, member.rank = team, rank
        try:
            with _apart(rank, count):
                return work(rank)
        except BaseException:
            team.barrier.abort()
            raise
        finally:
            member.team, member.rank = None, 0

    _set_blas(1)
    sys.setswitchinterval(SWITCH)
    try:
        others = [_pool.submit(run, rank) for rank in range(1, count)]
        results, errors = [], []
        asks: list[Callable[[], Any]] = [lambda: run(0), *(other.result for other in others)]
        for ask in asks:
            try:
                results.append(ask())
            except BaseException as error:
                errors.append(error)
        if errors:
            raise next((e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0])
        return results
    finally:
        sys.setswitchinterval(interval)
        _set_blas(threads)


def shared(work: Callable[[Sequence[Any]], None], pieces: Sequence[Any], entries: int) -> None:
    """Do work(pieces), several threads each with some of them; `entries` says how much it is in all.

    The pieces have nothing to do with each other: the result does not depend on who does which.
    """
    count = min(get_num_threads(), entries // LEAST, len(pieces))
    with exclusive() as free:
        if count < 2 or not free:
            work(pieces)
        else:
            together(lambda rank: work(pieces[rank::count]), count)
