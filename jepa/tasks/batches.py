"""Batches of a source, asked by a task, prepared ahead, the same whoever prepares them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

import minitensor as mt
from jepa.contracts import Batch, Gappy, Generators, Grid, Index, Source, Task
from jepa.errors import DataError
from jepa.several import rows as some
from jepa.tasks.base import Task as Asking

Progress = float | Callable[[int], float]


@dataclass(frozen=True, eq=False)
class Batches:
    """Epochs of batches: examples of a source, and a task's question about each, for an encoder with this grid.

    The order of an epoch comes from (seed, epoch), all that is random about example i in epoch e from
    `np.random.default_rng([seed, e, i])`, and what batch b has in common from `default_rng([seed, e, N, b])`, N the
    examples of the source. So a batch does not depend on the number of threads, on how far they are ahead, or on where
    the epoch was entered.
    """

    source: Source
    task: Task
    grid: Grid
    """of the encoder that is asked"""
    _: KW_ONLY
    batch_size: int
    seed: int
    drop_last: bool = True
    """leave out the rest of an epoch that does not fill a batch"""
    prefetch: int = 2
    """batches prepared ahead by other threads; 0: none, each is made when it is asked for"""
    threads: int = 1
    """how many do that; no more than `prefetch` are of use, and for small images one is the fastest: they wait"""
    team: Any = None
    """processes of which each makes its part of every batch, the same that one process makes; None: there is one"""

    def __post_init__(self) -> None:
        if min(self.batch_size, self.threads) < 1 or self.prefetch < 0:
            given = f"batch_size={self.batch_size}, threads={self.threads}, prefetch={self.prefetch}"
            raise DataError(f"Batches: {given}: the first two are at least 1, the last at least 0")
        if self.drop_last and self.batch_size > len(self.source):
            raise DataError(
                f"{len(self.source)} examples do not fill one batch of {self.batch_size}: set train.batch_size to at "
                f"most {len(self.source)}, or add examples"
            )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        count = len(self.source)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def order(self, epoch: int) -> Index:
        """Return the order (N,) in which an epoch goes through the source."""
        count = len(self.source)  # as an index, it belongs to no example: no stream of numbers is used twice
        return np.random.default_rng([self.seed, epoch, count]).permutation(count)

    def inputs(
        self, indices: Sequence[int] | Index, epoch: int = 0, number: int = 0, rows: slice | None = None
    ) -> tuple[Any, Generators]:
        """Return these examples as the task is given them, and what it draws from: batch `number` of an epoch.

        That is as the source has them, with their actions if the task `acts`. rows: those of them alone, as a part of
        the batch of them all.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        part = None if rows is None else (rows, len(chosen))
        chosen = chosen if rows is None else chosen[rows]
        each = [np.random.default_rng([self.seed, epoch, i]) for i in chosen.tolist()]
        batch = np.random.default_rng([self.seed, epoch, len(self.source), number])
        source: Any = self.source  # `Acting`, of a task that acts
        x = source.read(chosen)
        x = {"frames": x, "actions": source.actions[chosen]} if self.task.acts else x
        return x, Generators(each, batch, part)

    def normalized(self, batch: Batch) -> Batch:
        """Return a batch as a network sees it."""
        return batch.changed(self.source.normalize)

    def batch(self, indices: Sequence[int] | Index, epoch: int = 0, number: int = 0, progress: float = 0.0) -> Batch:
        """Return the batch of these examples; with a team the part of it that is this process's."""
        task, team = self.task.at(progress), self.team
        if team is None:
            x, generators = self.inputs(indices, epoch, number)
            return self.normalized(task.ask(x, self.grid, generators))
        rows, apart = mt.teams.cut(len(indices), team.size, team.rank), self.apart
        x, generators = self.inputs(indices, epoch, number, rows if apart else None)
        batch = task.ask(x, self.grid, generators)
        return self.normalized((batch if apart else some(batch, rows))._replace(team=team))

    @property
    def apart(self) -> bool:
        """Whether a part of a batch can be made without the other examples; else they are all read for it."""
        whole = isinstance(self.source, Gappy) and not self.source.gaps and not self.task.augment.gaps
        return whole and isinstance(self.task, Asking) and self.task.apart

    def batches(self, epoch: int, *, start: int = 0, progress: Progress = 0.0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on.

        `progress`, a number in [0, 1] or a function of the batch's number in the epoch, says where the task's
        curriculum stands. To leave early, drop or close the iterator: it waits for the batch in the making and ends
        its threads. An error in making a batch is raised here, when that batch is asked for.
        """
        if not 0 <= start <= len(self):
            raise DataError(f"start={start} is no batch of an epoch of {len(self)} batches")
        order = self.order(epoch)

        def work(number: int) -> tuple[Index, int, int, float]:
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            return chosen, epoch, number, progress(number) if callable(progress) else progress

        if self.prefetch == 0:
            for number in range(start, len(self)):
                yield self._made(*work(number))
            return
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(min(self.threads, self.prefetch), thread_name_prefix="jepa-loader")
        try:
            for number in range(start, len(self) + self.prefetch):
                if number < len(self):
                    waiting.append(pool.submit(self._made, *work(number)))
                if number >= start + self.prefetch:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _made(self, indices: Index, *of: Any) -> Batch:
        """Make a batch; if that fails, find the example that it fails on and name it."""
        try:
            return self.batch(indices, *of)
        except Exception:
            alone = replace(self, team=None)
            for index in indices:
                try:
                    alone.batch(indices[indices == index], *of)
                except Exception as error:
                    cause = f"{error}" if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
                    name = self.source.names[index]
                    raise DataError(f"cannot prepare the example {name} (epoch {of[0]}): {cause}") from error
            raise
