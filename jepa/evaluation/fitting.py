"""Small networks that are fitted to frozen codes, beside whoever is training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.progress import shown_progress


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Draw what is random within from a seed; afterwards all is drawn as if nothing had happened.

    >>> with seeded():
    ...     first = mt.rand(())
    >>> with seeded():
    ...     bool(mt.rand(()) == first)
    True
    """
    generator = mt.default_generator().bit_generator
    state = generator.state
    mt.manual_seed(seed)
    try:
        yield
    finally:
        generator.state = state


def fit(
    optimizer: mt.optim.Optimizer,
    loss: Callable[[NDArray[np.int64]], mt.Tensor],
    count: int,
    batch: int,
    steps: int,
    doing: str,
) -> None:
    """Minimize the loss of `batch` rows of `count`, drawn anew in each of so many steps; the rate falls to 0.

    The rate of the optimizer falls along a cosine. `doing` says in the progress bar what is done.
    """
    generator, rate = np.random.default_rng(0), float(optimizer.param_groups[0]["lr"])
    for step in shown_progress(range(steps), steps, doing, "steps"):
        rows = generator.integers(count, size=batch)
        for group in optimizer.param_groups:
            group["lr"] = float(mt.optim.schedule.cosine(step, start=rate, end=0.0, steps=steps))
        optimizer.zero_grad()
        loss(rows).backward()
        optimizer.step()
