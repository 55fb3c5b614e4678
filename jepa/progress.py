"""How far a long piece of work has come: a bar in a terminal, a line now and then in a log, nothing if it is short."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

QUIET = 2.0  # seconds without a word
PAUSE = 10.0  # seconds between the lines of a log

T = TypeVar("T")


def shown_progress(things: Iterable[T], total: int, doing: str, unit: str = "images") -> Iterator[T]:
    """Yield the things, telling standard error how many of `total` there were, once it takes over two seconds.

    >>> list(shown_progress(range(3), 3, "counting", "numbers"))
    [0, 1, 2]
    """
    if sys.stderr is not None and sys.stderr.isatty():
        yield from tqdm(
            things, doing, total, delay=QUIET, unit=f" {unit}", unit_scale=False, leave=False, dynamic_ncols=True
        )
        return
    due = time.monotonic() + QUIET
    for done, thing in enumerate(things):
        if time.monotonic() > due and sys.stderr is not None:
            print(f"{doing}: {done:,} of {total:,} {unit}", file=sys.stderr, flush=True)
            due = time.monotonic() + PAUSE
        yield thing
